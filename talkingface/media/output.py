"""Output of results: a partial file or folder beside the target, renamed when it is complete."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from contextlib import suppress
from pathlib import Path

from ..errors import MediaError
from ..plugins import FORMATS
from .formats import Format

FRAME_NAME = "{:06d}.png"
_OWN_FRAME = re.compile(r"\d{6,}\.png")


def output_format(output: str | Path) -> Format | None:
    """Format of an output by its ending; None for a folder of png.

    A folder has no ending, or a trailing slash, or exists already.

    Raises:
        MediaError: if the ending is none that can be written.
    """
    path = Path(output)
    if str(output).endswith(("/", os.sep)) or not path.suffix or (path.is_dir() and not path.is_symlink()):
        return None
    if not is_format(path):
        cure = f"Use {', '.join(endings())}, or a name without ending (or with a final '/') for a folder of png."
        raise MediaError(f"unknown ending '{path.suffix}' of the output", where=path, cure=cure)
    return FORMATS.get(path.suffix.lower()[1:], where=path)


def is_format(path: Path) -> bool:
    """True if the ending is that of a format, which holds several frames in one file."""
    return path.suffix.lower() in endings()


def endings() -> list[str]:
    """The endings of all formats, with their dots."""
    return [f".{name}" for name in FORMATS.names()]


def check_output(output: Path) -> None:
    """Refuse an output that could not be written later.

    Raises:
        MediaError: if the ending is unknown or the target cannot be made.
        DependencyError: if the ffmpeg lacks an encoder.
    """
    target = output_format(output)
    if target is not None:
        target.check(output)
    missing = [folder for folder in output.absolute().parents if not folder.exists()]
    PartialOutput(output, folder=target is None).discard()
    for folder in missing:  # so that a run that is refused later leaves nothing behind
        with suppress(OSError):  # another run has begun to write there
            folder.rmdir()


class PartialOutput:
    """A target and the unfinished file or folder beside it, on the same disk, so that the final rename is atomic.

    Attributes:
        target: what the user asked for.
        path: what is being written.
    """

    def __init__(self, target: Path, *, folder: bool) -> None:
        """Make the target's folder, and make sure now that it can be written to.

        Raises:
            MediaError: if the target cannot be made, or is a folder that holds anything but our own frames.
        """
        self.target = target.absolute()
        # Not named after the target, whose name may already be as long as a name can be.
        ending = "" if folder else self.target.suffix.lower()
        self.path = self.target.parent / f".part-{secrets.token_hex(6)}{ending}"
        if folder:
            self._check_folder()
        try:
            self.target.parent.mkdir(parents=True, exist_ok=True)
            if folder:
                self.path.mkdir()
            else:
                self.path.touch()
        except OSError as error:
            raise _cannot_write(self.target, error) from error

    def _check_folder(self) -> None:
        if self.target.exists() and not self.target.is_dir():
            raise MediaError("exists and is a file, not a folder", where=self.target, cure="Choose another name.")
        others = [f.name for f in self.target.iterdir() if not _ours(f)] if self.target.is_dir() else []
        if others:
            raise MediaError(
                f"the folder holds other things than frames ('{min(others)}') and is not replaced",
                where=self.target,
                cure="Name a new folder, for example one inside it, or a file ending in .mp4.",
            )

    def finish(self) -> Path:
        """Put the finished part in the target's place; returns the target."""
        try:
            if self.path.is_dir() and self.target.is_dir():
                self._swap_folders()
            else:
                self.path.replace(self.target)
        except OSError as error:
            self.discard()
            raise _cannot_write(self.target, error) from error
        return self.target

    def _swap_folders(self) -> None:
        old = self.path.with_name(f"{self.path.name}-old")
        self.target.replace(old)
        self.path.replace(self.target)
        shutil.rmtree(old)

    def discard(self) -> None:
        """Remove the part; the target stays as it was."""
        if self.path.is_dir():
            shutil.rmtree(self.path, ignore_errors=True)
        else:
            self.path.unlink(missing_ok=True)


def _ours(file: Path) -> bool:
    return file.is_file() and _OWN_FRAME.fullmatch(file.name) is not None


def _cannot_write(target: Path, error: OSError) -> MediaError:
    return MediaError(
        f"cannot be written ({error.strerror or error})", where=target, cure="Check the folder, its rights and space."
    )
