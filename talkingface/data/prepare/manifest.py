"""What was done to each item: one line of JSON each, appended and put on the disk before the next is begun.

A line is written after the files that it tells of, so whatever the moment of a kill, a line that is there is true. Only
the last line can be torn, and is then left out. A later line about an item replaces an earlier one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Literal

from .files import Print, unchanged

Outcome = Literal["done", "failed", "skipped"]


@dataclass(frozen=True)
class Record:
    """What came of one step on one item.

    Attributes:
        item: name of the item.
        outcome: ``"done"``; ``"failed"``: see the reason; ``"skipped"``: there was nothing to do, for the reason given.
        settings: digest of the settings that shape the outcome.
        reason: why it failed or was skipped, as a sentence.
        passing: the failure may be gone another time (network, memory), so the next run tries again.
        inputs, outputs: what was read and written.
        facts: numbers about the outputs, for the steps behind and for the report.
        seconds: time that it took.
    """

    item: str
    outcome: Outcome
    settings: str
    reason: str = ""
    passing: bool = False
    inputs: tuple[Print, ...] = ()
    outputs: tuple[Print, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    def holds(self, root: Path, settings: str, *, retry_failed: bool = False) -> bool:
        """Whether the step need not be done again: same settings, same inputs, and the outputs are there.

        Args:
            root: folder of the data set.
            settings: digest of the present settings.
            retry_failed: take no failure as final.
        """
        if self.settings != settings or (self.outcome == "failed" and (self.passing or retry_failed)):
            return False
        # An input that is gone (raw videos are often deleted to make room) cannot give anything else.
        if not all(unchanged(known, root) or not (root / known.path).exists() for known in self.inputs):
            return False
        return all(unchanged(known, root, quick=True) for known in self.outputs)


class Manifest:
    """The records of one step.

    Args:
        path: the file, made when the first record is added.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.records: dict[str, Record] = {}
        self._made: set[str] = set()
        for record in _read(path):
            self._take(record)

    def add(self, record: Record) -> None:
        """Append a record; it is on the disk when this returns."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps(asdict(record), sort_keys=True, ensure_ascii=False) + "\n"
        with self.path.open("a+b") as file:
            file.write(_end_of_torn_line(file) + line.encode())
            file.flush()
            os.fsync(file.fileno())
        self._take(record)

    def superseded(self) -> list[str]:
        """Outputs of earlier records that no present record has, relative to the data set; what is left of them may
        be removed."""
        return sorted(self._made - {known.path for record in self.records.values() for known in record.outputs})

    def _take(self, record: Record) -> None:
        self.records[record.item] = record
        self._made.update(known.path for known in record.outputs)

    def of(self, names: Iterable[str]) -> list[Record]:
        """The records of some items, in their order; items without one are left out."""
        return [self.records[name] for name in names if name in self.records]


def _end_of_torn_line(file: BinaryIO) -> bytes:
    """What ends the line that a kill has cut, so that the next one stands alone."""
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
    """A record, or None for a torn line, whose item is then simply done again."""
    try:
        values = json.loads(line)
        for key in ("inputs", "outputs"):
            values[key] = tuple(Print(**entry) for entry in values[key])
        return Record(**values)
    except (ValueError, TypeError, KeyError):
        return None
