"""Unfinished files and folders, named after the process that writes them, so that a later one can tell what is dead.

A part stands beside its target, on the same disk, and takes its place when it is complete. What a killed process left
is removed by the next one that writes to the same folder; parts of running processes are never touched.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import platform
import re
import secrets
import shutil
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = ".part-"
STALE_S = 24 * 3600  # age in seconds at which a part counts as dead where its owner cannot be looked up
_OWNED = re.compile(re.escape(PREFIX) + r"([0-9a-f]{8})-(\d{1,10})-([0-9a-f]{8})-[0-9a-f]{12}")
_LONGEST_ENDING = 16  # characters; longer ones could make the name too long
_SWEEP_EVERY_S = 1.0  # a folder of many thousand files is not listed again for each of them
_swept: dict[Path, float] = {}


def part_of(target: Path) -> Path:
    """Choose a new name beside a target for its unfinished file or folder; nothing is made under it yet.

    What dead processes left in that folder is removed. The name does not hold the target's, which may already be as
    long as a name can be; it keeps the ending.
    """
    folder = target.absolute().parent
    now = time.monotonic()
    if now - _swept.get(folder, -_SWEEP_EVERY_S) >= _SWEEP_EVERY_S:
        _swept[folder] = now
        remove_dead(folder)
    ending = target.suffix.lower() if len(target.suffix) <= _LONGEST_ENDING else ""
    return folder / f"{PREFIX}{owner()}-{secrets.token_hex(6)}{ending}"


def remove_dead(folder: Path) -> list[Path]:
    """Remove the parts in a folder whose process has ended; returns their paths.

    A folder that cannot be listed and a part that cannot be removed are left as they are.
    """
    with suppress(OSError), os.scandir(folder) as entries:
        dead = [Path(entry.path) for entry in entries if entry.name.startswith(PREFIX) and is_dead(Path(entry.path))]
        return [path for path in dead if remove(path)]
    return []


def is_dead(part: Path) -> bool:
    """True if the process that a part is named after has ended.

    Where that cannot be known (another machine or container, an older version of this program), a part is dead when
    nothing in it has changed for a day.
    """
    found = _OWNED.match(part.name)
    if found is not None and found[1] == _machine() and os.name == "posix":
        return not _runs(int(found[2]), found[3])
    return _untouched(part)


def owner() -> str:
    """Name of this process in those of its parts: machine, process id, and a mark of its start.

    The mark tells it from a later process of the same id, also after the machine was started again.
    """
    pid = os.getpid()
    return f"{_machine()}-{pid}-{_mark(pid)}"


@contextmanager
def atomic_file(target: Path, *, durable: bool = False) -> Iterator[Path]:
    """Give the path of a part that replaces the target at the end of the block, or is deleted after an error.

    Args:
        target: the file to write; missing folders are made.
        durable: flush the file to the disk first, so that it survives a power cut.

    Raises:
        OSError: if it cannot be written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = part_of(target)
    try:
        yield part
        if durable:
            sync(part)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """Give a new folder that replaces the target at the end of the block, or is deleted after an error.

    Raises:
        OSError: if it cannot be written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = part_of(target)
    part.mkdir()
    try:
        yield part
        replace(part, target)
    finally:
        remove(part)


@contextmanager
def temporary_folder(parent: Path) -> Iterator[Path]:
    """Give a new folder inside another one, for this user alone; it is removed with all it holds at the end.

    Raises:
        OSError: if it cannot be made.
    """
    parent.mkdir(parents=True, exist_ok=True)
    folder = part_of(parent / "folder")
    folder.mkdir(0o700)
    try:
        yield folder
    finally:
        remove(folder)


def replace(part: Path, target: Path) -> None:
    """Put a part in its target's place, whether files or folders; a folder that was there is removed afterwards.

    Raises:
        OSError: if that cannot be done.
    """
    if not (part.is_dir() and target.is_dir()):
        part.replace(target)
    elif _exchange(part, target):
        remove(part)
    else:  # two steps, between which the target is missing
        old = part_of(target)
        target.replace(old)
        part.replace(target)
        remove(old)


def remove(path: Path) -> bool:
    """Remove a file or a folder with all it holds, never what a link leads to; returns False if something is left."""
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return not os.path.lexists(path)


def sync(path: Path) -> None:
    """Flush a file to the disk, so that it survives a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _untouched(part: Path) -> bool:
    """True if neither a part nor, in a folder, anything of its first level has changed for a day."""
    try:
        times = [part.lstat().st_mtime]
        if stat.S_ISDIR(part.lstat().st_mode):
            times += [entry.stat(follow_symlinks=False).st_mtime for entry in os.scandir(part)]
    except OSError:  # gone meanwhile, or not ours to look into
        return False
    return time.time() - max(times) > STALE_S


@functools.cache
def _machine() -> str:
    """Eight digits for the space in which process ids are unique: a machine, or a container on it."""
    facts = [platform.node(), _text(Path("/etc/machine-id"))]
    with suppress(OSError):
        facts.append(str(Path("/proc/self/ns/pid").readlink()))
    return _digits(*facts)


def _mark(pid: int) -> str:
    """Eight digits for the start of a process; zeros where the system does not say when that was."""
    words = _text(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    started = words[19] if len(words) > 19 else ""
    return _digits(_text(Path("/proc/sys/kernel/random/boot_id")), started) if started else "0" * 8


def _runs(pid: int, mark: str) -> bool:
    """True if a process runs that has this id and this mark; one that has ended but is still listed does not."""
    if sys.platform == "linux":
        state = _text(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()[:1]
        return state not in ([], ["Z"], ["X"]) and _mark(pid) == mark
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # another user's
    return True


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _digits(*facts: str) -> str:
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:8]


_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


def _exchange(one: Path, other: Path) -> bool:
    """Let two paths change places in one step, so that neither is ever missing; False where the system cannot."""
    if sys.platform != "linux":
        return False
    with suppress(OSError, AttributeError):
        renameat2 = ctypes.CDLL(None).renameat2
        return renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0
    return False
