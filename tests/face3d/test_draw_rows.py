"""Rows drawn where their numbers say, in both spaces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.io

from talkingface.errors import ShapeError, UnknownNameError, WeightsError
from talkingface.face3d.mesh_space import shipped_space
from talkingface.face3d.surface.preview import BACKGROUND, ModelDrawer, open_drawer

from .small_model import small_fields


def row_at(scale: float, x: float, y: float) -> np.ndarray:
    row = np.zeros(260, np.float32)
    row[257:] = scale, x, y
    return row


@pytest.fixture
def drawer(tmp_path: Path) -> ModelDrawer:
    (tmp_path / "BFM").mkdir()
    scipy.io.savemat(tmp_path / "BFM" / "BFM_model_front.mat", small_fields())
    found = open_drawer("bfm", root=tmp_path)
    assert isinstance(found, ModelDrawer)
    return found


@pytest.mark.parametrize("size", [256, 128])
def test_crop_numbers_place_a_face_of_the_bfm_space(drawer: ModelDrawer, size: int) -> None:
    black = np.zeros((size, size, 3), np.uint8)
    drawn = drawer.draw(row_at(2.0, 160.0, 140.0), black, size=size).any(-1)
    y, x = np.nonzero(drawn)
    part = size / 256
    assert x.mean() == pytest.approx(160 * part, abs=2) and y.mean() == pytest.approx((255 - 140) * part, abs=2)
    assert np.ptp(x) == pytest.approx(1.8 * 101.5 / 2 * part, abs=4)
    plain = drawer.draw(row_at(2.0, 160.0, 140.0), size=size)
    assert (plain[0] == BACKGROUND).all() and plain.shape == (size, size, 3)


def test_rows_of_the_mesh_space_lie_over_their_points() -> None:
    found, space = open_drawer("mesh"), shipped_space()
    row = np.zeros(260, np.float32)
    row[254:257] = 0.2, 0.1, -0.3
    drawn = (found.draw(row) != BACKGROUND).any(-1)
    points = space.decode(row[None])[0]
    y, x = np.nonzero(drawn)
    assert abs(x.min() - points[:, 0].min()) < 3 and abs(x.max() - points[:, 0].max()) < 3
    assert abs(y.min() - points[:, 1].min()) < 3 and abs(y.max() - points[:, 1].max()) < 3


def test_what_cannot_be_drawn_is_said(drawer: ModelDrawer, tmp_path: Path) -> None:
    with pytest.raises(ShapeError, match=r"rows of 73 numbers .* Wanted 260"):
        drawer.draw(np.zeros(73, np.float32))
    with pytest.raises(WeightsError, match=r"needs .*BFM_model_front\.mat.* scripts/convert_bfm\.py"):
        open_drawer("bfm", root=tmp_path / "empty")
    with pytest.raises(UnknownNameError, match="no space 'flame'"):
        open_drawer("flame")
