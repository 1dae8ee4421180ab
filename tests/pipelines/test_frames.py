"""Chunks, windows, and the way between uint8 and [0, 1]."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from talkingface.pipelines.draw.compose import grid, side_by_side
from talkingface.pipelines.frames import chunked, to_frames, to_tensor, windows


def test_every_level_survives_the_way_to_a_tensor_and_back():
    frame = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    tensor = to_tensor([frame, 255 - frame])
    assert tensor.shape == (2, 3, 16, 16)
    assert tensor.dtype == torch.float32
    assert tensor[0, 0, 0, 1].item() == pytest.approx(1 / 255)
    np.testing.assert_array_equal(to_frames(tensor), np.stack([frame, 255 - frame]))


def test_values_are_rounded_and_clipped():
    pictures = torch.tensor([-0.2, 0.4999 / 255, 0.5001 / 255, 1.3]).view(1, 1, 1, 4).expand(1, 3, 1, 4)
    assert to_frames(pictures)[0, 0, :, 0].tolist() == [0, 0, 1, 255]


def test_chunks_keep_order_and_lose_nothing():
    assert list(chunked(range(7), 3)) == [[0, 1, 2], [3, 4, 5], [6]]
    assert list(chunked([], 3)) == []


def test_windows_are_clamped_at_both_ends():
    assert list(windows(5, 2, radius=2)) == [
        (slice(0, 4), slice(0, 2)),
        (slice(0, 5), slice(2, 4)),
        (slice(2, 5), slice(2, 3)),
    ]


@pytest.mark.parametrize("size", [1, 3, 4, 11, 20])
@pytest.mark.parametrize("radius", [0, 1, 13])
def test_kept_frames_of_all_windows_are_the_clip(size, radius):
    clip = list(range(11))
    kept = [frame for window, keep in windows(len(clip), size, radius) for frame in clip[window][keep]]
    assert kept == clip


def flat(level: int) -> np.ndarray:
    return np.full((2, 3, 3), level, np.uint8)


def test_grid_fills_short_rows_with_black_and_leaves_empty_ones_out():
    picture = grid([[flat(10)], [flat(20), flat(30)], []])
    assert picture.shape == (4, 6, 3)
    assert picture[::2, ::3, 0].tolist() == [[10, 0], [20, 30]]


def test_grid_fills_lower_pictures_with_black():
    picture = grid([[flat(10), np.full((4, 1, 3), 20, np.uint8)], [flat(30)]])
    assert picture.shape == (6, 4, 3)
    assert picture[:, :, 0].tolist() == [[10] * 3 + [20]] * 2 + [[0] * 3 + [20]] * 2 + [[30] * 3 + [0]] * 2


def test_driving_pictures_take_the_height_of_the_result():
    row = side_by_side(flat(1), [np.full((4, 4, 3), 2, np.uint8), flat(3)], flat(4))
    assert [picture.shape[:2] for picture in row] == [(2, 3), (2, 2), (2, 3), (2, 3)]
    assert [int(picture.max()) for picture in row] == [1, 2, 3, 4]


def test_saved_motions_have_no_driving_picture():
    assert len(side_by_side(flat(1), [], flat(4))) == 2
