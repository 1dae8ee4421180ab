"""(c) Peak memory of an animation driven by 10 seconds and by 10 minutes of video.

    python -m benchmarks.memory [--short 10] [--long 600] [--json FILE]
    python -m benchmarks.memory --model StyleHeat --drawn compact --long 300

Each length runs in a process of its own. Counted is the process that holds the network (its peak as the system keeps
it), and with it the decoder or encoder that runs at the time: the peaks of the processes together. Their momentary sum
would depend on where the samples fall, and a short run has few.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.clips import add_inputs, loop_clip, run_settings
from benchmarks.drawn import drawn_weights
from benchmarks.report import Figure, arguments, publish

FPS = 25
SAMPLE_S = 0.2
PROC = Path("/proc")


def main() -> int:
    """Measure and report; exit status 1 where an aim is missed."""
    parser = arguments(__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--short", type=int, default=10, help="seconds of the short clip")
    parser.add_argument("--long", type=int, default=600, help="seconds of the long clip")
    parser.add_argument(
        "--drawn", metavar="VARIANT", help="weights of this variant drawn from a seed, not trained ones"
    )
    parser.add_argument("--clip", type=Path, help=argparse.SUPPRESS)
    add_inputs(parser)
    options = parser.parse_args()
    if options.clip is not None:
        return _animate(options)
    short, long = measure(options, options.short), measure(options, options.long)
    figures = growth(options.short, short, options.long, long)
    return publish("peak memory by length of the driving video", figures, options.json)


def measure(options: argparse.Namespace, seconds: int) -> tuple[float, float]:
    """(peak of the main process, peak of the family) in MiB for a driving clip of so many seconds."""
    with tempfile.TemporaryDirectory() as folder:
        clip = loop_clip(options.driving, Path(folder) / "driving.mp4", frames=seconds * FPS)
        weights = options.checkpoint
        if options.drawn:
            weights = drawn_weights(options.model, options.drawn, Path(folder) / "drawn.safetensors")
        command = [sys.executable, "-m", "benchmarks.memory", "--clip", str(clip), "--source", str(options.source)]
        command += ["--model", options.model]
        command += ["--threads", str(options.threads)] if options.threads else []
        command += ["--checkpoint", str(weights)] if weights else []
        return peaks(command, f"the animation of {seconds} s")


def peaks(command: Sequence[str], what: str) -> tuple[float, float]:
    """(peak of the main process, peak of the family) in MiB of a program that prints its own peak in KiB last.

    Args:
        what: it does, for the message if it fails.
    """
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603
    family = 0
    while child.poll() is None:
        family = max(family, family_kib(child.pid))
        time.sleep(SAMPLE_S)
    output, _ = child.communicate()
    if child.returncode:
        raise SystemExit(f"{what} failed (exit status {child.returncode})")
    return int(output.split()[-1]) / 1024, family / 1024


def growth(short_s: int, short: tuple[float, float], long_s: int, long: tuple[float, float]) -> list[Figure]:
    """Memory of two lengths, and the growth from one to the other."""
    figures = []
    for name, one, other in zip(("main process", "with decoder and encoder"), short, long, strict=True):
        figures += [
            Figure(f"{short_s} s, {name}", one, "MiB"),
            Figure(f"{long_s} s, {name}", other, "MiB"),
            Figure(f"growth, {name}", 100 * (other / one - 1), "%", "<= 5"),
        ]
    return figures


def family_kib(pid: int) -> int:
    """Peaks so far of a process and of what it has running, together."""
    members = list(descendants(pid))
    # A child that has not yet become its own program still runs in its parent's memory, which counts once.
    started = [member for member in members if member == pid or program(member) != program(pid)]
    return sum(map(peak_kib, started))


def program(pid: int) -> str:
    """The file that a process runs; empty once it has ended."""
    try:
        return str((PROC / str(pid) / "exe").readlink())
    except (FileNotFoundError, ProcessLookupError):
        return ""


def descendants(pid: int) -> Iterator[int]:
    """A process and everything that it started, as Linux lists it."""
    yield pid
    for task in (PROC / str(pid) / "task").glob("*/children"):
        try:
            children = task.read_text().split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # the thread ended between listing and reading
        for child in children:
            yield from descendants(int(child))


def peak_kib(pid: int) -> int:
    """The most memory that a process has held so far; 0 once it has ended."""
    try:
        status = (PROC / str(pid) / "status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")), 0)


def _animate(options: argparse.Namespace) -> int:
    """The measured process: one animation, then its own peak in KiB on the last line."""
    from talkingface.pipelines.animate import animate

    animate(run_settings(options, options.clip, options.clip.with_name("result.mp4")))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    return 0


if __name__ == "__main__":
    sys.exit(main())
