"""Reads NumPy archives without pickle, and finds the three files of a port that keeps one archive per network."""

from __future__ import annotations

import io
import tokenize
import zipfile
from pathlib import Path

import numpy as np

from ..errors import WeightsError
from .records import ITEM_BYTES, UNFOLD_FACTOR, UNFOLD_SLACK, TensorRecord, contiguous

TRIPLE = ("generator", "discriminator", "kp_detector")


def read_npz(path: Path) -> dict[str, TensorRecord]:
    """Arrays of one archive, by their names without ``.npy``; slashes in names become dots.

    Raises:
        WeightsError: if it unfolds to many times its size, or holds anything but plain little-endian numbers.
    """
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        if sum(entry.file_size for entry in entries) > UNFOLD_FACTOR * path.stat().st_size + UNFOLD_SLACK:
            raise WeightsError(f"it unfolds to more than {UNFOLD_FACTOR} times its size")
        return {_key(entry.filename): _array(archive.read(entry)) for entry in entries}


def read_triple(path: Path) -> dict[str, dict[str, TensorRecord]]:
    """Networks of ``generator.npz``, ``discriminator.npz`` and ``kp_detector.npz``; absent ones are left out.

    Args:
        path: their folder.
    """
    return {name: read_npz(path / f"{name}.npz") for name in TRIPLE if (path / f"{name}.npz").is_file()}


def _key(filename: str) -> str:
    return filename.removesuffix(".npy").replace("/", ".")


def _array(data: bytes) -> TensorRecord:
    """Record of the bytes of one ``.npy`` file."""
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(stream)
    except (ValueError, SyntaxError, tokenize.TokenError, RecursionError, MemoryError) as error:
        # What the literal reader behind NumPy's header parser raises, besides NumPy's own ValueError.
        raise WeightsError("it holds something other than NumPy arrays") from error
    if dtype.hasobject or dtype.name not in ITEM_BYTES or dtype.byteorder == ">":
        raise WeightsError("it has an array that does not hold plain numbers", cure="Nothing of it was run.")
    return contiguous(dtype.name, shape, memoryview(data)[stream.tell() :], fortran=fortran)
