"""Read access to LMDB environments, each opened on first use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from . import keys
from .keys import DATA_FILE
from .pages import DamagedError, PageFile


class Environment:
    """One environment for reading; it may be used in a forked process as well.

    Raises:
        DataError: from the start or from any method, if the file is damaged or no LMDB.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with _naming(folder):
            self._file = PageFile(folder / DATA_FILE)

    def get(self, keys: Iterable[bytes]) -> Iterator[bytes | None]:
        """Values of some keys, None for each missing one; each is read when it is asked for."""
        for key in keys:
            with _naming(self.folder):
                value = self._file.get(key)
            yield value

    def names(self) -> Iterator[bytes]:
        """All keys in order."""
        with _naming(self.folder):
            yield from self._file.keys()

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """All keys in order with their values."""
        with _naming(self.folder):
            yield from self._file.items()

    def check(self) -> None:
        """Check all keys and the places of all values; the pages that hold long values are not read."""
        with _naming(self.folder):
            self._file.check()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


@contextmanager
def _naming(folder: Path) -> Iterator[None]:
    """Turn what is wrong with the file into an error that names it."""
    try:
        yield
    except (DamagedError, OSError) as error:
        reason = getattr(error, "strerror", None) or error
        what = f"is no LMDB that can be read ({reason})"
        raise DataError(what, where=folder / DATA_FILE, cure="Prepare it again, or copy it again whole.") from error


class LazyEnvironment:
    """Environment of a store, opened when it is first used; it is not pickled with the store."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._held: Environment | None = None

    def __call__(self) -> Environment:
        if self._held is None:
            self._held = Environment(self.folder)
        return self._held

    def __getstate__(self) -> dict[str, Any]:
        return {"folder": self.folder, "_held": None}


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
