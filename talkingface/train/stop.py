"""Leaves the loop in an orderly way on Ctrl-C, SIGTERM, or when the time is up."""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType, TracebackType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """Within this context the first Ctrl-C or SIGTERM is remembered; the second one acts as usual.

    Args:
        max_seconds: asks for a stop after this time too; None: never.
    """

    def __init__(self, max_seconds: float | None = None) -> None:
        self._reason = ""
        self._end = None if max_seconds is None else time.monotonic() + max_seconds
        self._before: dict[int, Any] = {}

    @property
    def reason(self) -> str:
        """Why to stop, for example ``"SIGTERM"`` or ``"time is up"``; empty to go on."""
        if not self._reason and self._end is not None and time.monotonic() >= self._end:
            self._reason = "time is up"
        return self._reason

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._remember) for number in _SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()

    def _remember(self, number: int, frame: FrameType | None) -> None:
        self._reason = signal.Signals(number).name
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}
