#!/usr/bin/env python3
"""Train compact weights from beginning to end, and put them where the toolkit looks for them.

    python scripts/train_compact.py --data CLIPS [--run_dir runs/compact_fom] [--processes 2] [--hours 2.0]

The recipe of docs/compact-fom.md: most of the time at 128 pixels, where a step costs little and the motion is learned,
the rest at 256. Each process trains with one thread; a run that is stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

CLONE = Path(__file__).resolve().parent.parent
WEIGHTS = CLONE / "checkpoints" / "compact" / "fom.safetensors"


@dataclass(frozen=True)
class Stage:
    """A part of the training: pictures of one size, for a share of the time.

    Attributes:
        image_size: side in pixels.
        batch_size: pairs per step and process; each trains in both directions.
        share: of the hours.
        max_steps: where the learning rate's half cosine ends, the same for all stages.
    """

    image_size: int
    batch_size: int
    share: float
    max_steps: int = 6200


STAGES = (Stage(128, 8, 0.65), Stage(256, 4, 0.35))


def main() -> int:
    """Run the stages and convert the last weights."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of clips with clips.csv, see docs/data.md")
    parser.add_argument("--run_dir", type=Path, default=CLONE / "runs" / "compact_fom", help="states and logs")
    parser.add_argument("--processes", type=int, default=2, help="one per core (default: 2)")
    parser.add_argument("--hours", type=float, default=2.0, help="of training, all stages together (default: 2)")
    arguments = parser.parse_args()
    for stage in STAGES:
        status = train(stage, arguments)
        if status != 0:
            return status
    return convert(arguments.run_dir / "export" / "last.safetensors")


def train(stage: Stage, arguments: argparse.Namespace) -> int:
    """One stage; it begins where the run folder's newest state ends."""
    settings = {
        "model": "FOM",
        "variant": "compact",
        "run_mode": "train",
        "dataset": arguments.data,
        "output_dir": arguments.run_dir,
        "precision": "bf16",
        "threads": 1,
        "train.preload": "true",
        "train.resume": "auto",
        "train.image_size": stage.image_size,
        "train.batch_size": stage.batch_size,
        "train.max_steps": stage.max_steps,
        "train.max_seconds": round(3600 * arguments.hours * stage.share),
        "train.augment.crop": 0.15,
        "train.augment.rotation_deg": 8,
    }
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={arguments.processes}"]
    flags = [f"--{name}={value}" for name, value in settings.items()]
    return subprocess.run(
        [sys.executable, *launcher, str(CLONE / "run_talkingface.py"), *flags], check=False
    ).returncode


def convert(trained: Path) -> int:
    """The averaged weights in half precision, as they ship."""
    WEIGHTS.parent.mkdir(parents=True, exist_ok=True)
    script = CLONE / "scripts" / "convert_checkpoint.py"
    command = [sys.executable, str(script), str(trained), str(WEIGHTS), "--half"]
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
