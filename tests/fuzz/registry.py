"""The readers of the package: for each a small file that it reads, and the call that reads it.

A reader that is new belongs here; `test_fuzz.py` damages the file of each, and looks for functions that open files and
are named nowhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

Seed = Callable[[Path], Path]
Read = Callable[[Path], object]


@dataclass(frozen=True)
class Reader:
    """One reader.

    Attributes:
        name: of what it reads.
        seed: writes a file of that kind, and what has to be beside it, into an empty folder; returns the file.
        read: reads the file, with all that is beside it, as the package does.
        starts_program: whether another program is started for it, so that a reading takes tenths of a second.
        tells_all: whether it tells all that is wrong at once, each in a line of its own.
    """

    name: str
    seed: Seed
    read: Read
    starts_program: bool = False
    tells_all: bool = False


READERS: dict[str, Reader] = {}


def reader(name: str, read: Read, *, starts_program: bool = False, tells_all: bool = False) -> Callable[[Seed], Seed]:
    """Enter a reader with the function that makes its file."""

    def enter(seed: Seed) -> Seed:
        """Register the reader and return the function as it is."""
        if name in READERS:
            raise ValueError(f"two readers are named {name}")
        READERS[name] = Reader(name, seed, read, starts_program, tells_all)
        return seed

    return enter
