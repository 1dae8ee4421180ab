"""Progress of a long step: a bar on a terminal, plain lines in a log, nothing when used as a library."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TextIO, TypeVar

from tqdm import tqdm

Item = TypeVar("Item")


class Progress:
    """Says nothing: the progress of a library call. The others override what they show."""

    def note(self, line: str) -> None:
        """One line that every user should see, such as the weights in use."""

    def track(self, items: Iterable[Item], step: str, total: int | None = None) -> Iterator[Item]:
        """The same items, counted as they pass.

        Args:
            step: what is being done, for example ``"drive"``.
            total: how many there will be, where known.
        """
        yield from items


SILENT = Progress()


class Bar(Progress):
    """A bar with the time left, for a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def note(self, line: str) -> None:
        tqdm.write(line, file=self._stream)

    def track(self, items: Iterable[Item], step: str, total: int | None = None) -> Iterator[Item]:
        yield from tqdm(items, desc=step, total=total, unit="frame", file=self._stream, dynamic_ncols=True)


class Lines(Progress):
    """A line every few seconds, for logs, where a bar would fill pages with control characters."""

    def __init__(self, stream: TextIO, every_s: float = 10.0) -> None:
        self._stream, self._every_s = stream, every_s

    def note(self, line: str) -> None:
        print(line, file=self._stream, flush=True)

    def track(self, items: Iterable[Item], step: str, total: int | None = None) -> Iterator[Item]:
        start = noted = time.monotonic()
        count = 0
        for item in items:
            yield item
            count += 1
            now = time.monotonic()
            if now - noted >= self._every_s:
                noted = now
                self.note(_line(step, count, total, now - start))
        self.note(_line(step, count, count, time.monotonic() - start))


def progress_for(stream: TextIO | None = None, *, quiet: bool = False) -> Progress:
    """The progress that suits ``stream`` (standard error by default)."""
    stream = sys.stderr if stream is None else stream
    if quiet:
        return SILENT
    return Bar(stream) if stream.isatty() else Lines(stream)


def _line(step: str, count: int, total: int | None, elapsed_s: float) -> str:
    rate = count / elapsed_s if elapsed_s > 0 else 0.0
    whole = f"/{total}" if total else ""
    left = f", {(total - count) / rate:.0f} s left" if total and rate and total > count else ""
    return f"{step}: {count}{whole} frames, {rate:.1f} frames/s{left}"
