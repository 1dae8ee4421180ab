"""Landmark and coefficient files: ours and the published ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from talkingface.data.prepare.steps.arrays import (
    read_coefficients,
    read_landmarks,
    write_arrays,
    write_coefficients,
    write_landmarks,
)
from talkingface.errors import DataError

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("ending", [".npz", ".mat"])
@pytest.mark.parametrize("space", ["bfm", "mesh"])
def test_coefficients_come_back(tmp_path: Path, ending: str, space: str) -> None:
    rows = RNG.normal(size=(7, 260)).astype(np.float32)
    write_coefficients(tmp_path / f"a{ending}", rows, space)
    found, of_space = read_coefficients(tmp_path / f"a{ending}")
    np.testing.assert_array_equal(found, rows)
    assert of_space == space


def test_mat_files_are_those_of_the_published_extraction(tmp_path: Path) -> None:
    rows = RNG.normal(size=(3, 260)).astype(np.float32)
    write_coefficients(tmp_path / "ours.mat", rows, "bfm")
    found = loadmat(tmp_path / "ours.mat")
    np.testing.assert_array_equal(found["coeff"], rows[:, :257])
    np.testing.assert_array_equal(found["transform_params"], np.hstack([np.full((3, 2), 256), rows[:, 257:]]))
    savemat(tmp_path / "theirs.mat", {"coeff": found["coeff"], "transform_params": found["transform_params"]})
    theirs, space = read_coefficients(tmp_path / "theirs.mat")
    np.testing.assert_array_equal(theirs, rows)
    assert space == "bfm"


def test_points_come_back(tmp_path: Path) -> None:
    points = RNG.uniform(0, 256, size=(5, 68, 2)).astype(np.float32)
    for ending in (".npz", ".txt"):
        write_landmarks(tmp_path / f"a{ending}", {"landmarks": points, "backend": np.array("mesh")})
        np.testing.assert_allclose(read_landmarks(tmp_path / f"a{ending}")["landmarks"], points, rtol=1e-6)
    assert len((tmp_path / "a.txt").read_text().split()) == 5 * 68 * 2


def test_the_same_arrays_are_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_arrays(tmp_path / f"{name}.npz", {"x": np.arange(6).reshape(2, 3), "word": np.array("mesh")})
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


@pytest.mark.parametrize("name", ["torn.npz", "torn.mat", "wrong.npz", "wrong.txt"])
def test_other_files_are_named_errors(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write_arrays(tmp_path / "wrong.npz", {"other": np.zeros(3)})
    (tmp_path / "wrong.txt").write_text("1\n2\n3\n")
    for ending in (".npz", ".mat"):
        write_coefficients(tmp_path / f"whole{ending}", np.zeros((50, 260), np.float32), "bfm")
        (tmp_path / f"torn{ending}").write_bytes((tmp_path / f"whole{ending}").read_bytes()[:2000])
    with pytest.raises(DataError, match=name):
        read_landmarks(path) if name == "wrong.txt" else read_coefficients(path)
