"""Servers that keep a connection alive and bring nothing on are given up, in their response's head and in its body."""

from __future__ import annotations

import http.client
import socket
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

HEAD = 4
"""Times the limit of silence within which the head of a response has to be there, all redirects included."""
LEAST_BYTES = 1024
"""Bytes that a body has to bring within the limit of silence, and an attempt to count as one that brought some."""


class StalledError(Exception):
    """The server brings too little to wait for it."""


class Pace:
    """Measures what a body brings."""

    def __init__(self, limit_s: float) -> None:
        """Args: limit_s: time in which less than `LEAST_BYTES` are a stall."""
        self._limit_s, self._began, self._bytes = limit_s, time.monotonic(), 0

    def came(self, count: int) -> None:
        """Count bytes that came.

        Raises:
            StalledError: they come too slowly.
        """
        self._bytes += count
        if time.monotonic() - self._began < self._limit_s:
            return
        if self._bytes < LEAST_BYTES:
            raise StalledError(f"stalled: {self._bytes} bytes in {self._limit_s:g} s")
        self._began, self._bytes = time.monotonic(), 0


class HeadLimit:
    """Ends the connections of an opener whose responses do not begin in time."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._connections: list[http.client.HTTPConnection] = []
        self._over = threading.Event()

    def handlers(self) -> tuple[urllib.request.BaseHandler, ...]:
        """Handlers for an opener, in the place of its own."""
        kept = self._connections

        class _Kept(urllib.request.AbstractHTTPHandler):
            def do_open(self, http_class: Any, req: Any, **how: Any) -> Any:
                def connection(host: str, **more: Any) -> http.client.HTTPConnection:
                    made: http.client.HTTPConnection = http_class(host, **more)
                    kept.append(made)
                    return made

                return super().do_open(connection, req, **how)  # type: ignore[arg-type]

        return type("_HTTP", (_Kept, urllib.request.HTTPHandler), {})(), type(
            "_HTTPS", (_Kept, urllib.request.HTTPSHandler), {}
        )()

    @contextmanager
    def watch(self) -> Iterator[None]:
        """End the connections if the block takes too long.

        Raises:
            StalledError: it did.
        """
        timer = threading.Timer(self._limit_s, self._end)
        timer.daemon = True
        timer.start()
        try:
            yield
        except (OSError, http.client.HTTPException):
            if not self._over.is_set():
                raise
        finally:
            timer.cancel()
        if self._over.is_set():  # a head that is cut off may pass for a whole one
            raise StalledError(f"no response in {self._limit_s:g} s")

    def _end(self) -> None:
        self._over.set()
        for connection in self._connections:
            plain: Any = connection.sock
            if plain is not None:
                with suppress(OSError):  # it has ended by itself
                    socket.socket.shutdown(plain, socket.SHUT_RDWR)  # not that of TLS, which another thread is in
