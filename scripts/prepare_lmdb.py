"""Put clips with their landmarks and coefficients into an LMDB, with the flags of PIRenderer's and StyleHEAT's script.

python scripts/prepare_lmdb.py --path vox --keypoint_path vox-keypoints --coeff_3dmm_path vox-3dmm --out vox_lmdb \\
    --sizes 256 512

Landmarks are what extract_landmarks.py leaves (.npz or .txt), coefficients what extract_3dmm.py leaves (.npz or .mat);
either may be left out. Afterwards the data set holds the clips of --path and no others. The same command goes on where
it was stopped. Exit status 2 if no clip could be stored.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from talkingface.data.prepare.command import add_engine, clips_in, ending_in, finish, settings_of, store_all
from talkingface.data.prepare.run_step import PreparationReport
from talkingface.data.prepare.steps.lmdb import EncodeClip
from talkingface.paths import user_path


def main(argv: list[str] | None = None) -> int:
    """Store; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--path", type=user_path, required=True, help="clips, in train and test where they are known")
    parser.add_argument("--keypoint_path", type=user_path, help="their landmarks")
    parser.add_argument("--coeff_3dmm_path", type=user_path, help="their coefficients")
    parser.add_argument("--out", type=user_path, required=True, help="folder of the data set")
    parser.add_argument("--sizes", type=int, nargs="+", default=[256], help="sides of the pictures, in pixels")
    parser.add_argument("--img_format", choices=("jpeg", "png"), default="jpeg", help="png loses nothing")
    parser.add_argument("--quality", type=int, default=95, help="of the jpegs, 1 to 100 (the published had 75)")
    parser.add_argument("--chunksize", type=int, help=argparse.SUPPRESS)  # published; the engine chooses
    add_engine(parser, ("--n_worker", "--workers"))
    options = parser.parse_args(argv)
    return finish(lambda: store_clips(options))


def store_clips(options: argparse.Namespace) -> PreparationReport:
    """Store as the flags say."""
    settings = settings_of(options, resolutions=tuple(options.sizes), jpeg_quality=options.quality)
    out = options.out.absolute()
    step = EncodeClip(
        out,
        options.keypoint_path and options.keypoint_path.absolute(),
        options.coeff_3dmm_path and options.coeff_3dmm_path.absolute(),
        settings.resolutions,
        coefficients_format=ending_in(options.coeff_3dmm_path, ".npz", ".mat"),
        points_format=ending_in(options.keypoint_path, ".npz", ".txt"),
        picture_format=options.img_format,
        quality=settings.jpeg_quality,
    )
    return store_all(step, clips_in(options.path), out, settings)


if __name__ == "__main__":
    sys.exit(main())
