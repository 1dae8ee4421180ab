"""A command's surroundings: standard streams that may go away, and signals that ask it to stop."""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, TextIO, cast


class LastingStream(io.TextIOBase):
    """A standard stream whose loss stops nothing: what can no longer be written is dropped.

    A log's reader may leave, as in ``2>&1 | head``, a disk may be full, a terminal may be closed; a result that takes
    an hour must not be lost to that.

    Attributes:
        lost: why nothing more is written; None as long as it is.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.lost: OSError | None = None

    def write(self, text: str) -> int:
        self._attempt(lambda: self._stream.write(self._encodable(text)))
        return len(text)

    def flush(self) -> None:
        self._attempt(self._stream.flush)

    def isatty(self) -> bool:
        return self.lost is None and self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._stream.encoding or "utf-8"

    def _attempt(self, action: Callable[[], Any]) -> None:
        if self.lost is not None:
            return
        try:
            action()
        except OSError as error:
            self.lost = error
            # What is still in its buffer goes nowhere, so that Python's own flush at the exit does not fail either.
            with suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())

    def _encodable(self, text: str) -> str:
        """Replace what the stream's encoding lacks by its number, such as names of files on an ASCII terminal."""
        return text.encode(self.encoding, "backslashreplace").decode(self.encoding)


@contextmanager
def lasting_streams() -> Iterator[tuple[LastingStream, LastingStream]]:
    """Let standard output and error last through the block, also where they are closed; gives both."""
    for number in range(3):  # or the next file that is opened would get the number, and what others print
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    before = sys.stdout, sys.stderr
    streams = [LastingStream(stream or _nowhere()) for stream in before]
    sys.stdout, sys.stderr = cast(list[TextIO], streams)
    try:
        yield streams[0], streams[1]
    finally:
        for stream in streams:
            stream.flush()
        sys.stdout, sys.stderr = before


def _nowhere() -> TextIO:
    return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123 - as long-lived as the stream it stands for


def full(stream: TextIO | LastingStream) -> bool:
    """True if a stream was lost for another reason than a reader who has seen enough."""
    lost = getattr(stream, "lost", None)
    return lost is not None and lost.errno != errno.EPIPE


class Stopped(KeyboardInterrupt):
    """A signal asked this process to stop; everything is tidied up as after Ctrl-C.

    Args:
        number: of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


STOP_SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


@contextmanager
def stop_in_order() -> Iterator[None]:
    """Let the first SIGTERM or SIGHUP inside the block raise Stopped; later ones do not disturb the tidying up.

    A signal that is ignored (``nohup``) or that the surrounding program handles stays as it is.
    """
    ours = threading.current_thread() is threading.main_thread()
    taken = [number for number in STOP_SIGNALS if ours and signal.getsignal(number) is signal.SIG_DFL]

    def stop(number: int, frame: FrameType | None) -> None:
        for one in taken:
            signal.signal(one, signal.SIG_IGN)
        raise Stopped(number)

    for number in taken:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)


def exit_status(stop: KeyboardInterrupt) -> int:
    """Exit status of a stopped command, as shells give it: 130 for Ctrl-C, 143 for SIGTERM, 129 for SIGHUP."""
    return 128 + (stop.number if isinstance(stop, Stopped) else signal.SIGINT)
