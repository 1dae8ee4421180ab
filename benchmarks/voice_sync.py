"""Drift between sound and pictures in a long voice-driven video.

    python -m benchmarks.voice_sync [--seconds 3600] [--every 60] [--json FILE]

A sound with one beep a minute goes the way of a voice: read at the voice's rate, made into a motion at 25 frames a
second, brought to the rate of the result, drawn (a frame that is bright while it beeps) and written with its sound.
Then the written file is taken apart: when each beep begins, and when, by the file's own time stamps, the first bright
frame is shown. At 25 and at 30000/1001 frames a second.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.report import Figure, arguments, publish
from talkingface.media.ffmpeg import Child, input_arguments
from talkingface.media.sounds.buffer import open_audio
from talkingface.models.base import Renderer
from talkingface.pipelines.draw import render
from talkingface.pipelines.motions import ROWS, at_rate
from talkingface.types import Motion, Source

RATES = (Fraction(25), Fraction(30000, 1001))
VOICE_FPS, VOICE_HZ, SOUND_HZ = Fraction(25), 16000, 22050
FIRST_S, LASTS_S, TONE_HZ = Fraction(1, 5), Fraction(1, 2), 1000
SIDE, CHUNK, THRESHOLD = 64, 250, 0.1

Times = NDArray[np.float64]


class Lamp(Renderer):
    """Draws a frame as bright as its number."""

    takes, size, space = "3dmm.70", (SIDE, SIDE), "mesh"

    def encode_source(self, source: Source) -> None:
        """Nothing depends on the source."""

    def render(self, state: None, motion: Motion) -> Tensor:
        """Frames of one brightness each."""
        return motion.values[ROWS][:, :1, None, None].expand(-1, 3, SIDE, SIDE)


@dataclass(frozen=True)
class Sync:
    """A written file, taken apart.

    Attributes:
        fps: its frames per second.
        beeps, flashes: (n,), seconds at which each begins.
        length_s: of the pictures and of the sound.
        seconds: it took to write.
    """

    fps: Fraction
    beeps: Times
    flashes: Times
    length_s: tuple[float, float]
    seconds: float

    @property
    def apart(self) -> Times:
        """Frames from each beep to its flash."""
        return np.asarray((self.flashes - self.beeps) * float(self.fps))


def main() -> int:
    """Measure and report; exit status 1 where an aim is missed."""
    parser = arguments(__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--seconds", type=int, default=3600, help="length of the sound")
    parser.add_argument("--every", type=int, default=60, help="seconds from one beep to the next")
    options = parser.parse_args()
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as folder:
        sound = write_beeps(Path(folder) / "beeps.wav", options.seconds, options.every)
        for fps in RATES:
            figures += figures_of(measure(sound, Path(folder) / "result.mp4", fps), options.seconds // options.every)
    return publish(f"sync over {options.seconds} s, a beep every {options.every} s", figures, options.json)


def figures_of(sync: Sync, beeps: int) -> list[Figure]:
    """Contents of a file."""
    name = f"{float(sync.fps):.6g} frames/s"
    lengths = abs(sync.length_s[0] - sync.length_s[1]) * float(sync.fps)
    return [
        Figure(f"{name}: beeps and flashes found", min(len(sync.beeps), len(sync.flashes)), "", f">= {beeps}"),
        Figure(f"{name}: first flash after its beep", sync.apart[0], "frames"),
        Figure(f"{name}: last flash after its beep", sync.apart[-1], "frames"),
        Figure(f"{name}: largest distance", np.abs(sync.apart).max(), "frames", "<= 1"),
        Figure(f"{name}: drift from first to last", abs(sync.apart[-1] - sync.apart[0]), "frames", "<= 1"),
        Figure(f"{name}: pictures and sound differ in length", lengths, "frames", "<= 1"),
        Figure(f"{name}: written in", sync.seconds, "s"),
    ]


def write_beeps(path: Path, seconds: int, every: int) -> Path:
    """A sound that is silent but for half a second every now and then; written block by block."""
    block = np.zeros(every * SOUND_HZ, np.float32)
    begin, length = int(FIRST_S * SOUND_HZ), int(LASTS_S * SOUND_HZ)
    block[begin : begin + length] = 0.5 * np.sin(2 * np.pi * TONE_HZ / SOUND_HZ * np.arange(length))
    with soundfile.SoundFile(path, "w", SOUND_HZ, 1) as file:
        for _ in range(seconds // every):
            file.write(block)
    return path


def measure(sound: Path, output: Path, fps: Fraction) -> Sync:
    """Write a video of a sound and take it apart."""
    started = time.perf_counter()
    motion = at_rate(motion_of(sound), fps)
    frames = render.render(Lamp(), None, motion, chunk=CHUNK)
    render.write(frames, output, fps=fps, sound=sound, sound_s=len(motion) / fps)
    seconds = time.perf_counter() - started
    wave = open_audio(output, VOICE_HZ)
    beeps = onsets(np.abs(wave.samples) > THRESHOLD, VOICE_HZ // 4) / VOICE_HZ
    bright, stamps = np.fromiter(brightness(output), np.float64), np.fromiter(time_stamps(output), np.float64)
    flashes = stamps[onsets(bright > 0.5, 1)]
    length_s = float(stamps[-1] + 1 / fps), len(wave.samples) / VOICE_HZ
    return Sync(fps, beeps, flashes, length_s, seconds)


def motion_of(sound: Path) -> Motion:
    """A motion whose first number is 1 in frames that beep, as a voice makes it: from the sound at its own rate."""
    wave = open_audio(sound, VOICE_HZ).samples
    each = int(VOICE_HZ / VOICE_FPS)
    peaks = np.abs(wave[: len(wave) // each * each]).reshape(-1, each).max(1)
    rows = torch.zeros(len(peaks), 70)
    rows[:, 0] = torch.from_numpy(peaks > THRESHOLD)
    return Motion("3dmm.70", VOICE_FPS, {ROWS: rows}, "mesh")


def onsets(there: NDArray[np.bool_], gap: int) -> NDArray[np.int64]:
    """Places at which something begins that was not there for ``gap`` samples."""
    places = np.flatnonzero(there)
    return places[np.diff(places, prepend=-gap - 1) > gap]


def brightness(path: Path) -> Iterator[float]:
    """Of each frame as it is stored, 0 to 1; none is doubled or dropped to please a rate."""
    grey = ["-map", "0:v:0", "-fps_mode", "passthrough", "-vf", "scale=1:1,format=gray"]
    with Child([*input_arguments(path), *grey, "-f", "rawvideo", "pipe:1"], collect=True) as child:
        yield from (level / 255 for level in child.stdout.read())


def time_stamps(path: Path) -> Iterator[float]:
    """Time of each frame in seconds, as the file itself says."""
    copied = ["-map", "0:v:0", "-fps_mode", "passthrough", "-c", "copy", "-f", "framecrc", "pipe:1"]
    with Child([*input_arguments(path), *copied], collect=True) as child:
        lines = child.stdout.read().decode().splitlines()
    unit = next(Fraction(line.split()[-1]) for line in lines if line.startswith("#tb"))
    shown = sorted(int(line.split(",")[2]) for line in lines if not line.startswith("#"))
    yield from (float(stamp * unit) for stamp in shown)


if __name__ == "__main__":
    sys.exit(main())
