"""Seamless cloning: the equation itself, and what it must do to pictures."""

from __future__ import annotations

import numpy as np
import pytest

from talkingface.face.paste.blend import clone, solve


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (7, 3), (40, 31), (128, 97)])
def test_solutions_have_the_wanted_second_differences(shape: tuple[int, int]):
    bends = np.random.default_rng(0).normal(size=(*shape, 2)).astype(np.float32)
    kept = bends.copy()
    padded = np.pad(solve(bends), ((1, 1), (1, 1), (0, 0)))
    around = padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:]
    np.testing.assert_allclose(around - 4 * padded[1:-1, 1:-1], bends, atol=2e-4)
    np.testing.assert_array_equal(bends, kept)


def test_the_same_content_stays():
    picture = noise(30, 40, 3)
    np.testing.assert_allclose(clone(picture, picture), picture, atol=1e-3)


def test_another_brightness_is_taken_from_the_border():
    old = noise(30, 40, 3) // 2 + 40
    np.testing.assert_allclose(clone(old, old + 30), old, atol=1e-2)


def test_the_border_is_the_old_and_the_differences_are_the_new():
    old, new = noise(30, 40, 3), noise(40, 30, 3).transpose(1, 0, 2)
    result = clone(old, new)
    for side in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):
        np.testing.assert_array_equal(result[side], old[side])

    def bends(values: np.ndarray) -> np.ndarray:
        v = values.astype(np.float64)
        return v[:-2, 1:-1] + v[2:, 1:-1] + v[1:-1, :-2] + v[1:-1, 2:] - 4 * v[1:-1, 1:-1]

    np.testing.assert_allclose(bends(result), bends(new), atol=5e-3)


def test_nothing_comes_through_a_mask_of_zeros():
    old, new = noise(20, 20, 3), noise(20, 20, 3)[::-1]
    np.testing.assert_allclose(clone(old, new, np.zeros((20, 20, 1), np.float32)), old, atol=1e-3)


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 9, 3), (3, 3, 3)])
def test_tiny_pictures(shape: tuple[int, ...]):
    old, new = noise(*shape), noise(*shape)[::-1]
    result = clone(old, new)
    assert result.shape == shape and np.isfinite(result).all()
