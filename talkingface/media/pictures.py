"""A single picture, or a folder of numbered pictures, treated as a video."""

from __future__ import annotations

import re
from pathlib import Path

from ..errors import MediaError
from .content import content_of
from .frame_rate import DEFAULT_FPS
from .image import PICTURE_ENDINGS
from .probe import MediaInfo

_READ_ONLY = (".jfif", ".jpe", ".avif")  # endings of pictures that are read, but not written


def is_pictures(path: str | Path) -> bool:
    """True if this is a folder or a still picture, see `is_picture`; of a missing file the ending decides."""
    path = Path(path)
    return path.is_dir() or _is_still(path)


def is_picture(path: Path) -> bool:
    """True if a file is a still picture, whatever its ending (a gif counts as a video, and so do animations).

    Where the content says nothing (a damaged file), the ending does.
    """
    return path.is_file() and _is_still(path)


def _is_still(path: Path) -> bool:
    content = content_of(path)
    return content == "still" if content else path.suffix.lower() in (*PICTURE_ENDINGS, *_READ_ONLY)


def picture_files(path: str | Path) -> list[Path]:
    """List the pictures of a folder in natural order (2 before 10), or return the one picture given.

    Hidden files are left out, as some systems store hidden copies of every picture.

    Raises:
        MediaError: if the folder holds no picture.
    """
    path = Path(path)
    if not path.is_dir():
        return [path]
    files = [file for file in path.iterdir() if is_pictures(file) and file.is_file() and not file.name.startswith(".")]
    if not files:
        raise MediaError(
            "the folder holds no pictures", where=path, cure=f"Put frames into it ({', '.join(PICTURE_ENDINGS)}, ...)."
        )
    return sorted(files, key=_natural_key)


def describe_pictures(path: str | Path, height: int, width: int) -> MediaInfo:
    """Describe a picture or a folder whose first picture has the given size; the rate is 25 frames/s by default."""
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
