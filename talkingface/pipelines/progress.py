"""Progress of a long step: a bar on a terminal, plain lines in a log, nothing when used as a library."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
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

    @contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """Say what is being done while the block takes longer than two seconds.

        Args:
            what: for example ``"me.png: looking at it"``.
        """
        yield


SILENT = Progress()


FIRST_S, EVERY_S = 2.0, 10.0  # seconds until a slow step is reported, and from line to line


class VisibleProgress(Progress):
    """Progress that is shown: the parts that bars and lines share."""

    @contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        done = Event()
        reporter = Thread(target=self._report, args=(what, done), daemon=True)
        reporter.start()
        try:
            yield
        finally:
            done.set()
            reporter.join()

    def _report(self, what: str, done: Event) -> None:
        start, pause = time.monotonic(), FIRST_S
        while not done.wait(pause):
            self.note(f"{what} ... {time.monotonic() - start:.0f} s")
            pause = EVERY_S


class Bar(VisibleProgress):
    """A bar with the time left, for a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def note(self, line: str) -> None:
        tqdm.write(line, file=self._stream)

    def track(self, items: Iterable[Item], step: str, total: int | None = None) -> Iterator[Item]:
        yield from tqdm(items, desc=step, total=total, unit="frame", file=self._stream, dynamic_ncols=True)


class Lines(VisibleProgress):
    """A line every few seconds, for logs, where a bar would fill pages with control characters."""

    def __init__(self, stream: TextIO, every_s: float = EVERY_S) -> None:
        self._stream, self._every_s = stream, every_s

    def note(self, line: str) -> None:
        print(line, file=self._stream, flush=True)

    def track(self, items: Iterable[Item], step: str, total: int | None = None) -> Iterator[Item]:
        start = noted = time.monotonic()
        count, pause = 0, min(FIRST_S, self._every_s)
        for item in items:
            yield item
            count += 1
            now = time.monotonic()
            if now - noted >= pause:
                noted, pause = now, self._every_s
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
    speed = f"{rate:.1f} frames/s" if rate >= 1 or not count else f"{1 / rate:.1f} s/frame"
    return f"{step}: {count}{whole} frames, {speed}{left}"
