"""One reader against many damaged files."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from talkingface.errors import TalkingFaceError

from .mutate import mutated
from .registry import Reader

MAX_SECONDS = 20.0  # for one file, in processor time of this process
MAX_LINE = 2000  # characters of an error


@dataclass
class Outcome:
    """Outcome of the files.

    Attributes:
        read: how many were read all the same.
        refused: how many were told in one line.
        slowest_s: processor time of the slowest.
        faults: seed -> what went wrong otherwise.
        slow: seeds of files that took too long.
    """

    read: int = 0
    refused: int = 0
    slowest_s: float = 0.0
    faults: dict[int, str] = field(default_factory=dict)
    slow: list[int] = field(default_factory=list)

    @property
    def count(self) -> int:
        return self.read + self.refused + len(self.faults)


def attack(reader: Reader, folder: Path, seeds: Iterable[int], *, keep: Path | None = None) -> Outcome:
    """Damage the file of a reader once for each seed and read it.

    Args:
        reader: the reader.
        folder: an empty folder.
        seeds: of the damage.
        keep: where the file that is being read is kept as well, for the case that it ends the process.
    """
    path = reader.seed(folder)
    good, outcome = path.read_bytes(), Outcome()
    reader.read(path)  # the file itself is fine
    for seed in seeds:
        data = mutated(good, seed)
        path.write_bytes(data)
        if keep is not None:
            keep.write_bytes(data)
        _read(reader, path, seed, outcome)
    return outcome


def _read(reader: Reader, path: Path, seed: int, outcome: Outcome) -> None:
    start = time.process_time()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            reader.read(path)
        outcome.read += 1
    except TalkingFaceError as error:
        lines = str(error).split("\n")
        if (len(lines) > 1 and not reader.tells_all) or not all(0 < len(line) <= MAX_LINE for line in lines):
            outcome.faults[seed] = f"not one line: {str(error)[:200]!r}"
        else:
            outcome.refused += 1
    except (Exception, MemoryError) as error:
        outcome.faults[seed] = f"{type(error).__name__}: {str(error)[:200]}"
    took = time.process_time() - start
    outcome.slowest_s = max(outcome.slowest_s, took)
    if took > MAX_SECONDS:
        outcome.slow.append(seed)
