"""Make the media that the repository ships in ``dataset/sample``: a portrait, a driving clip and a few tiny clips.

Needs scikit-image and the program espeak-ng, and no network. The same versions give the same files.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from sample_media.clips import Plan, make_clip, write_table
from sample_media.face import Face
from sample_media.motion import Turn
from sample_media.painted import LOOKS, painted
from sample_media.portrait import portrait, relative, source_picture

ROOT = Path(__file__).resolve().parent.parent / "dataset" / "sample"

FACES: dict[str, Callable[[], Face]] = {
    "portrait": portrait,
    "relative": relative,
    "painted1": lambda: painted(LOOKS[0]),
    "painted2": lambda: painted(LOOKS[1]),
}

DRIVING = Plan(
    file="driving.mp4",
    identity="relative",
    frames=150,
    size=256,
    turns=[
        Turn(0.0),
        Turn(0.5),
        Turn(1.3, yaw=15, pitch=1, roll=2),
        Turn(1.7, yaw=15, pitch=2, roll=2),
        Turn(2.7, yaw=-15, pitch=-1, roll=-3),
        Turn(3.1, yaw=-14, roll=-3),
        Turn(3.7, yaw=-2, pitch=7, zoom=1.03),
        Turn(4.1, pitch=-5, zoom=1.04),
        Turn(4.6, yaw=3, pitch=3, roll=8, zoom=1.04),
        Turn(5.3, yaw=-4, pitch=1, roll=-7, zoom=1.02),
        Turn(6.0),
    ],
    blinks_s=[0.9, 2.2, 3.45, 4.9],
    text="Hello! Look, I turn my head, and I blink. Now your picture does the same.",
    seed=1,
)

_SWING = [Turn(0, yaw=-8), Turn(0.6, yaw=10, roll=3), Turn(1.2, yaw=-6, pitch=5), Turn(1.6, pitch=-3, roll=-4)]
_NOD = [Turn(0, pitch=-4), Turn(0.5, yaw=5, pitch=7), Turn(1.0, yaw=12, roll=-6), Turn(1.6, yaw=-14, roll=5)]
_TILT = [Turn(0, roll=-6), Turn(0.7, yaw=-10, roll=6, zoom=1.04), Turn(1.2, pitch=6), Turn(1.6, yaw=9)]

CLIPS = [
    Plan("train/portrait_01.mp4", "portrait", 40, 128, _SWING, [0.8], "Good morning!", "en-us+f2", 2),
    Plan("train/portrait_02.mp4", "portrait", 32, 128, _NOD, [0.3], seed=3),
    Plan("train/painted1_01.mp4", "painted1", 40, 128, _TILT, [0.5], "One, two!", "en-us+m3", 4),
    Plan("train/painted1_02.mp4", "painted1", 32, 128, _SWING, [0.2], seed=5),
    Plan("test/relative_01.mp4", "relative", 40, 128, _NOD, [0.9], "A short test.", "en-us+f3", 6),
    Plan("test/painted2_01.mp4", "painted2", 32, 128, _TILT, [0.6], seed=7),
]


def main() -> int:
    """Write everything below a folder and print what was written."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=ROOT, help="folder to write (default: dataset/sample)")
    output = parser.parse_args().output
    if shutil.which("espeak-ng") is None:
        print("espeak-ng is not installed; on Debian: apt-get install espeak-ng", file=sys.stderr)
        return 2
    output.mkdir(parents=True, exist_ok=True)
    source_picture(256).save(output / "source.png", optimize=True)
    faces = {name: make() for name, make in FACES.items()}
    for plan in [DRIVING, *CLIPS]:
        make_clip(plan, faces[plan.identity], output)
        print(f"{plan.file}: {plan.frames} frames, {(output / plan.file).stat().st_size / 1000:.0f} kB")
    write_table(output / "clips.csv", CLIPS)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
