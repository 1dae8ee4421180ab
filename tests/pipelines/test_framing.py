"""The part of a picture that the model is shown: never distorted, inside the picture where the face allows it."""

from __future__ import annotations

import numpy as np
import pytest

from talkingface.face.crop.framing import (
    central_crop,
    face_crop,
    face_scale,
    full_size,
    moved_to,
    picture_part,
    subject_box,
    whole_crop,
    within,
)
from talkingface.face.face import Box
from talkingface.types import Square

SIZE = (64, 64)


def undistorted(crop) -> bool:
    (a, b), (c, d) = crop.matrix[:2, :2]
    return b == c == 0 and a == pytest.approx(d)


def test_a_face_has_half_its_side_more_around_it():
    crop = face_crop(Box(300, 200, 380, 300), SIZE, (720, 1280))
    assert crop.square is not None and crop.square.side == 150
    assert crop.box.center == pytest.approx((340, 250), abs=1)


@pytest.mark.parametrize(("word", "side"), [(None, 150), ("full", 150), ("extcrop", 220), ("extfull", 220)])
def test_extended_crops_show_more(word, side):
    crop = face_crop(Box(300, 200, 380, 300), SIZE, (720, 1280), face_scale(word))
    assert crop.square is not None and crop.square.side == side


@pytest.mark.parametrize("box", [Box(0, 0, 90, 100), Box(1190, 610, 1275, 715), Box(500, 20, 1000, 620)])
def test_a_crop_moves_and_shrinks_to_stay_inside(box):
    crop = face_crop(box, SIZE, (720, 1280))
    assert undistorted(crop) and within(crop, (720, 1280)) is not None
    assert crop.box.left <= box.left and crop.box.bottom >= box.bottom


def test_a_face_larger_than_the_picture_is_not_cut_for_it():
    crop = face_crop(Box(10, -20, 700, 680), SIZE, (640, 720))
    assert undistorted(crop) and crop.box.height > 700
    assert within(crop, (640, 720)) is None


def test_what_is_nearly_the_central_square_is_just_that():
    crop = face_crop(Box(48, 46, 208, 216), SIZE, (256, 256))
    assert crop.square == Square(0, 0, 256)


def test_a_large_face_off_centre_in_a_wide_picture_is_not_taken_for_the_centre():
    crop = face_crop(Box(900, 150, 1250, 600), SIZE, (720, 1280))
    assert crop.box.left < 900 and crop.box.right > 1250


@pytest.mark.parametrize("shape", [(720, 1280), (1200, 800), (331, 331), (64, 64), (1, 9)])
def test_central_square_is_as_large_as_can_be(shape):
    crop = central_crop(shape, SIZE)
    assert crop.square is not None and crop.square.side == min(shape)
    assert within(crop, shape) is not None
    assert (crop.square.left, crop.square.top) == ((shape[1] - min(shape)) // 2, (shape[0] - min(shape)) // 2)


@pytest.mark.parametrize("shape", [(720, 1280), (1200, 800), (331, 331), (2, 90)])
def test_the_whole_picture_is_fitted_undistorted_and_found_again(shape):
    crop = whole_crop(shape, SIZE)
    assert undistorted(crop)
    rows, columns = picture_part(shape, SIZE)
    height, width = rows.stop - rows.start, columns.stop - columns.start
    assert max(height, width) == 64 and height % 2 == width % 2 == 0
    assert min(height, width) == pytest.approx(max(2, 64 * min(shape) / max(shape)), abs=1)
    corners = crop.to_crop(np.array([[-0.5, -0.5], [shape[1] - 0.5, shape[0] - 0.5]])) + 0.5
    np.testing.assert_allclose(corners, [[columns.start, rows.start], [columns.stop, rows.stop]], atol=1)


def test_only_very_large_pictures_are_reduced():
    assert full_size((1200, 800)) == (1200, 800)
    assert full_size((6000, 4000)) == (1920, 1280)
    assert full_size((6000, 4000), limit=None) == (6000, 4000)


def test_a_crop_follows_its_picture_to_another_size():
    picture = np.zeros((80, 120, 3), np.uint8)
    picture[20:60, 40:80] = np.random.default_rng(0).integers(0, 256, (40, 40, 3))
    crop = face_crop(Box(49.5, 29.5, 69.5, 49.5), (40, 40), (80, 120))
    doubled = picture.repeat(2, axis=0).repeat(2, axis=1)
    moved = moved_to(crop, (80, 120), (160, 240))
    np.testing.assert_allclose(moved.box.center, np.array(crop.box.center) * 2 + 0.5)
    assert moved.box.side == pytest.approx(2 * crop.box.side)
    assert np.abs(moved.cut(doubled).astype(int) - crop.cut(picture)).mean() < 40


def test_a_subject_found_by_the_model_is_framed_as_it_was():
    crop = face_crop(subject_box(Square(130, 20, 60)), SIZE, (120, 200))
    assert crop.square == Square(130, 20, 60)
