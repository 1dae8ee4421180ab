"""Give every frame of clips its 3DMM coefficients, with the flags of PIRenderer's extraction.

python scripts/extract_3dmm.py --input_dir vox --keypoint_dir vox-keypoints --output_dir vox-3dmm \\
    --inference_batch_size 100 --format .mat

A clip vox/train/a.mp4 with vox-keypoints/train/a.npz (or .txt) gives vox-3dmm/train/a.npz (or .mat) with coeff (T, 257)
and transform_params (T, 5), which together are the 260 numbers of a frame. The same command goes on where it was
stopped. Exit status 2 if no clip gave any.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from talkingface.data.prepare.command import add_engine, clips_in, ending_in, finish, run_one, settings_of, tools_of
from talkingface.data.prepare.run_step import PreparationReport
from talkingface.data.prepare.steps.faces import ExtractCoefficients
from talkingface.paths import user_path

PUBLISHED = ("--name", "--epoch", "--model", "--checkpoints_dir", "--bfm_folder", "--gpu_ids")
FOUND = "the network is Deep3D/epoch_20.pth of --checkpoint_root, where it is there and --space allows it"


def main(argv: list[str] | None = None) -> int:
    """Extract; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--input_dir", type=user_path, required=True, help="clips, in train and test where they are known"
    )
    parser.add_argument("--keypoint_dir", type=user_path, required=True, help="what extract_landmarks.py has left")
    parser.add_argument("--output_dir", type=user_path, required=True, help="coefficients, in train and test")
    parser.add_argument("--inference_batch_size", type=int, default=100, help="frames at a time")
    parser.add_argument("--format", choices=(".npz", ".mat"), default=".npz", help="our own, or as published")
    parser.add_argument("--space", choices=("auto", "bfm", "mesh"), default="auto", help="kind of coefficients")
    for published in PUBLISHED:
        parser.add_argument(published, help=argparse.SUPPRESS)
    add_engine(parser)
    options = parser.parse_args(argv)
    if any(getattr(options, flag.removeprefix("--")) is not None for flag in PUBLISHED):
        print(f"note: {', '.join(PUBLISHED)} are not needed: {FOUND}", file=sys.stderr)
    return finish(lambda: extract(options))


def extract(options: argparse.Namespace) -> PreparationReport:
    """Extract as the flags say."""
    settings = settings_of(options)
    tools = tools_of(options, options.space).resolved(landmarks=False, space=True)
    out = options.output_dir.absolute()
    step = ExtractCoefficients(
        out,
        options.keypoint_dir.absolute(),
        out,
        tools,
        batch=max(1, options.inference_batch_size),
        format=options.format,
        points=ending_in(options.keypoint_dir, ".npz", ".txt"),
    )
    return run_one(step, clips_in(options.input_dir), out, settings)


if __name__ == "__main__":
    sys.exit(main())
