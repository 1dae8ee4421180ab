"""Text of a file, in UTF-8 and of a limited size."""

from __future__ import annotations

import stat
from pathlib import Path

from ..errors import TalkingFaceError

LARGEST = 256 * 2**20  # bytes; a list of millions of clips


def read_text(path: Path, error: type[TalkingFaceError], *, largest: int = LARGEST, cure: str | None = None) -> str:
    """Text of a file, without the mark that some programs write before UTF-8.

    Args:
        error: raised for everything that is wrong with the file.
        largest: bytes that it may have.
        cure: sentence for the message; None takes one that fits the fault.

    Raises:
        TalkingFaceError: ``error``, if the file is absent, no regular file (a pipe would be waited for, a device may
            never end), too large, or no text in UTF-8, naming the line.
    """
    try:
        state = path.stat()
        if stat.S_ISDIR(state.st_mode):
            raise error("is a folder, not a file", where=path, cure=cure)
        if not stat.S_ISREG(state.st_mode):
            raise error("is no regular file", where=path, cure=cure or "Copy its content to a file.")
        if state.st_size > largest:
            raise error(f"has {state.st_size} bytes; at most {largest} are read", where=path, cure=cure)
        data = path.read_bytes()
    except FileNotFoundError:
        raise error("no such file", where=path, cure=cure) from None
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or problem
        raise error(f"cannot be read ({reason})", where=path, cure=cure) from None
    return _decoded(data, path, error, cure)


def _decoded(data: bytes, path: Path, error: type[TalkingFaceError], cure: str | None) -> str:
    try:
        text = data.decode("utf-8-sig")
        place = data.find(b"\0")
    except UnicodeDecodeError as problem:
        text, place = "", problem.start
    if place < 0:
        return text
    line = data.count(b"\n", 0, place) + 1
    what = f"is not a text file in UTF-8 (byte 0x{data[place]:02x})"
    raise error(what, where=f"{path}, line {line}", cure=cure or "Save it as UTF-8, or fetch it again.")
