"""Find 68 landmarks in every frame of clips, with the flags of PIRenderer's extraction.

python scripts/extract_landmarks.py --input_dir vox --output_dir vox-keypoints --workers 8 --device_ids 0,1

A clip vox/train/a.mp4 gives vox-keypoints/train/a.npz (landmarks (T, 68, 2) in pixels of the clip, boxes, scores and,
with --landmarks mesh, the mesh), or with --format .txt the points alone as PIRenderer has them. The same command goes
on where it was stopped. Exit status 2 if no clip gave any.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from talkingface.data.prepare.command import add_engine, clips_in, finish, run_one, settings_of, tools_of
from talkingface.data.prepare.run_step import PreparationReport
from talkingface.data.prepare.steps.faces import ExtractLandmarks
from talkingface.paths import user_path


def main(argv: list[str] | None = None) -> int:
    """Extract; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--input_dir", type=user_path, required=True, help="clips, in train and test where they are known"
    )
    parser.add_argument("--output_dir", type=user_path, required=True, help="landmarks, in train and test")
    parser.add_argument("--format", choices=(".npz", ".txt"), default=".npz", help="everything, or the points alone")
    parser.add_argument("--min_found", type=float, default=0.8, help="least part of the frames that show the face")
    add_engine(parser)
    options = parser.parse_args(argv)
    return finish(lambda: extract(options))


def extract(options: argparse.Namespace) -> PreparationReport:
    """Extract as the flags say."""
    settings = settings_of(options, min_found=options.min_found)
    tools = tools_of(options).resolved(landmarks=True, space=False)
    out = options.output_dir.absolute()
    step = ExtractLandmarks(out, out, tools, options.min_found, keep_mesh=True, format=options.format)
    return run_one(step, clips_in(options.input_dir), out, settings)


if __name__ == "__main__":
    sys.exit(main())
