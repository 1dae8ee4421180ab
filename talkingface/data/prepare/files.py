"""Atomic file writing, and fingerprints that detect changed files."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Literal

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from ...part_files import PREFIX, part_of, remove
from ...weights.download.http import sha256_of


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


def try_file(folder: Path) -> None:
    """Write and remove a file, so that a folder that does not allow it is found before the work.

    Raises:
        OSError: if it cannot be written.
    """
    part = part_of(folder / "trial")
    part.write_bytes(b"x")
    part.unlink()


def remove_parts(root: Path) -> None:
    """Remove unfinished files of an earlier run; no other run may be writing there."""
    for path in list(root.rglob(f"{PREFIX}*")):
        remove(path)


def _shown(path: Path, root: Path) -> str:
    path, root = path.absolute(), root.absolute()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()


def _files(path: Path) -> list[Path]:
    return sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]


def _measure(path: Path) -> tuple[int, int]:
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise OSError(errno.EINVAL, "no regular file")  # reading a pipe would wait for ever
    states = [file.stat() for file in _files(path)] or [path.stat()]
    return sum(state.st_size for state in states), max(state.st_mtime_ns for state in states)


def _content(path: Path) -> str:
    if not path.is_dir():
        return sha256_of(path)
    digest = hashlib.sha256()
    for file in _files(path):
        digest.update(f"{file.relative_to(path).as_posix()} {sha256_of(file)}\n".encode())
    return digest.hexdigest()


Outcome = Literal["done", "failed", "skipped"]


@dataclass(frozen=True)
class Record:
    """Outcome of one step on one item.

    Attributes:
        item: name of the item.
        outcome: ``"done"``, ``"failed"`` or ``"skipped"`` (nothing to do).
        settings: digest of the settings that the result depends on.
        reason: sentence on the failure or on why it was skipped.
        passing: the failure is temporary (network, memory), so the next run tries again.
        inputs, outputs: files that were read and written.
        facts: numbers about the outputs, for later steps and for the report.
        seconds: duration.
    """

    item: str
    outcome: Outcome
    settings: str
    reason: str = ""
    passing: bool = False
    inputs: tuple[Fingerprint, ...] = ()
    outputs: tuple[Fingerprint, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    def holds(self, root: Path, settings: str, *, retry_failed: bool = False) -> bool:
        """True if the step need not run again: same settings, same inputs, and the outputs exist.

        Args:
            root: folder of the data set.
            settings: digest of the present settings.
            retry_failed: treat every failure as temporary.
        """
        if self.settings != settings or (self.outcome == "failed" and (self.passing or retry_failed)):
            return False
        # A deleted input (raw videos are often removed to make room) cannot give another result.
        if not all(unchanged(known, root) or not (root / known.path).exists() for known in self.inputs):
            return False
        return all(unchanged(known, root, quick=True) for known in self.outputs)


class Manifest:
    """Records of one step.

    Args:
        path: the file; created with the first record.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.records: dict[str, Record] = {}
        self._outputs: set[str] = set()
        for record in _read(path):
            self._keep(record)

    def add(self, record: Record) -> None:
        """Append a record and flush it to the disk."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps(asdict(record), sort_keys=True, ensure_ascii=False) + "\n"
        with self.path.open("a+b") as file:
            file.write(_line_break_if_torn(file) + line.encode())
            file.flush()
            os.fsync(file.fileno())
        self._keep(record)

    def superseded(self) -> list[str]:
        """Outputs of replaced records that no present record has, relative to the data set; they may be removed."""
        present = {known.path for record in self.records.values() for known in record.outputs}
        above = {parent.as_posix() for path in present for parent in PurePosixPath(path).parents}
        return sorted(path for path in self._outputs - present if PurePosixPath(path).as_posix() not in above)

    def _keep(self, record: Record) -> None:
        self.records[record.item] = record
        self._outputs.update(known.path for known in record.outputs)

    def of(self, names: Iterable[str]) -> list[Record]:
        """Records of some items, in their order; items without one are left out."""
        return [self.records[name] for name in names if name in self.records]


def _line_break_if_torn(file: BinaryIO) -> bytes:
    """Line break if the last line is incomplete, so that the next one starts on its own line."""
    if file.seek(0, os.SEEK_END) == 0:
        return b""
    file.seek(-1, os.SEEK_END)
    return b"" if file.read(1) == b"\n" else b"\n"


def _read(path: Path) -> Iterable[Record]:
    if not path.is_file():
        return
    for line in path.read_bytes().split(b"\n"):
        record = _parsed(line)
        if record is not None:
            yield record


def _parsed(line: bytes) -> Record | None:
    """Parse a record; None for an incomplete or damaged line, whose item then runs again."""
    try:
        record = _RECORD.validate_json(line, strict=True)
        _Facts.model_validate(record.facts, strict=True)
    except ValidationError:
        return None
    return record


class _ClipFacts(BaseModel):
    """Facts about a clip that later steps read."""

    name: str
    frames: int = Field(0, ge=0, le=2**63)


class _Facts(BaseModel):
    """Facts of all steps that later steps and the report read; others are free."""

    clips: list[_ClipFacts] = []
    refused: list[str] = []
    frames: int = Field(0, ge=0, le=2**63)
    space: str = ""


_RECORD = TypeAdapter(Record)
