#!/usr/bin/env python3
"""Train a student: a small FOM with separable convolutions and fewer channels, from a trained FOM, its teacher.

    python scripts/build_cache.py --data CLIPS --split train
    python scripts/build_cache.py --data CLIPS --split val
    python scripts/train_student.py [--teacher FILE] [--hours 2] [--run_dir runs/student] [--export FILE]

A run that is stopped goes on where it was. The recipe is in docs/student.md.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

CLONE = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(CLONE), str(CLONE / "scripts")]


def main() -> int:
    """Run the three stages and write the last weights in half precision; 2 for an error that the user can mend."""
    arguments = parse()
    import torch
    from recipes.student import Recipe, train

    from talkingface.errors import TalkingFaceError
    from talkingface.weights.convert import convert

    torch.set_num_threads(arguments.threads)
    names = ("teacher", "cache", "run_dir", "share", "vgg", "hours", "batch_size")
    try:
        made = train(Recipe(**{name: getattr(arguments, name) for name in names}))
        if arguments.export is not None:
            convert([made], arguments.export, half=True, model="FOM")
    except TalkingFaceError as error:
        print(error, file=sys.stderr)
        return 2
    print(arguments.export or made)
    return 0


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--teacher", default="fom_compact", help="FOM's weights, a file or a name (default: shipped)")
    parser.add_argument("--cache", type=Path, default=CLONE / "runs" / "cache", help="folder of scripts/build_cache.py")
    parser.add_argument("--run_dir", type=Path, default=CLONE / "runs" / "student", help="states and logs")
    parser.add_argument("--hours", type=float, default=2.0, help="of training, all stages together (default: 2)")
    parser.add_argument("--share", type=share, default=0.25, help="of the channels, to be pruned (default: 0.25)")
    parser.add_argument("--batch_size", type=int, default=4, help="pairs of a step (default: 4)")
    parser.add_argument("--threads", type=int, default=1, help="of the processor (default: 1)")
    parser.add_argument("--vgg", type=Path, help="file of the catalogue entry vgg16: adds the perceptual loss")
    parser.add_argument("--export", type=Path, help="file to write in half precision")
    return parser.parse_args()


def share(text: str) -> float:
    """A number from 0 to 0.9."""
    value = float(text)
    if not 0 <= value <= 0.9:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 0.9")
    return value


if __name__ == "__main__":
    sys.exit(main())
