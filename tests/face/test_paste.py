"""Pasting back: nothing outside changes, the same content stays, seams fade, colours follow."""

from __future__ import annotations

import numpy as np
import pytest

from talkingface.errors import ConfigError, ShapeError, UnknownNameError
from talkingface.face.crop.crop import Crop, square_crop
from talkingface.face.face import Box
from talkingface.face.paste.paste import Paster, colour_table, recolour
from talkingface.media.image import resize

BLENDS: tuple[str, ...] = ("soft", "poisson", "round")


def smooth(height: int, width: int, seed: int = 0) -> np.ndarray:
    """A picture without detail that a crop would lose."""
    small = np.random.default_rng(seed).integers(40, 216, (5, 6, 3), dtype=np.uint8)
    return resize(small, (height, width))


def turned(scale: float, angle: float = 0.3, size: int = 64) -> Crop:
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    return Crop(np.array([[cos, -sin, 80.0], [sin, cos, 40.0], [0, 0, 1]]), (size, size))


CROPS = {
    "same scale": square_crop(Box(60, 40, 124, 104), 64, (150, 200), scale=1.0),
    "smaller": square_crop(Box(60, 40, 120, 100), 64, (150, 200)),
    "larger": square_crop(Box(60, 40, 80, 60), 64, (150, 200)),
    "at the border": square_crop(Box(0, 0, 64, 64), 64, (150, 200), scale=1.0),
    "beyond the border": square_crop(Box(20, 10, 180, 140), 64, (150, 200)),
    "between pixels": square_crop(Box(60.3, 40.1, 102, 82), 64, (150, 200), whole=False),
    "turned": turned(1.0),
}


@pytest.mark.parametrize("blend", BLENDS)
@pytest.mark.parametrize("name", CROPS)
def test_the_same_content_stays(blend: str, name: str):
    picture, crop = smooth(150, 200), CROPS[name]
    pasted = Paster(picture, crop, blend).paste(crop.cut(picture))
    assert np.abs(pasted.astype(int) - picture).max() <= (1 if name in ("same scale", "at the border") else 3)


@pytest.mark.parametrize("blend", BLENDS)
@pytest.mark.parametrize("name", CROPS)
def test_pixels_outside_are_untouched_and_the_middle_is_the_result(blend: str, name: str):
    picture, crop = smooth(150, 200), CROPS[name]
    before, result = picture.copy(), np.zeros((64, 64, 3), np.uint8)
    paster = Paster(picture, crop, blend, match_colour=False)
    pasted = paster.paste(result)
    left, top, right, bottom = paster.region
    outside = np.ones((150, 200), bool)
    outside[top:bottom, left:right] = paster.mask * 255 < 0.5
    np.testing.assert_array_equal(pasted[outside], picture[outside])
    np.testing.assert_array_equal(picture, before)
    assert outside.any() or name == "beyond the border"
    if blend != "poisson":
        x, y = np.rint(crop.to_picture(np.array([31.5, 31.5]))).astype(int)
        assert (pasted[y, x] == 0).all()


@pytest.mark.parametrize("name", CROPS)
def test_soft_borders_have_no_step(name: str):
    """Black on white: no step between neighbours is larger than the fade allows, but at the border of the picture."""
    picture, crop = np.full((150, 200, 3), 255, np.uint8), CROPS[name]
    pasted = Paster(picture, crop, match_colour=False).paste(np.zeros((64, 64, 3), np.uint8)).astype(int)
    step = 1.5 * 255 / (0.12 * 64 * crop.scale)
    assert np.abs(np.diff(pasted, axis=0)).max() <= step * 1.2 and np.abs(np.diff(pasted, axis=1)).max() <= step * 1.2


def test_sides_on_the_border_of_the_picture_do_not_fade():
    picture = np.full((150, 200, 3), 255, np.uint8)
    pasted = Paster(picture, CROPS["at the border"], match_colour=False).paste(np.zeros((64, 64, 3), np.uint8))
    assert (pasted[:30, :30] == 0).all()


def test_round_leaves_the_corners_and_neighbours_alone():
    picture, crop = np.full((150, 200, 3), 255, np.uint8), CROPS["same scale"]
    pasted = Paster(picture, crop, "round", ratio=0.4, match_colour=False).paste(np.zeros((64, 64, 3), np.uint8))
    radius = np.sqrt((pasted < 128).all(-1).sum() / np.pi)
    assert radius == pytest.approx(0.4 * 64, abs=0.5)
    narrow = Paster(picture, crop, "round", ratio=0.2, match_colour=False).paste(np.zeros((64, 64, 3), np.uint8))
    assert (narrow == 0).sum() < (pasted == 0).sum()


def test_colours_follow_the_first_result_only():
    picture, crop = smooth(150, 200), CROPS["same scale"]
    cut = crop.cut(picture)
    tinted = (cut * np.array([0.9, 1.0, 1.1]) + (12, 0, -9)).clip(0, 255).astype(np.uint8)
    paster = Paster(picture, crop)
    assert np.abs(paster.paste(tinted).astype(int) - picture).max() <= 3
    brighter = paster.paste(np.minimum(tinted, 235) + 20).astype(int) - picture
    assert brighter[70, 80].mean() > 14
    unmatched = Paster(picture, crop, match_colour=False).paste(tinted)
    assert np.abs(unmatched.astype(int) - picture).max() > 8


def test_colours_are_matched_against_what_the_network_saw():
    """The original before it was treated is what results are compared with, whatever its size."""
    picture, crop = smooth(150, 200), CROPS["same scale"]
    seen = resize(crop.cut(picture), (32, 32))
    np.testing.assert_array_equal(
        Paster(picture, crop, source_crop=seen).paste(seen), Paster(picture, crop, match_colour=False).paste(seen)
    )


def test_tables_are_the_identity_where_nothing_differs():
    cut = smooth(40, 40)
    everywhere, levels = np.ones((40, 40), bool), np.arange(256)[:, None].repeat(3, 1)
    np.testing.assert_array_equal(colour_table(cut, cut, everywhere), levels)
    np.testing.assert_array_equal(colour_table(cut, cut + 9, ~everywhere), levels)
    np.testing.assert_array_equal(recolour(cut, colour_table(cut, cut, everywhere)), cut)
    flat = np.full_like(cut, 50)
    assert (recolour(flat, colour_table(flat, flat + 20, everywhere)) == 70).all()


def test_poisson_takes_light_and_colour_from_the_picture():
    picture, crop = smooth(150, 200), CROPS["same scale"]
    result = np.minimum(crop.cut(picture), 215) + 40
    pasted = Paster(picture, crop, "poisson", match_colour=False).paste(result)
    assert np.abs(pasted.astype(int) - picture).mean() < 1


@pytest.mark.parametrize("blend", BLENDS)
def test_several_faces_go_into_one_frame(blend: str):
    picture = smooth(150, 200)
    left, right = square_crop(Box(20, 40, 60, 80), 64, (150, 200)), square_crop(Box(130, 40, 170, 80), 64, (150, 200))
    dark = np.zeros((64, 64, 3), np.uint8)
    one = Paster(picture, left, blend, match_colour=False).paste(dark)
    both = Paster(picture, right, blend, match_colour=False).paste(dark, one)
    np.testing.assert_array_equal(both[:, :100], one[:, :100])
    assert (both[:, 100:] != one[:, 100:]).any()
    with pytest.raises(ShapeError, match="for a picture of"):
        Paster(picture, right, blend).paste(dark, one[:-1])


@pytest.mark.parametrize("blend", BLENDS)
def test_results_of_another_size_go_to_the_same_place(blend: str):
    picture, crop = smooth(150, 200), CROPS["smaller"]
    paster = Paster(picture, crop, blend)
    small, large = (paster.paste(crop.resized((side, side)).cut(picture)).astype(int) for side in (64, 128))
    assert np.abs(small - large).max() <= 3


@pytest.mark.parametrize("blend", BLENDS)
@pytest.mark.parametrize("shape", [(1, 1), (2, 5), (9, 3)])
def test_tiny_pictures(blend: str, shape: tuple[int, int]):
    picture = np.full((*shape, 3), 90, np.uint8)
    crop = square_crop(Box(0, 0, 2, 2), 16, shape)
    assert (Paster(picture, crop, blend).paste(crop.cut(picture)) == 90).all()


def test_wrong_wishes_are_named():
    picture = smooth(20, 20)
    with pytest.raises(UnknownNameError, match="Did you mean 'soft'"):
        Paster(picture, CROPS["turned"], "sfot")
    for ratio in (0.0, -1.0, 1.5, float("nan")):
        with pytest.raises(ConfigError, match="--ratio"):
            Paster(picture, turned(0.1), "round", ratio=ratio)
    with pytest.raises(ShapeError, match="outside"):
        Paster(picture, Crop.of_box(Box(30, 30, 50, 50), (16, 16)))
