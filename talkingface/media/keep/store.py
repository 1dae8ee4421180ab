"""Finished pieces of a stream of frames, and the frames of the piece that is being made, in a folder."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import numpy as np

from ...errors import PathError
from ...paths import inside
from ..image import Picture

_JOURNAL, _HEAD = "pieces.txt", "frames.json"
_PROBED = 16  # frames after which it is known how long a piece takes
_SPARE = 4  # of the free space, frames of the open piece may take one part in so many
_BLOCK = 1 << 20


class Store:
    """Pieces and frames of one stream in a folder of its own.

    The pieces are files that somebody else writes; a piece counts once it is in the journal with its size and checksum.
    Frames of the piece that is not finished lie raw in a file, each there as soon as it is written, so that they can be
    given to the encoder again. Where a piece takes less time than `commit_s`, they are not worth it and are dropped.

    Attributes:
        path: the folder.
        total: frames of the whole stream.
        segment: frames of a piece; the last one may have fewer.
        done: frames that an earlier run left here.
    """

    def __init__(self, path: Path, total: int, segment: int, *, commit_s: float) -> None:
        self.path, self.total, self.segment = path, total, segment
        self._commit_s = commit_s
        self._spool: IO[bytes] | None = None
        self._began, self._kept = time.monotonic(), 0
        self._head = _read_head(path / _HEAD)
        self.pieces = self._read_journal()
        self.done = min(self.pieces * segment, total) + self._spooled()
        for file in path.glob("*.raw"):
            if int(file.stem) > self.done // segment:  # behind a gap
                file.unlink()

    @property
    def shape(self) -> tuple[int, ...] | None:
        """Shape of the frames; None before the first one."""
        return None if self._head is None else tuple(self._head["shape"])

    def begins_with(self, first: Picture) -> bool:
        """True if the stream's first frame is this one, (H, W, 3) or (H, W, 4), uint8, bit for bit."""
        return self._head == _head_of(first)

    def reset(self) -> None:
        """Forget everything."""
        self.close()
        for entry in self.path.iterdir():
            entry.unlink()
        self._head, self.pieces, self.done = None, 0, 0

    def piece(self, number: int, ending: str) -> Path:
        """File of a piece."""
        return self.path / f"{number:06d}{ending}"

    def length(self, number: int) -> int:
        """Frames of a piece."""
        return min(self.segment, self.total - number * self.segment)

    def add_piece(self, number: int, file: Path) -> None:
        """Enter a finished piece into the journal; its frames are no longer needed."""
        with (self.path / _JOURNAL).open("a", encoding="ascii") as journal:
            journal.write(f"{file.name} {file.stat().st_size} {_checksum(file)}\n")
        self.pieces = number + 1
        self._raw(number).unlink(missing_ok=True)

    def begin_piece(self, number: int, shape: tuple[int, ...]) -> Iterator[Picture]:
        """Begin to keep the frames of a piece; gives those that an earlier run left.

        Args:
            number: of the piece.
            shape: (H, W, 3) or (H, W, 4), of all frames.

        Yields:
            Frames of that shape, uint8.
        """
        self._began, self._kept = time.monotonic(), 0
        file, size = self._raw(number), math.prod(shape)
        whole = file.stat().st_size // size if file.exists() else 0
        if not whole and size * self.length(number) > shutil.disk_usage(self.path).free // _SPARE:
            return
        self._spool = file.open("ab", buffering=0)
        self._spool.truncate(whole * size)
        with file.open("rb") as frames:
            for _ in range(min(whole, self.length(number))):
                yield np.frombuffer(frames.read(size), np.uint8).reshape(shape)

    def keep(self, frame: Picture, number: int) -> None:
        """Keep a frame of the piece that is being made.

        Args:
            frame: (H, W, 3) or (H, W, 4), uint8.
            number: of the piece.

        Raises:
            OSError: there is no space.
        """
        if self._head is None:
            self._head = _head_of(frame)
            (self.path / _HEAD).write_text(json.dumps(self._head), encoding="ascii")
        if self._spool is None:
            return
        rest = frame.data.cast("B")
        while rest:  # a write may stop half-way where space is short
            rest = rest[self._spool.write(rest) :]
        self._kept += 1
        if self._kept == _PROBED and (time.monotonic() - self._began) / _PROBED * self.length(number) < self._commit_s:
            self.end_piece()
            self._raw(number).unlink(missing_ok=True)

    @property
    def keeps(self) -> bool:
        """True where a run that is killed now finds something here."""
        return self.pieces > 0 or self._spool is not None

    def end_piece(self) -> None:
        """Keep no more frames until another piece begins."""
        if self._spool is not None:
            self._spool.close()
            self._spool = None

    close = end_piece

    def _raw(self, number: int) -> Path:
        return self.path / f"{number:06d}.raw"

    def _spooled(self) -> int:
        """Whole frames of the pieces that were not finished."""
        count, number = 0, self.pieces
        with suppress(OSError):
            while self.shape is not None and number * self.segment < self.total:
                whole = self._raw(number).stat().st_size // math.prod(self.shape)
                count += min(whole, self.length(number))
                if whole < self.length(number):
                    break
                number += 1
        return count

    def _read_journal(self) -> int:
        """Pieces that are there as they were written, up to the first that is not."""
        try:
            lines = (self.path / _JOURNAL).read_text(encoding="ascii", errors="replace").splitlines()
        except OSError:
            return 0
        whole = 0
        for number, line in enumerate(lines[: -(-self.total // self.segment)]):
            if self._head is None or not self._is_whole(number, line.split()):
                break
            whole += 1
        with (self.path / _JOURNAL).open("w", encoding="ascii") as journal:
            journal.writelines(f"{line}\n" for line in lines[:whole])
        return whole

    def _is_whole(self, number: int, words: list[str]) -> bool:
        """Is the file of a line of the journal as it says?"""
        if len(words) != 3 or not words[0].startswith(f"{number:06d}."):
            return False
        try:
            file = inside(self.path, words[0])
        except PathError:
            return False
        return file.is_file() and words[1:] == [str(file.stat().st_size), _checksum(file)]


def _head_of(first: Picture) -> dict[str, Any]:
    return {"shape": list(first.shape), "first": hashlib.sha256(np.ascontiguousarray(first).data).hexdigest()}


def _read_head(path: Path) -> dict[str, Any] | None:
    try:
        head = json.loads(path.read_text(encoding="ascii"))
        shape = [int(side) for side in head["shape"]]
        usable = len(shape) == 3 and min(shape) > 0 and isinstance(head["first"], str)
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
    return {"shape": shape, "first": head["first"]} if usable else None


def _checksum(file: Path) -> str:
    found = 0
    with file.open("rb") as stream:
        while block := stream.read(_BLOCK):
            found = zlib.crc32(block, found)
    return f"{found:08x}"
