"""Make BFM_model_front.mat, the face model of Deep3DFaceRecon, out of the files that you got by yourself.

python scripts/convert_bfm.py checkpoints/BFM

The folder holds 01_MorphableModel.mat, Exp_Pca.bin, std_exp.txt, BFM_front_idx.mat, BFM_exp_idx.mat and
facemodel_info.mat; docs/face3d.md says where each is to be had. Coefficients work without any of this.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from talkingface.errors import TalkingFaceError
from talkingface.face3d.fit.bfm import convert_folder
from talkingface.face3d.surface.face_model import FaceModel
from talkingface.paths import user_path


def main(argv: list[str] | None = None) -> int:
    """Convert and look whether the result loads; returns the exit status (2: an error that the user can mend)."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=user_path, help="folder with the six files")
    parser.add_argument("--output", type=user_path, help="file to write (default: BFM_model_front.mat in the folder)")
    options = parser.parse_args(argv)
    try:
        output = convert_folder(options.folder, options.output)
        model = FaceModel.load(output)
    except TalkingFaceError as error:
        print(error, file=sys.stderr)
        return 2
    vertices = len(model.mean_shape) // 3
    print(f"{output} ({vertices} vertices, {len(model.triangles)} triangles)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
