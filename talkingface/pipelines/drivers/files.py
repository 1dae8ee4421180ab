"""Kinds of driving files, by their names and without decoding them."""

from __future__ import annotations

from pathlib import Path

from ...errors import MediaError

MOTION_ENDINGS = (".motion", ".npy")


def has_frames(path: Path) -> bool:
    """True where a driving file has frames to look at, and is no motion file."""
    return path.suffix.lower() not in MOTION_ENDINGS or path.is_dir()


def check_there(path: Path, where: str) -> None:
    """Refuse a file that does not exist.

    Raises:
        MediaError: names the flag ``where``.
    """
    if not path.exists():
        raise MediaError("no such file or folder", where=where)
