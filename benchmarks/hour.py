"""An hour of driving video (320x240) and an hour of voice: peak memory against ten seconds, and the sound's place.

    python -m benchmarks.hour [--short 10] [--long 3600] [--fps 5] [--json FILE]

Memory is counted as in `benchmarks.memory`. A beep every ten seconds goes with the driving video, and is the voice. The
written file is taken apart: how far each frame's own time stamp is from its place at the rate of the result, how far
each beep is from where it was in the input, and how much longer one of pictures and sound is. With 25 frames a second
the hour is 90,000 frames; a lower rate tells most of it, because what would grow does so with every frame.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import numpy as np

from benchmarks.clips import SAMPLE
from benchmarks.memory import growth, peaks
from benchmarks.report import Figure, arguments, publish
from benchmarks.voice_sync import SOUND_HZ, THRESHOLD, VOICE_HZ, onsets, time_stamps, write_beeps
from talkingface.config import settings_from
from talkingface.media.ffmpeg import address, input_arguments, output_of
from talkingface.media.sounds.buffer import open_audio

EVERY_S = 10
KINDS = {"driving video": "FOM", "voice": "SadTalker"}


def main() -> int:
    """Measure and report; exit status 1 where an aim is missed."""
    parser = arguments(__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--short", type=int, default=10, help="seconds of the short input, a multiple of ten")
    parser.add_argument("--long", type=int, default=3600, help="seconds of the long input, a multiple of ten")
    parser.add_argument("--fps", type=int, default=5, help="frames a second of the driving video and the results")
    parser.add_argument("--kind", choices=KINDS, action="append", help="measure this kind alone")
    parser.add_argument("--input", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.input is not None:
        return _animate(options)
    figures: list[Figure] = []
    for kind in options.kind or KINDS:
        short, _ = measure(kind, options.short, options)
        long, sync = measure(kind, options.long, options)
        figures += [
            Figure(f"{kind}: {figure.name}", figure.value, figure.unit, figure.aim)
            for figure in [*growth(options.short, short, options.long, long), *sync]
        ]
    return publish(f"{options.long} s at {options.fps} frames/s", figures, options.json)


def measure(kind: str, seconds: int, options: argparse.Namespace) -> tuple[tuple[float, float], list[Figure]]:
    """((peak of the main process, of the family) in MiB, figures of the written file) for an input of some seconds."""
    with tempfile.TemporaryDirectory() as folder:
        file = write_beeps(Path(folder) / "beeps.wav", seconds, EVERY_S)
        if kind == "driving video":
            file = driving_clip(file, Path(folder) / "driving.mp4", seconds, options.fps)
        command = [sys.executable, "-m", "benchmarks.hour", "--input", str(file), "--kind", kind]
        command += ["--fps", str(options.fps), *(["--threads", str(options.threads)] if options.threads else [])]
        began = time.perf_counter()
        memory = peaks(command, f"{kind} of {seconds} s")
        took = Figure("made in", time.perf_counter() - began, "s")
        return memory, [took, *taken_apart(file.with_name("result.mp4"), seconds, Fraction(options.fps))]


def driving_clip(sound: Path, output: Path, seconds: int, fps: int) -> Path:
    """The sample's driving clip again and again at 320x240, with a sound of the same length."""
    inputs = ["-stream_loop", "-1", *input_arguments(SAMPLE / "driving.mp4"), *input_arguments(sound)]
    frames = ["-map", "0:v:0", "-vf", f"fps={fps},scale=320:240,setsar=1", "-frames:v", str(seconds * fps)]
    encoders = ["-c:v", "libx264", "-preset", "veryfast", "-c:a", "aac"]
    status, _, messages = output_of(["-y", *inputs, *frames, "-map", "1:a:0", *encoders, address(output)])
    if status != 0:
        raise SystemExit(f"the driving clip could not be made: {messages}")
    return output


def taken_apart(result: Path, seconds: int, fps: Fraction) -> list[Figure]:
    """Frames, sound and their lengths, as the written file shows them."""
    stamps = np.fromiter(time_stamps(result), np.float64)
    wave = open_audio(result, VOICE_HZ)
    beeps = onsets(np.abs(wave.samples) > THRESHOLD, VOICE_HZ // 4) / VOICE_HZ
    first = np.flatnonzero(np.abs(np.sin(2 * np.pi * 1000 / SOUND_HZ * np.arange(100))) * 0.5 > THRESHOLD)[0] / SOUND_HZ
    places = 0.2 + first + EVERY_S * np.arange(seconds // EVERY_S)
    late = (beeps - places) * float(fps) if len(beeps) == len(places) else np.array([np.inf])
    off = np.abs(stamps - stamps[0] - np.arange(len(stamps)) / float(fps)).max() * float(fps)
    lengths = abs(len(stamps) / float(fps) - len(wave.samples) / VOICE_HZ) * float(fps)
    return [
        Figure("frames", len(stamps), "", f">= {seconds * fps - 1}"),
        Figure("beeps", len(beeps), "", f">= {seconds // EVERY_S}"),
        Figure("largest distance of a frame from its place", off, "frames", "<= 1"),
        Figure("largest distance of a beep from its place", float(np.abs(late).max()), "frames", "<= 1"),
        Figure("drift of the sound from first to last beep", float(abs(late[-1] - late[0])), "frames", "<= 1"),
        Figure("the same", float(abs(late[-1] - late[0])) / float(fps) * 1000, "ms"),
        Figure("pictures and sound differ in length", lengths, "frames", "<= 1"),
    ]


def _animate(options: argparse.Namespace) -> int:
    """The measured process: one animation, then its own peak in KiB on the last line."""
    from talkingface.pipelines.animate import animate

    (kind,) = options.kind
    signal = {"video_source": options.input, "if_extract": True} if kind == "driving video" else {}
    signal = signal or {"audio_path": options.input, "fps": Fraction(options.fps)}
    values = {"model": KINDS[kind], "image_source": SAMPLE / "source.png", "threads": options.threads}
    animate(settings_from(values | signal | {"output": options.input.with_name("result.mp4")}))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    return 0


if __name__ == "__main__":
    sys.exit(main())
