"""Readers of pictures, videos and sound."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
from media.clips import ffmpeg
from PIL import Image

from talkingface.media.ffmpeg import address
from talkingface.media.image import read_image
from talkingface.media.sounds.buffer import open_audio
from talkingface.media.video import open_video
from talkingface.media.writer import open_writer

from .registry import Seed, reader

_PICTURE = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)


def _picture(ending: str) -> Seed:
    def seed(folder: Path) -> Path:
        Image.fromarray(_PICTURE).save(folder / f"p{ending}")
        return folder / f"p{ending}"

    return seed


for _ending in (".png", ".jpg", ".webp", ".bmp", ".tiff", ".gif"):
    reader(f"picture, {_ending}", read_image)(_picture(_ending))


def _first_frames(path: Path) -> object:
    return list(itertools.islice(open_video(path), 20))


def _video(*options: str, ending: str) -> Seed:
    def seed(folder: Path) -> Path:
        source = ("-f", "lavfi", "-i", "testsrc2=size=32x24:rate=10:duration=0.5")
        ffmpeg(*source, *options, address(folder / f"v{ending}"))
        return folder / f"v{ending}"

    return seed


_VIDEOS: dict[str, Callable[[Path], Path]] = {
    "mp4": _video("-c:v", "libx264", "-pix_fmt", "yuv420p", ending=".mp4"),
    "mov": _video("-c:v", "mpeg4", ending=".mov"),
    "avi": _video("-c:v", "mpeg4", ending=".avi"),
    "webm": _video("-c:v", "libvpx", ending=".webm"),
    "mkv": _video("-c:v", "mpeg4", ending=".mkv"),
    "gif": _video(ending=".gif"),
}
for _name, _seed in _VIDEOS.items():
    reader(f"video, {_name}", _first_frames, starts_program=True)(_seed)


@reader("animation, webp", _first_frames)
def animated_webp(folder: Path) -> Path:
    with open_writer(folder / "a.webp", fps=Fraction(10)) as writer:
        for shift in range(4):
            writer.write(np.roll(_PICTURE, shift, axis=1))
    return folder / "a.webp"


def _sound(*options: str, ending: str) -> Seed:
    def seed(folder: Path) -> Path:
        ffmpeg("-f", "lavfi", "-i", "sine=440:sample_rate=16000:duration=0.3", *options, address(folder / f"s{ending}"))
        return folder / f"s{ending}"

    return seed


_SOUNDS: dict[str, Callable[[Path], Path]] = {
    "wav": _sound(ending=".wav"),
    "mp3": _sound("-c:a", "libmp3lame", ending=".mp3"),
    "ogg": _sound("-c:a", "libvorbis", ending=".ogg"),
    "flac": _sound(ending=".flac"),
    "m4a": _sound("-c:a", "aac", ending=".m4a"),
    "opus": _sound("-c:a", "libopus", ending=".opus"),
}
for _name, _seed in _SOUNDS.items():
    reader(f"sound, {_name}", lambda path: open_audio(path, 16000), starts_program=True)(_seed)
