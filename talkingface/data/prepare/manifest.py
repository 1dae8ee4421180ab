"""Manifest of a step: one line of JSON for each finished item, appended and flushed to the disk.

A line is written after the files that it describes, so it holds whenever the process is killed. Only the last line
can be incomplete, and is then ignored. A later line about an item replaces an earlier one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Literal

from .files import Fingerprint, unchanged

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
        return sorted(self._outputs - {known.path for record in self.records.values() for known in record.outputs})

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
    """Parse a record; None for an incomplete line, whose item then runs again."""
    try:
        values = json.loads(line)
        for key in ("inputs", "outputs"):
            values[key] = tuple(Fingerprint(**entry) for entry in values[key])
        return Record(**values)
    except (ValueError, TypeError, KeyError):
        return None
