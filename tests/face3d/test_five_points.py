"""Five points, the pose they tell, and the crop that follows from it."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import torch
from PIL import Image

from talkingface.errors import ShapeError, WeightsError
from talkingface.face3d.five_points import MEASURED, align, fit_pose, five_points, load_standard
from talkingface.face3d.surface.face_model import rotation
from talkingface.media.image import read_image

FIVE = Path(os.environ.get("TALKINGFACE_SHARED", Path(__file__).parents[3] / "shared")) / "data/source/five_points"
RANDOM = np.random.default_rng(1)


def seen(scale: float, shift: tuple[float, float], angles: tuple[float, float, float] = (0, 0, 0)) -> np.ndarray:
    """The standard points under weak perspective, y upwards."""
    turn = rotation(torch.tensor([angles], dtype=torch.float64))[0].numpy()
    return scale * (MEASURED @ turn)[:, :2] + shift


@pytest.mark.parametrize("angles", [(0, 0, 0), (0.3, -0.5, 0.2)])
def test_the_pose_of_drawn_points_is_found_again(angles: tuple[float, float, float]) -> None:
    pose = fit_pose(seen(80.0, (130.0, 99.0), angles), MEASURED)
    np.testing.assert_allclose([pose.scale, pose.t_x, pose.t_y], [80, 130, 99], rtol=1e-9)


def test_points_land_in_the_crop_where_the_standard_says() -> None:
    up = seen(60.0, (170.3, 140.8))
    points = np.stack([up[:, 0], 239 - up[:, 1]], 1)
    found = align(points, (240, 320))
    assert found.scale == pytest.approx(102 / 60)
    wanted = np.stack([102 * MEASURED[:, 0] + 112, 223 - (102 * MEASURED[:, 1] + 112)], 1)
    # Half of the part of a pixel that resizing to whole pixels loses.
    np.testing.assert_allclose(found.landmarks(points), wanted, atol=0.51)
    # Cutting at whole pixels of a picture of whole pixels moves everything by less than two.
    np.testing.assert_allclose(found.crop.to_crop(points), wanted, atol=2)


def test_the_matrix_says_where_the_cut_pixels_come_from() -> None:
    y, x = np.mgrid[:240, :320]
    picture = np.stack([x * 255 / 319, y * 255 / 239, np.zeros_like(x)], -1).round().astype(np.uint8)
    up = seen(90.0, (170.0, 120.0))
    found = align(np.stack([up[:, 0], 239 - up[:, 1]], 1), (240, 320))
    cut = found.cut(picture).astype(float)
    for place in ([60, 70], [112, 112], [150, 90]):
        x, y = found.crop.to_picture(np.array(place, float))
        np.testing.assert_allclose(cut[place[1], place[0], :2], [x * 255 / 319, y * 255 / 239], atol=1.5)


def test_cutting_equals_resizing_everything_and_is_black_outside() -> None:
    picture = RANDOM.integers(0, 256, (200, 150, 3), dtype=np.uint8)
    up = seen(40.0, (20.0, 180.0))
    found = align(np.stack([up[:, 0], 199 - up[:, 1]], 1), (200, 150))
    tall, wide = found.resized
    whole = Image.fromarray(picture).resize((wide, tall), Image.Resampling.BICUBIC)
    wanted = np.asarray(whole.crop((found.left, found.top, found.left + 224, found.top + 224)))
    cut = found.cut(picture)
    assert found.left < 0 and (cut[:, : -found.left] == 0).all()
    assert np.abs(cut.astype(int) - wanted).max() <= 1
    with pytest.raises(ShapeError, match="was aligned as one of"):
        found.cut(picture[:100])


def test_a_tiny_face_in_a_large_picture_costs_no_huge_picture() -> None:
    points = np.array([[700.0, 500], [702, 500], [701, 501], [700.2, 502], [701.8, 502]])
    found = align(points, (2000, 3000))
    assert max(found.resized) > 50_000
    assert found.cut(np.full((2000, 3000, 3), 77, np.uint8)).min() == 77


def test_sixty_eight_points_give_the_middle_of_each_eye() -> None:
    points = RANDOM.normal(size=(68, 2))
    found = five_points(points)
    np.testing.assert_array_equal(found[0], (points[36] + points[39]) / 2)
    np.testing.assert_array_equal(found[2:], points[[30, 48, 54]])
    with pytest.raises(ShapeError, match="98 points"):
        five_points(np.zeros((98, 2)))


@pytest.mark.parametrize("points", [np.ones((5, 2)), np.full((68, 2), np.nan)])
def test_points_without_extent_are_refused(points: np.ndarray) -> None:
    with pytest.raises(ShapeError, match="one place, or are not numbers"):
        align(points, (256, 256))


def test_standard_points_are_read_from_the_users_file(tmp_path: Path) -> None:
    points = RANDOM.normal(size=(68, 3)).astype(np.float32)
    scipy.io.savemat(tmp_path / "lm.mat", {"lm": points})
    np.testing.assert_allclose(load_standard(tmp_path / "lm.mat"), five_points(points.astype(np.float64)))
    scipy.io.savemat(tmp_path / "lm.mat", {"lm": points[:60]})
    with pytest.raises(ShapeError, match=r"\(60, 3\)"):
        load_standard(tmp_path / "lm.mat")
    scipy.io.savemat(tmp_path / "lm.mat", {"other": points})
    with pytest.raises(WeightsError, match="lacks lm; it has other"):
        load_standard(tmp_path / "lm.mat")


@pytest.mark.skipif(not FIVE.is_dir(), reason="shared test data is not here")
@pytest.mark.parametrize("name", ["000002.jpg", "000050.jpg", "vd070.png", "vd102.png"])
def test_real_faces_stand_upright_in_the_middle_of_the_crop(name: str) -> None:
    picture, points = read_image(FIVE / name), np.loadtxt((FIVE / name).with_suffix(".txt"))
    found = align(points, picture.shape[:2])
    inside = found.crop.to_crop(points)
    wanted = np.stack([102 * MEASURED[:, 0] + 112, 111 - 102 * MEASURED[:, 1]], 1)
    # Heads are turned, which moves the tip of the nose most.
    assert np.abs(inside - wanted)[[0, 1, 3, 4]].max() < 15 and np.abs(inside - wanted).max() < 30
    assert found.cut(picture).std() > 20
