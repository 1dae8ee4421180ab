"""Make what the repository ships in ``dataset/sample``: tiny clips of several people, the same as an LMDB, and a demo.

Needs scikit-image (and ai-edge-litert for the LMDB), and no network once the landmark files are fetched. The portrait
and the driving clip of the demo are made with ``--demo`` only, because the voice of that clip needs the program
espeak-ng. The same versions give the same files.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from sample_media.clips import Plan, make_clip, write_table
from sample_media.face import Face
from sample_media.formants import Speaker
from sample_media.lmdb_form import make_lmdb
from sample_media.motion import Turn
from sample_media.painted import LOOKS, painted
from sample_media.portrait import portrait, relative, source_picture

ROOT = Path(__file__).resolve().parent.parent / "dataset" / "sample"

FACES: dict[str, Callable[[], Face]] = {
    "portrait": portrait,
    "relative": relative,
    **{f"painted{number}": partial(painted, look) for number, look in enumerate(LOOKS, 1)},
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

_LOOK = [Turn(0, yaw=6), Turn(0.5, yaw=-9, pitch=4), Turn(0.9, yaw=-4, roll=5), Turn(1.28, yaw=8, pitch=-3)]

CLIPS = [
    Plan("train/portrait_01.mp4", "portrait", 40, 128, _SWING, [0.8], Speaker(205, 1.14, 4.6, 2), seed=2),
    Plan("train/portrait_02.mp4", "portrait", 32, 128, _NOD, [0.3], Speaker(215, 1.14, 3.6, 3), seed=3),
    Plan("train/painted1_01.mp4", "painted1", 40, 128, _TILT, [0.5], Speaker(112, 0.98, 4.0, 4), seed=4),
    Plan("train/painted3_01.mp4", "painted3", 32, 128, _LOOK, [0.6], Speaker(225, 1.18, 5.2, 13), seed=13),
    Plan("train/painted4_01.mp4", "painted4", 32, 128, _NOD, [0.9], Speaker(98, 0.94, 3.4, 14), seed=14),
    Plan("train/painted5_01.mp4", "painted5", 32, 128, _SWING, [0.2], Speaker(130, 1.02, 4.4, 15), seed=15),
    Plan("train/painted6_01.mp4", "painted6", 32, 128, _TILT, [0.7], Speaker(190, 1.1, 5.0, 16), seed=16),
    Plan("test/relative_01.mp4", "relative", 40, 128, _NOD, [0.9], Speaker(198, 1.16, 4.2, 6), seed=6),
    Plan("test/painted2_01.mp4", "painted2", 32, 128, _TILT, [0.6], Speaker(170, 1.08, 4.8, 7), seed=7),
]


def main() -> int:
    """Write everything below a folder and print what was written."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=ROOT, help="folder to write (default: dataset/sample)")
    parser.add_argument("--demo", action="store_true", help="make source.png and driving.mp4 too; needs espeak-ng")
    parser.add_argument("--lmdb_only", action="store_true", help="make the LMDB from the clips that are there")
    given = parser.parse_args()
    if given.demo and shutil.which("espeak-ng") is None:
        print("espeak-ng is not installed; on Debian: apt-get install espeak-ng", file=sys.stderr)
        return 2
    if not given.lmdb_only:
        make_media(given.output, demo=given.demo)
    size = make_lmdb(given.output)
    print(f"lmdb: {size / 1000:.0f} kB")
    return 0


def make_media(output: Path, *, demo: bool) -> None:
    """Write the clips and their list, and what the demo needs."""
    output.mkdir(parents=True, exist_ok=True)
    if demo:
        source_picture(256).save(output / "source.png", optimize=True)
    faces = {name: make() for name, make in FACES.items()}
    for plan in [*([DRIVING] if demo else []), *CLIPS]:
        make_clip(plan, faces[plan.identity], output)
        print(f"{plan.file}: {plan.frames} frames, {(output / plan.file).stat().st_size / 1000:.0f} kB")
    write_table(output / "clips.csv", CLIPS)


if __name__ == "__main__":
    raise SystemExit(main())
