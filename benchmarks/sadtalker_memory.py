"""Peak memory of a picture that speaks for 10 seconds and for 20 minutes, with the weights that ship.

    python -m benchmarks.sadtalker_memory [--short 10] [--long 1200] [--json FILE]

Counted as in `benchmarks.memory`. Twenty minutes are 30,000 frames; a shorter --long tells most of it, because what
would grow does so with every frame.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
from pathlib import Path

from benchmarks.clips import SAMPLE
from benchmarks.memory import growth, peaks
from benchmarks.report import arguments, publish
from benchmarks.sadtalker_program import write_voice
from talkingface.config import settings_from
from talkingface.pipelines.animate import animate


def main() -> int:
    """Measure and report; exit status 1 where an aim is missed."""
    parser = arguments(__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--short", type=int, default=10, help="seconds of the short voice")
    parser.add_argument("--long", type=int, default=1200, help="seconds of the long voice")
    parser.add_argument("--voice", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.voice is not None:
        return speak(options.voice, options.threads)
    short, long = (measure(seconds, options.threads) for seconds in (options.short, options.long))
    figures = growth(options.short, short, options.long, long)
    return publish("peak memory by length of the voice", figures, options.json)


def measure(seconds: int, threads: int | None) -> tuple[float, float]:
    """(peak of the main process, peak of the family) in MiB for a voice of so many seconds."""
    with tempfile.TemporaryDirectory() as folder:
        voice = write_voice(Path(folder) / "voice.wav", seconds)
        command = [sys.executable, "-m", "benchmarks.sadtalker_memory", "--voice", str(voice)]
        command += ["--threads", str(threads)] if threads else []
        return peaks(command, f"the voice of {seconds} s")


def speak(voice: Path, threads: int | None) -> int:
    """The measured process: one animation, then its own peak in KiB on the last line."""
    values = {"model": "SadTalker", "image_source": SAMPLE / "source.png", "audio_path": voice, "threads": threads}
    animate(settings_from(values | {"output": voice.with_name("result.mp4")}))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    return 0


if __name__ == "__main__":
    sys.exit(main())
