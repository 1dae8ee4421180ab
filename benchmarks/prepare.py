"""Clips per minute and memory of each step of data preparation, for one and two workers and both engines.

    python -m benchmarks.prepare [--copies 8] [--engines process ray] [--workers 1 2] [--raw DIR] [--json FILE]

Each step is a run of the command by itself, so its time holds the start of the workers and of what they load, which
matters less the more clips there are. Memory is that of the command and all its descendants together (proportional
share of what they share), at its highest.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.prepare_kill import PROC, SMALL, family
from benchmarks.raw_videos import make_raw_videos
from benchmarks.report import Figure, arguments, publish

STEPS = ("crop", "landmarks", "coefficients", "lmdb")
SAMPLE_S = 0.2


def main() -> int:
    """Measure and report."""
    parser = arguments(__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--copies", type=int, default=8, help="of each of the three small videos")
    parser.add_argument("--raw", type=Path, help="other raw videos")
    parser.add_argument("--engines", nargs="+", choices=("process", "ray"), default=["process", "ray"])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        raw = options.raw or make_raw_videos(Path(folder) / "raw", copies=options.copies)
        figures = [
            figure
            for engine in options.engines
            for workers in options.workers
            for figure in measure(raw, Path(folder) / f"{engine}{workers}", engine, workers)
        ]
    return publish("data preparation, step by step", figures, options.json)


def measure(raw: Path, out: Path, engine: str, workers: int) -> Iterator[Figure]:
    """Rate, time and memory of each step."""
    for step in STEPS:
        command = [sys.executable, "-m", "talkingface", "--run_mode=prepare", f"--raw={raw}", f"--prepare.out={out}"]
        flags = [*SMALL, f"--engine={engine}", f"--workers={workers}", f"--prepare.steps={step}"]
        started = time.monotonic()
        child = subprocess.Popen([*command, *flags], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603
        peak = watch(child)
        whole_s = time.monotonic() - started
        if child.returncode != 0:
            raise RuntimeError(f"{step} with {engine} ended with status {child.returncode}")
        found = json.loads((out / "prepare" / "report.json").read_text())["steps"][-1]
        label = f"{step}, {engine}, {workers} worker{'s' if workers > 1 else ''}"
        yield Figure(f"{label}: rate", 60 * found["items"] / max(found["seconds"], 0.1), "items/min")
        yield Figure(f"{label}: command", whole_s, "s")
        yield Figure(f"{label}: memory", peak, "MiB")


def watch(child: subprocess.Popen[bytes]) -> float:
    """Wait for a process; the highest memory of it and its descendants together, in MiB."""
    peak = 0.0
    while child.poll() is None:
        peak = max(peak, sum(map(_share_mib, family(child.pid))))
        time.sleep(SAMPLE_S)
    return peak


def _share_mib(pid: int) -> float:
    """Proportional set size of a process in MiB; 0 where it is gone."""
    try:
        lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


if __name__ == "__main__":
    sys.exit(main())
