"""Random frames out of an LMDB, folders of pictures and videos; and how fast an LMDB is written.

    python -m benchmarks.lmdb_read [--side 256] [--clips 24] [--frames 125] [--json FILE]

The clips are the sample's driving clip, turned in colour so that no two are alike. The files are in the system's memory
when they are read, so the figures are of the formats and not of the disk. Reads decode to RGB, one frame at a time, in
an order that the seed fixes; videos are read from a fifth of the items, because they are so much slower.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from benchmarks.clips import SAMPLE
from benchmarks.report import Figure, arguments, publish
from talkingface.data import Clip, ClipStore, open_store
from talkingface.data.lmdb.environment import Environment
from talkingface.data.lmdb.keys import frame_key
from talkingface.data.lmdb.write import LMDBWriter, encode_frame
from talkingface.data.prepare.steps.lmdb import forecast
from talkingface.media.image import Picture, resize
from talkingface.media.video import open_video
from talkingface.media.writer import open_writer

ITEMS = 2000


def main() -> int:
    """Print the figures."""
    parser = arguments(__doc__)
    parser.add_argument("--side", type=int, default=256, help="side of the pictures in pixels")
    parser.add_argument("--clips", type=int, default=24, help="number of clips")
    parser.add_argument("--frames", type=int, default=125, help="frames of each clip, at most 150")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder), options.side, options.clips, options.frames)
    return publish(f"LMDB, {options.clips} clips of {options.frames} frames at {options.side}", figures, options.json)


def measure(root: Path, side: int, clips: int, frames: int) -> list[Figure]:
    """Write the clips in all three forms and read them."""
    with open_video(SAMPLE / "driving.mp4", frame_limit=frames) as video:
        pictures = [resize(frame, (side, side)) for frame in video]
    written_s = sum(_write(root, number, pictures, side) for number in range(clips))
    stores = {name: open_store(root / name) for name in ("lmdb", "jpg", "png", "videos")}
    size = (root / "lmdb" / str(side) / "data.mdb").stat().st_size
    expected = forecast(stores["lmdb"], side, arrays=())
    rates = {
        name: _reads_per_second(store, ITEMS // 5 if name == "videos" else ITEMS) for name, store in stores.items()
    }
    return [
        Figure("random frames from LMDB", rates["lmdb"], "1/s"),
        Figure("random frames from folders of the same jpg", rates["jpg"], "1/s"),
        Figure("random frames from folders of png", rates["png"], "1/s"),
        Figure("random frames from mp4", rates["videos"], "1/s"),
        Figure("LMDB against folders of jpg", rates["lmdb"] / rates["jpg"]),
        Figure("LMDB against folders of png", rates["lmdb"] / rates["png"], "", ">= 2"),
        Figure("LMDB against mp4", rates["lmdb"] / rates["videos"], "", ">= 10"),
        Figure("one value from LMDB, not decoded", _microseconds(stores["lmdb"], root / "lmdb" / str(side)), "us"),
        Figure("frames encoded and written to LMDB", clips * frames / written_s, "1/s"),
        Figure("size of the LMDB for a frame", size / clips / frames / 1000, "kB"),
        Figure("forecast against true size", expected / size, ""),
    ]


def _write(root: Path, number: int, pictures: Sequence[Picture], side: int) -> float:
    """Write one clip in all forms; returns the seconds that the LMDB took, encoding included."""
    own = [np.roll(picture, number % 3, axis=2) ^ np.uint8(number % 8) for picture in pictures]
    started = time.perf_counter()
    with LMDBWriter(root / "lmdb", side) as writer:
        encoded = [encode_frame(picture, side) for picture in own]
        writer.write(f"clip{number:03d}", encoded)
    taken = time.perf_counter() - started
    with open_writer(root / "videos" / f"clip{number:03d}.mp4", fps=Fraction(25)) as video:
        for picture in own:
            video.write(picture)
    with open_writer(root / "png" / f"clip{number:03d}", fps=Fraction(25)) as folder:
        for picture in own:
            folder.write(picture)
    jpgs = root / "jpg" / f"clip{number:03d}"
    jpgs.mkdir(parents=True)
    for index, data in enumerate(encoded):
        (jpgs / f"{index:06d}.jpg").write_bytes(data)
    return taken


def _items(store: ClipStore, count: int) -> list[tuple[Clip, int]]:
    random, clips = np.random.default_rng(0), store.clips()
    chosen = [clips[index] for index in random.integers(len(clips), size=count)]
    return [(clip, int(random.integers(clip.frames))) for clip in chosen]


def _reads_per_second(store: ClipStore, count: int) -> float:
    items = _items(store, count)
    store.frames(items[0][0], [items[0][1]])
    started = time.perf_counter()
    for clip, index in items:
        store.frames(clip, [index])
    return count / (time.perf_counter() - started)


def _microseconds(store: ClipStore, folder: Path) -> float:
    opened = Environment(folder)
    names = [frame_key(clip.name, index) for clip, index in _items(store, ITEMS)]
    started = time.perf_counter()
    for name in names:
        next(opened.get([name]))
    return (time.perf_counter() - started) / ITEMS * 1e6


if __name__ == "__main__":
    raise SystemExit(main())
