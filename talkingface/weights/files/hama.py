"""Reading of the weight files of the package hama: named arrays after a table of their places."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import WeightsError
from .read import file_errors

_MAGIC = b"HAMAPK"
_COUNT_AT = 8
_TYPES: dict[int, np.dtype[np.floating]] = {0: np.dtype("<f4"), 1: np.dtype("<f2")}
_MOST_AXES = 8
_AGAIN = "Delete it and fetch it again."


def read_hama(path: Path) -> dict[str, NDArray[np.float32]]:
    """Arrays (...) of any shape by name, as float32.

    Raises:
        WeightsError: if the file is missing, damaged or of another kind.
    """
    with file_errors(path):
        data = path.read_bytes()
    if not data.startswith(_MAGIC):
        raise WeightsError("not a weight file of hama", where=path, cure=_AGAIN)
    try:
        return _arrays(data)
    except (struct.error, IndexError, KeyError, ValueError, OverflowError) as error:
        raise WeightsError(
            "its table of arrays is damaged", where=path, cure="Delete it and fetch it again."
        ) from error


def _arrays(data: bytes) -> dict[str, NDArray[np.float32]]:
    (count,) = struct.unpack_from("<I", data, _COUNT_AT)
    table: list[tuple[str, np.dtype[np.floating], tuple[int, ...], int, int]] = []
    place = _COUNT_AT + 4
    for _ in range(count):
        (length,) = struct.unpack_from("<H", data, place)
        name = data[place + 2 : place + 2 + length].decode()
        place += 2 + length
        kind, axes = data[place], data[place + 1]
        if axes > _MOST_AXES:
            raise ValueError(axes)
        shape = struct.unpack_from(f"<{axes}I", data, place + 2)
        offset, size = struct.unpack_from("<QQ", data, place + 2 + 4 * axes)
        place += 2 + 4 * axes + 16
        table.append((name, _TYPES[kind], shape, offset, size))
    # Places count from the end of the table, which is filled up to a multiple of 16; the last array ends the file.
    start = len(data) - max((offset + size for *_, offset, size in table), default=0)
    if start < place:
        raise ValueError(start)
    arrays = {}
    for name, kind, shape, offset, size in table:
        values = np.frombuffer(data[start + offset : start + offset + size], kind)
        arrays[name] = values.reshape(shape).astype(np.float32)
    return arrays
