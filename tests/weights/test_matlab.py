"""MATLAB files: the numbers come out as SciPy reads them; damaged and hostile files are refused in one line."""

from __future__ import annotations

import struct
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
from numpy.typing import NDArray

from talkingface.errors import WeightsError
from talkingface.weights.files.matlab import read_mat
from talkingface.weights.status import check_usable

RANDOM = np.random.default_rng(3)
ARRAYS: dict[str, NDArray[Any]] = {
    "wide": RANDOM.normal(size=(3, 50)),
    "solid": RANDOM.normal(size=(4, 2, 3)).astype(np.float32),
    "index": np.arange(1, 13, dtype=np.int64).reshape(3, 4),
    "mask": np.array([[1, 0, 1]], np.uint8),
    "none": np.zeros((0, 3)),
    "a_rather_long_name": np.array([[-3]], np.int16),
}


@pytest.mark.parametrize("compressed", [False, True])
def test_arrays_come_out_as_they_went_in(tmp_path: Path, compressed: bool) -> None:
    scipy.io.savemat(tmp_path / "a.mat", ARRAYS, do_compression=compressed)
    found = read_mat(tmp_path / "a.mat")
    assert found.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert found[name].dtype == array.dtype and found[name].flags.c_contiguous
        np.testing.assert_array_equal(found[name], array)


def test_numbers_stored_in_fewer_bytes_get_their_class_back(tmp_path: Path) -> None:
    body = _piece(6, struct.pack("<II", 6, 0)) + _piece(5, struct.pack("<ii", 1, 3)) + _piece(1, b"x")
    _write(tmp_path / "a.mat", _piece(14, body + _piece(2, bytes([7, 8, 9]))))
    found = read_mat(tmp_path / "a.mat")["x"]
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, [[7, 8, 9]])


def test_other_things_in_a_file_are_skipped_and_never_asked_for_in_silence(tmp_path: Path) -> None:
    cells = np.empty((1, 2), object)
    cells[0] = ["text", 3.0]
    scipy.io.savemat(tmp_path / "a.mat", {"cells": cells, "text": "hello", "inner": {"x": 1.0}, "good": np.eye(2)})
    assert list(read_mat(tmp_path / "a.mat")) == ["good"]
    with pytest.raises(WeightsError, match="'cells' holds cells"):
        read_mat(tmp_path / "a.mat", ["cells"])
    with pytest.raises(WeightsError, match=r"lacks better; it has .*good"):
        read_mat(tmp_path / "a.mat", ["better"])


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "a.mat", {"x": np.arange(64.0)}, do_compression=True)
    whole = (tmp_path / "a.mat").read_bytes()
    for length in (1, 64, 127, 130, 140, len(whole) // 2, len(whole) - 1):
        (tmp_path / "cut.mat").write_bytes(whole[:length])
        with pytest.raises(WeightsError) as caught:
            read_mat(tmp_path / "cut.mat", ["x"])
        assert "\n" not in str(caught.value) and "cut.mat" in str(caught.value)


def test_no_damaged_byte_leads_to_anything_but_our_error_or_numbers(tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "a.mat", {"x": np.arange(6.0), "y": np.eye(3)})
    whole = (tmp_path / "a.mat").read_bytes()
    refused = 0
    for place in range(128, len(whole)):
        for value in (0, 1, 14, 127, 255):
            (tmp_path / "b.mat").write_bytes(whole[:place] + bytes([value]) + whole[place + 1 :])
            try:
                read_mat(tmp_path / "b.mat")
            except WeightsError:
                refused += 1
    assert refused > 100


@pytest.mark.parametrize("claims", [8, 1 << 30], ids=["says it is small", "says it is large"])
def test_a_bomb_is_refused_before_it_unfolds(tmp_path: Path, claims: int) -> None:
    head = _piece(6, struct.pack("<II", 9, 0)) + _piece(5, struct.pack("<ii", 1, claims)) + _piece(1, b"x")
    zeros = bytes(200 << 20)
    inner = struct.pack("<II", 14, len(head) + 8 + len(zeros)) + head + struct.pack("<II", 2, len(zeros)) + zeros
    packed = zlib.compress(inner, 9)
    _write(tmp_path / "bomb.mat", struct.pack("<II", 15, len(packed)) + packed)
    del zeros, inner
    tracemalloc.start()
    with pytest.raises(WeightsError):
        read_mat(tmp_path / "bomb.mat")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 96 << 20


def test_what_is_no_matlab_file_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "page.mat").write_bytes(b"<html>" + bytes(300))
    (tmp_path / "new.mat").write_bytes(b"MATLAB 7.3 MAT-file" + bytes(300))
    with pytest.raises(WeightsError, match="not a MATLAB file"):
        check_usable(tmp_path / "page.mat")
    with pytest.raises(WeightsError, match="with -v7"):
        read_mat(tmp_path / "new.mat")
    with pytest.raises(WeightsError, match="no such weight file"):
        read_mat(tmp_path / "absent.mat")


def _piece(kind: int, data: bytes) -> bytes:
    return struct.pack("<II", kind, len(data)) + data + bytes(-len(data) % 8)


def _write(path: Path, body: bytes) -> None:
    path.write_bytes(b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM" + body)
