"""Read access to LMDB environments: each is opened on first use, once per process, and never passed to another."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import lmdb
import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from . import keys
from .keys import DATA_FILE


class Environment:
    """One read-only environment; open it with :func:`environment`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            self._env = lmdb.open(str(folder), readonly=True, lock=False, readahead=False, create=False, max_dbs=0)
        except lmdb.Error as error:
            what = f"is no LMDB that can be read ({error})"
            raise DataError(what, where=folder / DATA_FILE, cure="Prepare it again, or copy it again whole.") from error

    def get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Values of some keys, None for each missing one."""
        with self._env.begin() as transaction:
            return [_bytes(transaction.get(key)) for key in keys]

    def close(self) -> None:
        """Close the files."""
        self._env.close()

    def names(self) -> Iterator[bytes]:
        """All keys in order."""
        with self._env.begin() as transaction:
            yield from transaction.cursor().iternext(values=False)


def environment(folder: Path) -> Environment:
    """Return the environment of a folder in this process, shared by all users and closed after the last one.

    LMDB allows one handle for a file in a process, and none from before a fork: a forked process opens its own.

    Raises:
        DataError: if it cannot be read.
    """
    key = str(folder.resolve())
    opened = _opened.get(key)
    if opened is None:
        _opened[key] = opened = Environment(folder)
    return opened


_opened: WeakValueDictionary[str, Environment] = WeakValueDictionary()


def _leave_inherited() -> None:
    """Close the copies of a forked process, else its own would count as opened twice; the parent's stay open."""
    for opened in list(_opened.values()):
        opened.close()
    _opened.clear()


if hasattr(os, "register_at_fork"):  # Windows does not fork
    os.register_at_fork(after_in_child=_leave_inherited)


class LazyEnvironment:
    """Environment of a store that each reading process opens for itself; it is not pickled with the store."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._held: tuple[int, Environment] | None = None

    def __call__(self) -> Environment:
        if self._held is None or self._held[0] != os.getpid():
            self._held = (os.getpid(), environment(self.folder))
        return self._held[1]

    def __getstate__(self) -> dict[str, Any]:
        return {"folder": self.folder, "_held": None}


def _bytes(value: bytes | memoryview | None) -> bytes | None:
    return None if value is None else bytes(value)


MEL_BANDS = 80
CROP_PARAMS = "crop_params"


class LMDBTable:
    """Environment with one array for each clip.

    Args:
        folder: folder of the environment (with ``data.mdb``).
        columns: numbers in a row.
        dtype: their stored type.
        ending: part of the key after the clip's name; empty if the key is the name alone.

    Raises:
        DataError: if the environment cannot be read.
    """

    def __init__(self, folder: Path, columns: int, dtype: str, ending: str = "") -> None:
        self._env, self._columns, self._dtype, self._ending = LazyEnvironment(folder), columns, np.dtype(dtype), ending
        self._env()

    def rows(self, clip: str) -> NDArray[Any]:
        """Array of a clip, (n, columns).

        Raises:
            DataError: if there is none, or its length is no whole number of rows.
        """
        name = keys.key(clip, self._ending) if self._ending else clip.encode()
        (value,) = self._env().get([name])
        if value is None:
            raise DataError(f"there is no '{name.decode()}'", where=self._env.folder)
        row = self._columns * self._dtype.itemsize
        if not value or len(value) % row:
            what = f"'{name.decode()}' has {len(value)} bytes"
            raise DataError(
                what, where=self._env.folder, cure=f"Expected are rows of {self._columns} {self._dtype.name}."
            )
        return np.frombuffer(value, self._dtype).reshape(-1, self._columns).copy()


def open_mel(folder: Path) -> LMDBTable:
    """Open a table of log-mel spectra: float64 (n, 80), 80 rows per second of sound, with the clip's name as key."""
    return LMDBTable(folder, MEL_BANDS, "<f8")


def open_crops(folder: Path) -> LMDBTable:
    """Open a table of crop squares: int64 (frames, 4), with the key ``<clip>-crop_params``."""
    return LMDBTable(folder, 4, "<i8", CROP_PARAMS)
