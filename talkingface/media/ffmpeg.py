"""The ffmpeg program as a child process, started with argument lists only; all its messages are read."""

from __future__ import annotations

import functools
import re
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, cast

from ..errors import DependencyError, MediaError

_ORIGIN = re.compile(r"\[[^\[\]]* @ 0x[0-9a-f]+\] ")
_LINES_KEPT = 400  # a damaged video gives a message per frame; the first ones tell the cause


@functools.lru_cache(maxsize=1)
def executable() -> str:
    """Path of the ffmpeg program of imageio-ffmpeg, or of the one that IMAGEIO_FFMPEG_EXE names."""
    try:
        import imageio_ffmpeg

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError) as error:
        raise DependencyError(
            "no ffmpeg program was found",
            cure="Install it with: pip install imageio-ffmpeg (or name one in the variable IMAGEIO_FFMPEG_EXE).",
        ) from error


def address(path: str | Path) -> str:
    """URL of a file for ffmpeg: absolute and with its protocol, so that no name is taken for an option."""
    return f"file:{Path(path).absolute()}"


def input_arguments(path: str | Path) -> list[str]:
    """Arguments that open a file as input; playlists found inside it cannot reach the network."""
    return ["-protocol_whitelist", "file,pipe", "-i", address(path)]


class Child:
    """A running ffmpeg process. Leaving the ``with`` block always ends it.

    Attributes:
        messages: lines of its error output so far, without the addresses of its components.
    """

    def __init__(
        self, arguments: Sequence[str], *, level: str = "error", feed: bool = False, collect: bool = False
    ) -> None:
        """Start the program.

        Args:
            arguments: arguments after the program's general options.
            level: lowest level of the messages ("error", "info").
            feed: the caller writes to ``stdin``; otherwise it is empty.
            collect: the caller reads ``stdout``; otherwise it is discarded.

        Raises:
            MediaError: if the program does not start.
        """
        command = [executable(), "-hide_banner", "-nostdin", "-nostats", "-loglevel", level, *arguments]
        try:
            # Own session: Ctrl-C on the terminal reaches only this process, which then ends the child in order.
            self._process = subprocess.Popen(  # noqa: S603
                command,
                stdin=subprocess.PIPE if feed else subprocess.DEVNULL,
                stdout=subprocess.PIPE if collect else subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            cure = "Unset IMAGEIO_FFMPEG_EXE, or let it name an ffmpeg that starts."
            raise MediaError(f"ffmpeg does not start: {error.strerror}", where=command[0], cure=cure) from error
        self.messages: list[str] = []
        self._drain = threading.Thread(target=self._read_messages, daemon=True)
        self._drain.start()

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    @property
    def stdin(self) -> IO[bytes]:
        """Pipe into the program; open only with ``feed``."""
        return cast(IO[bytes], self._process.stdin)

    @property
    def stdout(self) -> IO[bytes]:
        """Pipe out of the program; open only with ``collect``."""
        return cast(IO[bytes], self._process.stdout)

    def wait(self) -> int:
        """Wait for the end and return the exit status; ``messages`` are complete then."""
        status = self._process.wait()
        self._drain.join()
        return status

    def kill(self) -> None:
        """End the program if it still runs, and close the pipes."""
        if self._process.poll() is None:
            self._process.kill()
        self.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                _close(pipe)

    def first_message(self) -> str:
        """First message, which usually names the cause; a fixed sentence if there is none."""
        return self.messages[0] if self.messages else "ffmpeg gave no reason"

    def _read_messages(self) -> None:
        # Read to the end even when nothing more is kept: a full pipe would stop the program for ever.
        with cast(IO[bytes], self._process.stderr) as stream:
            for line in stream:
                text = _ORIGIN.sub("", line.decode("utf-8", "replace")).strip()
                if text and len(self.messages) < _LINES_KEPT:
                    self.messages.append(text)


def _close(pipe: IO[bytes]) -> None:
    try:
        pipe.close()
    except BrokenPipeError:
        # Data was still buffered for a child that has ended; its exit status has been checked already.
        return


def output_of(arguments: Sequence[str], *, level: str = "error") -> tuple[int, bytes, list[str]]:
    """Run ffmpeg to its end; returns exit status, standard output (which must fit into memory) and messages."""
    with Child(arguments, level=level, collect=True) as child:
        data = child.stdout.read()
        status = child.wait()
        return status, data, child.messages
