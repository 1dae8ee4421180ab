"""A single picture, or a folder of numbered pictures, seen as a video."""

from __future__ import annotations

import re
from pathlib import Path

from ..errors import MediaError
from .frame_rate import DEFAULT_FPS
from .image import PICTURE_ENDINGS
from .probe import MediaInfo


def is_picture(path: Path) -> bool:
    """Whether a file is a still picture, by its ending (a gif counts as a video)."""
    return path.is_file() and path.suffix.lower() in PICTURE_ENDINGS


def is_pictures(path: str | Path) -> bool:
    """Whether this is a folder, or a file named as a still picture (a gif counts as a video)."""
    path = Path(path)
    return path.is_dir() or path.suffix.lower() in PICTURE_ENDINGS


def picture_files(path: str | Path) -> list[Path]:
    """The pictures of a folder in natural order (2 before 10), or the one picture named.

    Hidden files are left out, as some systems leave shadow copies of every picture in a folder.

    Raises:
        MediaError: if the folder holds no picture.
    """
    path = Path(path)
    if not path.is_dir():
        return [path]
    files = [file for file in path.iterdir() if is_pictures(file) and file.is_file() and not file.name.startswith(".")]
    if not files:
        raise MediaError(
            "the folder holds no pictures", where=path, cure=f"Put frames into it ({', '.join(PICTURE_ENDINGS)})."
        )
    return sorted(files, key=_natural_key)


def describe_pictures(path: str | Path, height: int, width: int) -> MediaInfo:
    """Report of a picture or folder whose first picture has the given size; 25 frames/s, as nothing says otherwise."""
    count = len(picture_files(path))
    return MediaInfo(
        Path(path),
        width=width,
        height=height,
        fps=DEFAULT_FPS,
        frames=count,
        duration_s=count / DEFAULT_FPS,
        has_video=True,
        stored_size=(height, width),
    )


def _natural_key(file: Path) -> tuple[list[tuple[int, int, str]], str]:
    # Numbers sort as numbers and before letters; the plain name settles ties such as "1.png" and "01.png".
    parts = re.split(r"(\d+)", file.name.casefold())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts], file.name
