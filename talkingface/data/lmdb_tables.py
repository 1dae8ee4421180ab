"""The environments that StyleHEAT's audio training has beside the pictures: mel spectra, and crops."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from . import lmdb_keys as keys
from .lmdb_env import Lazy

MEL_BANDS = 80
CROP_PARAMS = "crop_params"


class LMDBTable:
    """An environment with one array for each clip.

    Args:
        folder: the environment (with ``data.mdb``).
        columns: numbers of a row.
        dtype: how they are stored.
        ending: part of the key behind the clip's name; empty where the key is the name alone.

    Raises:
        DataError: if the environment cannot be read.
    """

    def __init__(self, folder: Path, columns: int, dtype: str, ending: str = "") -> None:
        self._env, self._columns, self._dtype, self._ending = Lazy(folder), columns, np.dtype(dtype), ending
        self._env()

    def rows(self, clip: str) -> NDArray[Any]:
        """The array of a clip, (n, columns).

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
    """Log-mel spectra: float64 (n, 80), 80 rows for a second of sound, under the clip's name."""
    return LMDBTable(folder, MEL_BANDS, "<f8")


def open_crops(folder: Path) -> LMDBTable:
    """Squares that clips were cut from: int64 (frames, 4), under ``<clip>-crop_params``."""
    return LMDBTable(folder, 4, "<i8", CROP_PARAMS)
