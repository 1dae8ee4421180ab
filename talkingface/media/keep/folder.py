"""The hidden folder beside a result in which a run keeps what it has finished of it."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from filelock import FileLock, Timeout

from ...errors import MediaError
from ...part_files import owner, remove

PREFIX = ".work-"
COMMIT_S = 30.0  # seconds of work after which a run that is killed goes on instead of beginning anew
FORGOTTEN_S = 30 * 24 * 3600  # seconds after which work that nobody went on with is removed
_LOCK, _KEPT, _FACTS = "lock", "kept", "facts.json"


class WorkFolder:
    """Folder of one run for one result, locked while the run uses it. Leaving the ``with`` block lets go of it.

    It is named after the result and the run, so that the same run finds it again and no other uses it. It stays behind
    an error or a kill once `commit` was called, and goes otherwise.

    Attributes:
        path: the folder.
        target: the result.
        commit_s: seconds of work after which it is worth staying.
        committed: whether it stays behind a kill.
    """

    def __init__(
        self, target: Path, key: str, facts: Mapping[str, Any], *, commit_s: float = COMMIT_S, restart: bool = False
    ) -> None:
        """Open the folder, with what an earlier run kept in it.

        Args:
            target: the result.
            key: digest of everything that the user decided about the run.
            facts: what else decides the frames, as JSON can say it; where they differ, what was kept is dropped.
            restart: drop what was kept in any case.

        Raises:
            MediaError: the folder cannot be made.
        """
        self.target, self.commit_s = target.absolute(), commit_s
        self._began = time.monotonic()
        try:
            self.path, self._lock = self._opened(key)
            remove_forgotten(self.target.parent)
            if restart or _read(self.path) != dict(facts):
                self._clear()
                (self.path / _FACTS).write_text(json.dumps(dict(facts)), encoding="utf-8")
            self.committed = (self.path / _KEPT).exists()
        except OSError as error:
            what = f"cannot be written ({error.strerror or error})"
            raise MediaError(what, where=self.target, cure="Check the folder, its rights and space.") from error

    def __enter__(self) -> WorkFolder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def commit(self) -> None:
        """Let the folder stay from now on, if there was work enough."""
        if not self.committed and time.monotonic() - self._began >= self.commit_s:
            (self.path / _KEPT).touch()
            self.committed = True

    def part(self, name: str) -> Path:
        """Folder for one of the streams of frames of the run."""
        path = self.path / name
        path.mkdir(exist_ok=True)
        return path

    def finish(self) -> None:
        """Remove the folder, and those of other runs with the same result, which it has replaced."""
        self.committed = False
        self.close()
        for folder in folders_for(self.target):
            _remove_unused(folder)

    def close(self) -> None:
        """Let go of the folder; it is removed unless it is committed."""
        if not self._lock.is_locked:
            return
        if not self.committed:
            remove(self.path)
        self._lock.release()

    def _opened(self, key: str) -> tuple[Path, FileLock]:
        usual = _place(self.target, key)
        # The second name is for a run that is the same as one that goes on right now.
        for path in (usual, usual, usual.with_name(f"{usual.name}-{owner()}-{id(self):x}")):
            lock = _locked(path)
            if lock is not None:
                return path, lock
        raise MediaError("is written by another run", where=self.target, cure="Wait for it, or name another --output.")

    def _clear(self) -> None:
        for entry in self.path.iterdir():
            if entry.name != _LOCK:
                remove(entry)


def folders_for(target: Path) -> list[Path]:
    """Folders in which runs keep what they have finished of a result."""
    return [path for path in _folders(target.absolute().parent) if path.name.startswith(_stem(target))]


def kept_for(target: Path, key: str) -> bool | None:
    """True if the run of this key has kept something of a result, False if another one has; None: nobody has."""
    kept = [path for path in folders_for(target) if (path / _KEPT).exists()]
    return _place(target, key) in kept if kept else None


def remove_forgotten(folder: Path) -> None:
    """Remove from a folder what killed runs left without having committed it, and what is a month old."""
    for path in _folders(folder):
        try:
            committed_s = (path / _KEPT).stat().st_mtime
        except OSError:
            committed_s = 0.0
        if time.time() - committed_s > FORGOTTEN_S:
            _remove_unused(path)


def _stem(target: Path) -> str:
    # Not the name of the result, which may already be as long as a name can be.
    return f"{PREFIX}{hashlib.sha256(os.fsencode(target.name)).hexdigest()[:12]}-"


def _place(target: Path, key: str) -> Path:
    return target.absolute().parent / f"{_stem(target)}{key[:16]}"


def _folders(folder: Path) -> Iterator[Path]:
    with suppress(OSError):
        yield from (path for path in folder.iterdir() if path.name.startswith(PREFIX) and path.is_dir())


def _locked(path: Path) -> FileLock | None:
    """Make a folder and lock it; None where another run has it, has just removed it, or where it is not our own."""
    try:
        path.mkdir(parents=True)
    except FileExistsError:
        if not _is_own(path):
            return None
    lock = FileLock(path / _LOCK, timeout=0, thread_local=False)
    try:
        lock.acquire()
    except (Timeout, FileNotFoundError):
        return None
    if (path / _LOCK).exists():
        return lock
    lock.release()
    return None


def _is_own(path: Path) -> bool:
    """True for a folder of this user, false for a link, which could lead to files that are not ours to remove."""
    try:
        facts = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(facts.st_mode) and facts.st_uid == (os.geteuid() if hasattr(os, "geteuid") else 0)


def _remove_unused(path: Path) -> None:
    with suppress(OSError):
        lock = _locked(path)
        if lock is not None:
            remove(path)
            lock.release()


def _read(path: Path) -> dict[str, Any] | None:
    """Facts of a folder; None where there are none, or where they are damaged."""
    try:
        facts = json.loads((path / _FACTS).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return facts if isinstance(facts, dict) else None
