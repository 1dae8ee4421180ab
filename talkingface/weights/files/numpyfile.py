"""Read NumPy files, ``.npy`` and ``.npz``: plain numbers and words only, in no more memory than a limit allows."""

from __future__ import annotations

import io
import math
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import WeightsError
from .records import (
    ITEM_BYTES,
    MAX_RANK,
    UNFOLD_FACTOR,
    UNFOLD_SLACK,
    TensorRecord,
    check_empty,
    checked_count,
    contiguous,
)

PORT_ARCHIVES = ("generator", "discriminator", "kp_detector")
MAGIC = b"\x93NUMPY"
_KINDS = "biufU"  # truth values, whole numbers, real numbers, text
# What NumPy's parser of headers and the literal reader behind it raise, besides ValueError.
_HEADER_ERRORS = (ValueError, SyntaxError, TypeError, tokenize.TokenError, RecursionError, MemoryError, OverflowError)
_ARCHIVE_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError)


def read_npz(path: Path) -> dict[str, TensorRecord]:
    """Read the arrays of one archive, by their names without ``.npy``; slashes in names become dots.

    Raises:
        WeightsError: if it expands to many times its size, or holds anything but plain little-endian numbers.
    """
    return {name.replace("/", "."): _record(data) for name, data in _members(path)}


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Read the arrays (...) of one archive, numbers and text, by their names without ``.npy``.

    Raises:
        WeightsError: if it cannot be read, is damaged, expands to many times its size, or holds anything else.
    """
    with _archive_errors():
        return {name: _array(data) for name, data in _members(path)}


def map_npy(path: Path) -> NDArray[Any]:
    """Open the array (...) of one ``.npy`` file without reading its numbers.

    Raises:
        WeightsError: if it is damaged, or holds anything but numbers.
        OSError: if it cannot be opened.
    """
    try:
        # The length of the file is compared with the shape before any memory is taken.
        array = np.lib.format.open_memmap(path, mode="r")
        check_empty(array.shape)
    except _HEADER_ERRORS as error:
        raise WeightsError("not a readable NumPy file of plain numbers") from error
    if array.dtype.kind not in _KINDS:
        raise WeightsError("not a readable NumPy file of plain numbers")
    return array


def read_port_folder(path: Path) -> dict[str, dict[str, TensorRecord]]:
    """Read ``generator.npz``, ``discriminator.npz`` and ``kp_detector.npz`` of a folder; absent ones are left out."""
    return {name: read_npz(path / f"{name}.npz") for name in PORT_ARCHIVES if (path / f"{name}.npz").is_file()}


def _members(path: Path) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of each file of an archive; all of them together stay within the limit."""
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        if sum(entry.file_size for entry in entries) > UNFOLD_FACTOR * path.stat().st_size + UNFOLD_SLACK:
            raise WeightsError(f"it unfolds to more than {UNFOLD_FACTOR} times its size")
        for entry in entries:
            yield entry.filename.removesuffix(".npy"), archive.read(entry)


def _head(data: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any], memoryview]:
    """Shape, Fortran order, type and bytes of the array in a ``.npy`` file."""
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(stream)
    except _HEADER_ERRORS as error:
        raise WeightsError("it holds something other than NumPy arrays") from error
    if dtype.hasobject or dtype.kind not in _KINDS:
        raise WeightsError("it has an array that does not hold plain numbers", cure="Nothing of it was run.")
    return shape, fortran, dtype, memoryview(data)[stream.tell() :]


def _record(data: bytes) -> TensorRecord:
    """Record of the bytes of one ``.npy`` file."""
    shape, fortran, dtype, view = _head(data)
    if dtype.name not in ITEM_BYTES or dtype.byteorder == ">":
        raise WeightsError("it has an array that does not hold plain numbers", cure="Nothing of it was run.")
    return contiguous(dtype.name, shape, view, fortran=fortran)


def _array(data: bytes) -> NDArray[Any]:
    """The array of the bytes of one ``.npy`` file."""
    shape, fortran, dtype, view = _head(data)
    check_empty(shape)
    size = math.prod(checked_count(size, "shape") for size in shape) * dtype.itemsize
    if len(shape) > MAX_RANK or not dtype.itemsize or len(view) != size:
        raise WeightsError(f"an array of shape {shape} has {len(view)} bytes instead of {size}")
    return np.frombuffer(view, dtype).reshape(shape, order="F" if fortran else "C").copy()


@contextmanager
def _archive_errors() -> Iterator[None]:
    try:
        yield
    except _ARCHIVE_ERRORS as error:
        reason = " ".join(str(getattr(error, "strerror", None) or error).split())
        raise WeightsError(f"cannot be read ({reason[:120]})") from error
