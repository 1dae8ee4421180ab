"""One reader against many damaged files."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from talkingface.errors import TalkingFaceError

from .mutate import mutated
from .registry import Reader

MAX_SECONDS = 20.0  # for one file, in processor time of this process
MAX_LINE = 2000  # characters of an error


@dataclass
class Outcome:
    """What became of the files.

    Attributes:
        read: how many were read all the same.
        refused: how many were told in one line.
        slowest_s: processor time of the slowest.
        faults: seed -> what went wrong otherwise.
    """

    read: int = 0
    refused: int = 0
    slowest_s: float = 0.0
    faults: dict[int, str] | None = None

    @property
    def count(self) -> int:
        return self.read + self.refused + len(self.faults or {})


def attack(reader: Reader, folder: Path, seeds: Iterable[int], *, keep: Path | None = None) -> Outcome:
    """Damage the file of a reader once for each seed and read it.

    Args:
        reader: the reader.
        folder: an empty folder.
        seeds: of the damage.
        keep: where the file that is being read is kept as well, for the case that it ends the process.
    """
    path = reader.seed(folder)
    good, outcome = path.read_bytes(), Outcome(faults={})
    reader.read(path)  # the file itself is fine
    for seed in seeds:
        data = mutated(good, seed)
        path.write_bytes(data)
        if keep is not None:
            keep.write_bytes(data)
        _read(reader, path, seed, outcome)
    return outcome


def _read(reader: Reader, path: Path, seed: int, outcome: Outcome) -> None:
    assert outcome.faults is not None
    start = time.process_time()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            reader.read(path)
        outcome.read += 1
    except TalkingFaceError as error:
        outcome.refused += 1
        if "\n" in str(error) or len(str(error)) > MAX_LINE:
            outcome.faults[seed] = f"not one line: {str(error)[:200]!r}"
    except (Exception, MemoryError) as error:
        outcome.faults[seed] = f"{type(error).__name__}: {str(error)[:200]}"
    took = time.process_time() - start
    outcome.slowest_s = max(outcome.slowest_s, took)
    if took > MAX_SECONDS:
        outcome.faults[seed] = f"{took:.0f} s"
