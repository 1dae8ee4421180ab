"""Names of results that runs have reserved, so that two runs into one folder never take the same."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

from filelock import FileLock

from ...errors import MediaError
from ...part_files import PREFIX, is_dead, part_of, remove

_ENDING = ".names"  # of hidden folders that hold an empty file for each reserved name


class ReservedNames:
    """Names that a run has reserved; leaving the ``with`` block gives them back, and so does the end of the process."""

    def __init__(self) -> None:
        self._marks: dict[Path, Path] = {}
        self._own: set[Path] = set()
        self._made: list[Path] = []

    def __enter__(self) -> ReservedNames:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for mark in self._marks.values():
            remove(mark)
        for folder in self._made:
            with suppress(OSError):  # it holds a result
                folder.rmdir()

    def reserve(self, folder: Path, paths: Iterable[Path], free: Callable[[Path], bool]) -> Path | None:
        """Reserve the first of some paths in a folder that is free and that no running run has reserved.

        The folder is made where it is missing, and removed at the end if it is still empty.

        Args:
            free: whether a path can be used, as far as there are no other runs.

        Returns:
            None: there is no such path.

        Raises:
            MediaError: the folder cannot be written to.
        """
        try:
            missing = [parent for parent in (folder.absolute(), *folder.absolute().parents) if not parent.exists()]
            folder.mkdir(parents=True, exist_ok=True)
            self._made += missing
            with _alone_in(folder):
                taken = self._names_of_others(folder)
                for path in paths:
                    if path.name not in taken and path not in self._own and free(path):
                        self._mark(folder, path)
                        return path
        except OSError as error:
            what = f"cannot be written ({error.strerror or error})"
            raise MediaError(what, where=folder, cure="Check the folder, its rights and space.") from error
        return None

    def _mark(self, folder: Path, path: Path) -> None:
        if folder not in self._marks:
            self._marks[folder] = part_of(folder / f"names{_ENDING}")
            self._marks[folder].mkdir()
        (self._marks[folder] / path.name).touch()
        self._own.add(path)

    def _names_of_others(self, folder: Path) -> set[str]:
        own = self._marks.get(folder)
        marks = (entry for entry in folder.iterdir() if entry.name.startswith(PREFIX) and entry.suffix == _ENDING)
        return {entry.name for mark in marks if mark != own and not is_dead(mark) for entry in _entries(mark)}


def _entries(mark: Path) -> list[Path]:
    with suppress(FileNotFoundError):  # its run has just ended
        return list(mark.iterdir())
    return []


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Keep other threads and processes out of the block, for the same folder."""
    handle = os.open(folder, os.O_RDONLY) if os.name == "posix" else None
    try:
        if handle is None or not _locked(handle):
            name = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:16]
            with FileLock(Path(tempfile.gettempdir()) / f"talkingface-names-{name}.lock", thread_local=False):
                yield
        else:
            yield
    finally:
        if handle is not None:
            os.close(handle)


def _locked(handle: int) -> bool:
    """Lock an open folder until it is closed; False where the file system cannot."""
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
    except OSError:
        return False
    return True
