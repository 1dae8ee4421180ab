"""Damaged and unfolding files of landmarks and coefficients are told in one line, in little memory."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from talkingface.data.prepare.steps.arrays import read_arrays, read_coefficients, read_landmarks, write_arrays
from talkingface.errors import DataError

HOSTILE = Path(os.environ.get("TALKINGFACE_SHARED", Path(__file__).parents[4] / "shared")) / "data" / "hostile"
needs_hostile = pytest.mark.skipif(not HOSTILE.is_dir(), reason=f"no {HOSTILE} (set TALKINGFACE_SHARED)")


@needs_hostile
def test_damaged_archives_are_told() -> None:
    files = sorted((HOSTILE / "npzarrays").glob("*.npz"))
    assert len(files) >= 2
    for file in files:
        with pytest.raises(DataError, match="cannot be read"):
            read_landmarks(file)


@needs_hostile
def test_an_archive_that_unfolds_takes_no_memory() -> None:
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="it unfolds to more than 8 times its size"):
            read_landmarks(HOSTILE / "bombs" / "bomb_landmarks.npz")
        assert tracemalloc.get_traced_memory()[1] < 10 << 20
    finally:
        tracemalloc.stop()


def test_numbers_and_words_come_back_as_they_were(tmp_path: Path) -> None:
    arrays = {"a": np.arange(6).reshape(2, 3), "b": np.array("bfm"), "c": np.asfortranarray(np.ones((2, 2), ">f8"))}
    np.savez(tmp_path / "x.npz", **arrays)
    found = read_arrays(tmp_path / "x.npz")
    assert found.keys() == arrays.keys()
    for name, values in arrays.items():
        np.testing.assert_array_equal(found[name], values)


@pytest.mark.parametrize("values", [np.array([{}]), np.zeros(2, "M8[s]"), np.zeros(2, [("x", "f4")])])
def test_anything_but_numbers_and_words_is_refused(tmp_path: Path, values: np.ndarray) -> None:
    np.savez(tmp_path / "x.npz", landmarks=values)
    with pytest.raises(DataError, match="plain numbers"):
        read_landmarks(tmp_path / "x.npz")


def test_words_where_numbers_belong_are_refused(tmp_path: Path) -> None:
    write_arrays(tmp_path / "p.npz", {"landmarks": np.full((1, 68, 2), "x")})
    with pytest.raises(DataError, match=r"not \(T, 68, 2\) numbers"):
        read_landmarks(tmp_path / "p.npz")
    write_arrays(
        tmp_path / "c.npz",
        {"coeff": np.zeros((1, 257)), "transform_params": np.zeros((1, 5)), "space": np.array("elsewhere")},
    )
    with pytest.raises(DataError, match="something else than coefficients"):
        read_coefficients(tmp_path / "c.npz")
