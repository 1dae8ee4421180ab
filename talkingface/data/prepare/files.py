"""Atomic file writing, and fingerprints that detect changed files."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ...weights.download.http import sha256_of

PART = ".part-"  # as talkingface.media names its unfinished files


@dataclass(frozen=True)
class Fingerprint:
    """Size, time and hash of a file or folder at one moment.

    Attributes:
        path: its path; relative to the data set if it is inside.
        size: in bytes; for a folder, the sum over its files.
        mtime_ns: time of the last change (the latest of a folder's files).
        sha256: of the contents; for a folder, of the names and contents of its files in order.
    """

    path: str
    size: int
    mtime_ns: int
    sha256: str


def fingerprint(path: Path, root: Path) -> Fingerprint:
    """Take the fingerprint of an existing file or folder.

    Raises:
        OSError: if it cannot be read.
    """
    size, mtime_ns = _measure(path)
    return Fingerprint(_shown(path, root), size, mtime_ns, _content(path))


def unchanged(known: Fingerprint, root: Path, *, quick: bool = False) -> bool:
    """True if a file still has the known content; it is read only if its size agrees but its time does not.

    Args:
        known: earlier fingerprint.
        root: folder of the data set.
        quick: compare the size alone, for files that only this program writes.
    """
    path = root / known.path
    try:
        size, mtime_ns = _measure(path)
        if size != known.size:
            return False
        return quick or mtime_ns == known.mtime_ns or _content(path) == known.sha256
    except OSError:
        return False


@contextmanager
def atomic_file(target: Path) -> Iterator[Path]:
    """Give a temporary file that replaces the target at the end of the block, or is deleted after an error."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{PART}{secrets.token_hex(6)}{target.suffix}")
    try:
        yield part
        sync(part)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Flush a file to the disk, so that it survives a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove_parts(root: Path) -> None:
    """Remove unfinished files of an earlier run; no other run may be writing there."""
    for path in list(root.rglob(f"{PART}*")):
        remove(path)


def remove(path: Path) -> None:
    """Remove a file or a folder, if it exists."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _shown(path: Path, root: Path) -> str:
    path, root = path.absolute(), root.absolute()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()


def _files(path: Path) -> list[Path]:
    return sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]


def _measure(path: Path) -> tuple[int, int]:
    states = [file.stat() for file in _files(path)] or [path.stat()]
    return sum(state.st_size for state in states), max(state.st_mtime_ns for state in states)


def _content(path: Path) -> str:
    if not path.is_dir():
        return sha256_of(path)
    digest = hashlib.sha256()
    for file in _files(path):
        digest.update(f"{file.relative_to(path).as_posix()} {sha256_of(file)}\n".encode())
    return digest.hexdigest()
