"""The ffmpeg program as a child process, started with argument lists only; all its messages are read."""

from __future__ import annotations

import functools
import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, cast

from .. import children
from ..errors import DependencyError, MediaError

_ORIGIN = re.compile(r"\[[^\[\]]* @ 0x[0-9a-f]+\] ")
_BLOCK_BYTES = 1 << 20
_LINES_KEPT = 400  # a damaged video gives a message per frame; the first ones name the cause
SILENCE_S = 60.0  # seconds without a byte after which a decoder is ended; a frame takes a fraction of one
SILENT = "nothing came of it for too long"
STALL_S = 600.0  # seconds that an encoder may take no byte; a network disk can be gone for minutes
MAX_PIXELS = 64_000_000  # width x height of a picture or frame; 192 MB once decoded; a phone's 48 megapixels pass
# Kinds of files that hold pictures or sound themselves. None of them is a play list, a script or a device, which would
# open other files by the names in them.
DEMUXERS = (
    *("mov", "mp4", "matroska", "webm", "avi", "mpeg", "mpegts", "mpegvideo", "flv", "asf", "ogg", "mxf", "nut", "ivf"),
    *("h264", "hevc", "m4v", "obu", "mjpeg", "dv", "rm", "yuv4mpegpipe", "gif", "apng", "webp_anim"),
    *("png_pipe", "jpeg_pipe", "bmp_pipe", "tiff_pipe", "webp_pipe", "gif_pipe"),
    *("wav", "w64", "mp3", "aac", "flac", "aiff", "caf", "amr", "ac3", "eac3", "au", "wv", "ape", "tta", "voc", "gsm"),
    *("mpc", "mpc8", "dts", "loas"),
)


@functools.lru_cache(maxsize=1)
def executable() -> str:
    """Path of the ffmpeg program of imageio-ffmpeg, or of the one that IMAGEIO_FFMPEG_EXE names."""
    try:
        import imageio_ffmpeg

        found = Path(imageio_ffmpeg.get_ffmpeg_exe())
        # A name alone is looked for in PATH; a path has to hold for children that run in other folders.
        return str(found.absolute() if found.parent.name else found)
    except (ImportError, RuntimeError) as error:
        raise DependencyError(
            "no ffmpeg program was found",
            cure="Install it with: pip install imageio-ffmpeg (or name one in the variable IMAGEIO_FFMPEG_EXE).",
        ) from error


def address(path: str | Path) -> str:
    """URL of a file for ffmpeg: absolute and with its protocol, so that no name is taken for an option."""
    return f"file:{Path(path).absolute()}"


def input_arguments(path: str | Path) -> list[str]:
    """Arguments that open a file as input: of a known kind, with frames of a limited size, and never by the network."""
    limits = ["-protocol_whitelist", "file,pipe", "-format_whitelist", ",".join(DEMUXERS)]
    # Frames are decoded in whole blocks, a little larger than they are shown; `probe` knows the exact limit.
    return [*limits, "-max_pixels", str(MAX_PIXELS + MAX_PIXELS // 16), "-i", address(path)]


class Child:
    """A running ffmpeg process. Leaving the ``with`` block always ends it, and so does the end of this process.

    Attributes:
        messages: lines of its error output so far, without the addresses of its components.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        level: str = "error",
        feed: bool = False,
        collect: bool = False,
        folder: Path | None = None,
    ) -> None:
        """Start the program.

        Args:
            arguments: arguments after the program's general options.
            level: lowest level of the messages ("error", "info").
            feed: the caller writes to ``stdin``; otherwise it is empty.
            collect: the caller reads ``stdout``; otherwise it is discarded.
            folder: where relative names are looked for; None: the current folder.

        Raises:
            MediaError: if the program does not start.
        """
        command = [executable(), "-hide_banner", "-nostdin", "-nostats", "-loglevel", level, *arguments]
        try:
            self._process = children.start(
                command,
                stdin=children.PIPE if feed else children.DEVNULL,
                stdout=children.PIPE if collect else children.DEVNULL,
                memory_bytes=children.MEMORY_BYTES,
                folder=folder,
            )
        except OSError as error:
            cure = "Unset IMAGEIO_FFMPEG_EXE, or let it name an ffmpeg that starts."
            raise MediaError(f"ffmpeg does not start: {error.strerror}", where=command[0], cure=cure) from error
        self.messages: list[str] = []
        self._waits_until: float | None = None
        self._ended = threading.Event()
        self._drain = threading.Thread(target=self._read_messages, daemon=True)
        self._drain.start()
        self._watch = threading.Thread(target=self._end_when_silent, daemon=True)
        self._watch.start()

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

    def wait(self, limit_s: float | None = SILENCE_S) -> int:
        """Wait for the end and return the exit status; ``messages`` are complete then.

        Args:
            limit_s: it is ended after this time; None: never.
        """
        with self.patience(limit_s):
            status = self._process.wait()
        self._process.end()
        self._drain.join()
        self._ended.set()
        self._watch.join()
        return status

    @property
    def ended(self) -> bool:
        """True once the program has ended by itself or was killed."""
        return self._process.poll() is not None

    @contextmanager
    def patience(self, limit_s: float | None = SILENCE_S) -> Iterator[None]:
        """End the program if the block, which waits for it, takes longer; the first message names it then."""
        self._waits_until = None if limit_s is None else time.monotonic() + limit_s
        try:
            yield
        finally:
            self._waits_until = None

    def read(self, size: int, limit_s: float = SILENCE_S) -> bytes:
        """Read so many bytes of its output, fewer at the end; it is ended when that takes longer than the limit."""
        with self.patience(limit_s):
            return self.stdout.read(size)

    def read_into(self, target: memoryview) -> bool:
        """Fill a block of bytes from its output; False at the end. It is ended when that takes more than a minute."""
        with self.patience():
            return cast(IO[bytes], self.stdout).readinto(target) == len(target)  # type: ignore[attr-defined]

    def lines(self) -> Iterator[str]:
        """Lines of its output; it is ended when one takes more than a minute."""
        while True:
            with self.patience():
                line = self.stdout.readline()
            if not line:
                return
            yield line.decode("ascii", "replace")

    def write(self, data: memoryview) -> None:
        """Write to its input; it is ended when it takes nothing for ten minutes."""
        with self.patience(STALL_S):
            self.stdin.write(data)

    def kill(self) -> None:
        """End the program if it still runs, and close the pipes."""
        self._process.end()
        self.wait(None)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                _close(pipe)

    def first_message(self) -> str:
        """First message, which usually names the cause; a fixed sentence if there is none."""
        return self.messages[0] if self.messages else "ffmpeg gave no reason"

    def _end_when_silent(self) -> None:
        while not self._ended.wait(1.0):
            until = self._waits_until
            if until is not None and time.monotonic() > until:
                self.messages.insert(0, SILENT)
                self._process.end()
                return

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


def output_of(
    arguments: Sequence[str], *, level: str = "error", limit_s: float = STALL_S, folder: Path | None = None
) -> tuple[int, bytes, list[str]]:
    """Run ffmpeg to its end; returns exit status, standard output (which must fit into memory) and messages.

    Args:
        arguments: arguments after the program's general options.
        level: lowest level of the messages.
        limit_s: seconds without output after which it is ended.
        folder: where relative names are looked for; None: the current folder.
    """
    with Child(arguments, level=level, collect=True, folder=folder) as child:
        data = b"".join(iter(lambda: child.read(_BLOCK_BYTES, limit_s), b""))
        status = child.wait()
        return status, data, child.messages
