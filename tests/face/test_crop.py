"""Crops: points there and back, analytic pictures, borders, squares around faces."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from talkingface.errors import ConfigError, FaceError, ShapeError
from talkingface.face.crop.crop import Crop, square_crop
from talkingface.face.crop.published import MODES, face_square, ffhq_crop, sadtalker_crop
from talkingface.face.crop.sampling import Border, take
from talkingface.face.face import Box
from talkingface.media.image import cut_square, resize
from talkingface.types import Square

ANGLES = st.floats(-3.2, 3.2)
PLACES = st.floats(-500, 500)
SCALES = st.floats(0.05, 40)
MIDDLE = np.array([125.0, 95.0])
GRADIENTS = np.array([[1.8, 0.0], [0.0, 1.8], [1.2, -1.2]])  # of red, green, blue along x and y, grey levels a pixel


def turned(x: float, y: float, scale: float, angle: float, size: tuple[int, int] = (24, 32)) -> Crop:
    """A crop whose middle is at (x, y) of the picture."""
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    linear = np.array([[cos, -sin], [sin, cos]])
    start = np.array([x, y]) - linear @ [(size[1] - 1) / 2, (size[0] - 1) / 2]
    return Crop(np.vstack([np.column_stack([linear, start]), (0, 0, 1)]), size)


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def gradient(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.rint(gradient_at(np.stack([x, y], -1)).clip(0, 255)).astype(np.uint8)


def gradient_at(points: np.ndarray) -> np.ndarray:
    return (points - MIDDLE) @ GRADIENTS.T + 127


def crop_grid(crop: Crop) -> np.ndarray:
    y, x = np.mgrid[: crop.size[0], : crop.size[1]]
    return crop.to_picture(np.stack([x, y], -1))


@given(PLACES, PLACES, SCALES, ANGLES, st.lists(st.tuples(PLACES, PLACES), min_size=1, max_size=5))
def test_points_go_there_and_back(x: float, y: float, scale: float, angle: float, points: list[tuple[float, float]]):
    crop = turned(x, y, scale, angle)
    there = crop.to_picture(np.array(points))
    np.testing.assert_allclose(crop.to_crop(there), points, atol=1e-6)
    np.testing.assert_allclose(crop.matrix @ crop.inverse, np.eye(3), atol=1e-9)
    assert crop.scale == pytest.approx(scale)


@settings(deadline=None, max_examples=40)
@given(st.floats(-3.2, 3.2), st.floats(0.3, 2.9), st.floats(-3, 3), st.floats(-3, 3))
def test_a_gradient_is_cut_exactly(angle: float, scale: float, x: float, y: float):
    """Half a pixel off anywhere would show as 0.9 grey levels in the mean; rounding alone gives up to a half."""
    crop = turned(MIDDLE[0] + x, MIDDLE[1] + y, scale, angle)
    difference = crop.cut(gradient(200, 250)).astype(float) - gradient_at(crop_grid(crop))
    assert np.abs(difference).max() < 1.8
    assert np.abs(difference.mean((0, 1))).max() < 0.55


@pytest.mark.parametrize("scale", [0.5, 0.61, 1.0, 1.37, 2.0, 2.7])
@pytest.mark.parametrize("shift", [0.0, 0.3])
def test_upright_crops_follow_the_same_rule(scale: float, shift: float):
    crop = turned(*(MIDDLE + shift), scale, 0.0)
    assert crop.is_upright
    difference = crop.cut(gradient(200, 250)).astype(float) - gradient_at(crop_grid(crop))
    assert np.abs(difference).max() < 1.8
    assert np.abs(difference.mean((0, 1))).max() < 0.55


def test_a_hardly_turned_crop_is_nearly_the_upright_one():
    picture = resize(noise(40, 50), (200, 250))
    for scale in (0.7, 1.3, 1.9):
        upright, turn = turned(120.3, 90.2, scale, 0.0), turned(120.3, 90.2, scale, 1e-5)
        assert np.abs(upright.cut(picture).astype(int) - turn.cut(picture)).max() <= 2


@pytest.mark.parametrize("square", [Square(0, 0, 90), Square(13, 5, 60), Square(30, 10, 80), Square(7, 7, 32)])
def test_whole_pixels_are_cut_as_before(square: Square):
    picture = noise(90, 120)
    edges = (square.left - 0.5, square.top - 0.5, square.left + square.side - 0.5, square.top + square.side - 0.5)
    crop = Crop.of_box(Box(*edges), (32, 32))
    assert crop.square == square
    np.testing.assert_array_equal(crop.cut(picture), resize(cut_square(picture, square), (32, 32)))


def test_a_quarter_turn_is_exact():
    picture = noise(31, 31)
    crop = turned(15, 15, 1.0, np.pi / 2, (31, 31))
    np.testing.assert_array_equal(crop.cut(picture), np.rot90(picture))


def test_reductions_do_not_alias():
    """Stripes finer than the crop can show become an even grey, whatever the angle."""
    stripes = np.zeros((400, 400, 3), np.uint8)
    stripes[:, ::2] = 255
    for angle, scale in ((0.0, 4.3), (0.2, 4.0), (0.5, 3.2), (0.2, 1.9), (0.3, 5.2)):
        crop = turned(200, 200, scale, angle, (40, 40))
        assert np.abs(crop.cut(stripes).astype(int) - 127).max() < 26, (angle, scale)


@pytest.mark.parametrize("angle", [0.0, 0.4])
def test_what_lies_outside_is_filled(angle: float):
    picture = np.full((50, 60, 3), 200, np.uint8)
    picture[:, :45] = (0, 100, 0)
    crop = turned(0, 25, 1.5, angle, (40, 40))
    borders: tuple[Border, ...] = ("black", "edge", "reflect", "blur")
    black, edge, reflect, blur = (crop.cut(picture, border=border) for border in borders)
    assert (black[18:22, :8] == 0).all()
    for filled in (edge, reflect):
        np.testing.assert_array_equal(filled[18:22, :8], np.broadcast_to((0, 100, 0), (4, 8, 3)))
    inside = ((crop_grid(crop) >= 0) & (crop_grid(crop) < (60, 50))).all(-1)
    np.testing.assert_array_equal(blur[inside], reflect[inside])


def test_mirroring_repeats_as_often_as_it_takes():
    picture = np.arange(3, dtype=np.uint8)[None, :, None].repeat(3, 2)
    assert take(picture, (-5, 0, 8, 1), "reflect")[0, :, 0].tolist() == [1, 0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2, 1]
    assert take(picture[:, :1], (-2, -2, 3, 3), "reflect").shape == (5, 5, 3)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (2, 1), (3, 3)])
@pytest.mark.parametrize("angle", [0.0, 0.3])
def test_tiny_pictures(shape: tuple[int, int], angle: float):
    picture = np.full((*shape, 3), 77, np.uint8)
    for border in ("edge", "reflect", "blur"):
        assert (turned(0.2, 0.1, 0.13, angle, (9, 8)).cut(picture, border=border) == 77).all()


def test_large_crops_are_computed_in_parts(monkeypatch: pytest.MonkeyPatch):
    picture, crop = noise(120, 120), turned(60, 60, 1.3, 0.3, (64, 48))
    whole = crop.cut(picture)
    monkeypatch.setattr("talkingface.face.crop.sampling.LARGEST_BLOCK", 48 * 36 * 5)
    np.testing.assert_array_equal(crop.cut(picture), whole)


def test_absurd_crops_are_refused():
    with pytest.raises(ShapeError, match="20000x20000"):
        Crop.of_box(Box(-10000.5, -10000.5, 9999.5, 9999.5), (8, 8)).cut(noise(9, 9))
    for matrix in (np.zeros((3, 3)), np.full((3, 3), np.nan), np.eye(2)):
        with pytest.raises(ShapeError):
            Crop(matrix, (4, 4))


def test_resized_crops_show_the_same_part():
    crop = turned(40, 30, 1.2, 0.4)
    np.testing.assert_allclose(crop.resized((48, 64)).corners, crop.corners)
    np.testing.assert_allclose(crop.resized((48, 64)).resized(crop.size).matrix, crop.matrix)


@settings(deadline=None)
@given(
    st.floats(-20, 320), st.floats(-20, 220), st.floats(4, 400), st.floats(4, 400), st.floats(0.8, 2.5), st.booleans()
)
def test_square_crops(x: float, y: float, width: float, height: float, scale: float, whole: bool):
    """They keep their shape, lie inside where they fit, hold the picture where they do not, and hold the face."""
    box = Box(x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    crop = square_crop(box, 64, (200, 300), scale=scale, whole=whole)
    side = crop.box.width
    assert crop.box.height == pytest.approx(side)
    assert side == pytest.approx(max(width, height) * scale, abs=0.51 if whole else 1e-6)
    if whole:
        assert crop.square is not None
    for low, high, available in ((crop.box.left, crop.box.right, 300), (crop.box.top, crop.box.bottom, 200)):
        if side <= available:
            assert low >= -0.5 - 1e-6 and high <= available - 0.5 + 1e-6
        else:
            assert low <= -0.5 + 1e-6 and high >= available - 0.5 - 1e-6
    inside = min(side, 300) * min(side, 200) / side**2
    assert crop.outside == pytest.approx(1 - inside, abs=0.04)


def test_square_crops_stay_where_the_face_is():
    crop = square_crop(Box(100, 80, 140, 130), 256, (300, 400))
    assert crop.square == Square(83, 68, 75)
    assert crop.outside == 0


def test_oblong_crops_are_not_distorted():
    crop = square_crop(Box(100, 80, 140, 120), (128, 256), (300, 400))
    assert crop.box.width == pytest.approx(2 * crop.box.height)
    assert crop.box.height == pytest.approx(60)


def landmarks(angle: float, scale: float = 1.0, x: float = 150.0, y: float = 120.0) -> np.ndarray:
    """Eyes and mouth of a schematic face, turned clockwise on the screen."""
    points = np.zeros((68, 2))
    points[36:42], points[42:48] = (-30, 0), (30, 0)
    points[48], points[54] = (-20, 60), (20, 60)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return points @ (scale * turn).T + (x, y)


@given(ANGLES, st.floats(0.1, 10))
def test_the_ffhq_square_turns_and_grows_with_the_face(angle: float, scale: float):
    still, square = face_square(landmarks(0.0)), face_square(landmarks(angle, scale))
    assert still.side == pytest.approx(240)  # 2 x 2 x 60 (eyes) is more than 2 x 1.8 x 60 (to the mouth)
    assert square.side == pytest.approx(scale * still.side)
    assert np.arctan2(*square.across[::-1]) == pytest.approx(np.arctan2(np.sin(angle), np.cos(angle)), abs=1e-6)
    np.testing.assert_allclose(ffhq_crop(landmarks(angle, scale), 64).corners, square.corners[[0, 3, 2, 1]])


def test_the_ffhq_crop_is_upright_on_the_face():
    """Eyes come to one height and to the same place, whatever the angle."""
    places = [ffhq_crop(landmarks(angle), 256).to_crop(landmarks(angle)[[36, 42]]) for angle in (0.0, 0.5, -1.2)]
    for place in places:
        np.testing.assert_allclose(place, places[0], atol=1e-6)
    assert places[0][0, 1] == pytest.approx(places[0][1, 1])


def test_a_face_without_extent_is_refused():
    with pytest.raises(FaceError, match="one place"):
        face_square(np.ones((68, 2)))


@pytest.mark.parametrize("mode", MODES)
def test_sadtalker_modes_are_square_and_hold_the_face(mode: str):
    points = landmarks(0.1, x=150, y=210)
    crop = sadtalker_crop(mode, (256, 256), (400, 300), points)
    assert crop.box.width == pytest.approx(crop.box.height)
    inner = crop.to_crop(points[[36, 42, 48, 54]])
    assert (inner > 0).all() and (inner < 255).all()


def test_the_published_crop_loses_the_lower_end_of_high_parts():
    """Its lower edge is clamped to the width of the cut."""
    points = landmarks(0.0, x=60, y=150)
    ours, published = (sadtalker_crop("crop", (64, 64), (400, 120), points, published=fault) for fault in (False, True))
    assert published.box.bottom < ours.box.bottom
    assert published.box.width == pytest.approx(120)


def test_unknown_modes_and_missing_landmarks_are_named():
    with pytest.raises(ConfigError, match="Choose one of: crop, extcrop"):
        sadtalker_crop("corp", (64, 64), (99, 99))
    with pytest.raises(ConfigError, match="needs landmarks"):
        sadtalker_crop("full", (64, 64), (99, 99))
    assert sadtalker_crop("resize", (64, 64), (50, 100)).outside == pytest.approx(0.5)
