"""The ffmpeg program as a child process: argument lists only, nothing typed to it, everything it says read."""

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
_LINES_KEPT = 400  # a damaged hour of video complains once per frame; the first complaints tell the cause


@functools.lru_cache(maxsize=1)
def executable() -> str:
    """Path of the ffmpeg program that imageio-ffmpeg brings (or that IMAGEIO_FFMPEG_EXE names)."""
    try:
        import imageio_ffmpeg

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError) as error:
        raise DependencyError(
            "no ffmpeg program was found",
            cure="Install it with: pip install imageio-ffmpeg (or name one in the variable IMAGEIO_FFMPEG_EXE).",
        ) from error


def address(path: str | Path) -> str:
    """How ffmpeg is told of a file: absolute and with its protocol, so that no name is taken for an option or a URL."""
    return f"file:{Path(path).absolute()}"


def input_arguments(path: str | Path) -> list[str]:
    """Arguments that open a file as input; playlists found inside it cannot reach the network."""
    return ["-protocol_whitelist", "file,pipe", "-i", address(path)]


class Child:
    """A running ffmpeg. Leaving the ``with`` block ends it, whatever happened.

    Attributes:
        messages: what it wrote to its error output so far, a line each, without the addresses of its parts.
    """

    def __init__(
        self, arguments: Sequence[str], *, level: str = "error", feed: bool = False, collect: bool = False
    ) -> None:
        """Start the program.

        Args:
            arguments: everything after the program's own general options.
            level: which messages are wanted ("error", "info").
            feed: whether the caller writes to ``stdin``; otherwise the program has nothing to read.
            collect: whether the caller reads ``stdout``; otherwise it is thrown away.

        Raises:
            MediaError: if the program does not start.
        """
        command = [executable(), "-hide_banner", "-nostdin", "-nostats", "-loglevel", level, *arguments]
        try:
            # Own session: Ctrl-C on the terminal reaches us alone, and we decide what becomes of the child.
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
        """The pipe into the program; open only with ``feed``."""
        return cast(IO[bytes], self._process.stdin)

    @property
    def stdout(self) -> IO[bytes]:
        """The pipe out of the program; open only with ``collect``."""
        return cast(IO[bytes], self._process.stdout)

    def wait(self) -> int:
        """Wait for the end; returns the exit status, with ``messages`` complete."""
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

    def complaint(self) -> str:
        """The first message, which in practice names the cause; a fixed sentence where there is none."""
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
        # What was still buffered for a dead child; its exit status has already been looked at.
        return


def output_of(arguments: Sequence[str], *, level: str = "error") -> tuple[int, bytes, list[str]]:
    """Run ffmpeg to its end; returns exit status, standard output (whole, so keep it small) and messages."""
    with Child(arguments, level=level, collect=True) as child:
        data = child.stdout.read()
        status = child.wait()
        return status, data, child.messages
