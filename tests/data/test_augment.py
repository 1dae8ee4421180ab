"""Augmentation against closed forms."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest
import torch
from torch import Tensor

from talkingface.data.augment import Augmentation, _turn_hue, augment_batch, draw_augmentation
from talkingface.data.loader import NO_AUGMENTATION
from talkingface.data.settings import AugmentSettings

IDENTITY = np.eye(2, 3)
ALL = AugmentSettings(crop=0.5, rotation_deg=90)


def random_batch(count: int = 1, frames: int = 2, size: int = 8) -> Tensor:
    values = np.random.default_rng(0).integers(60, 180, (count, frames, size, size, 3))
    return torch.from_numpy(values.astype(np.uint8))


def as_floats(batch: Tensor) -> Tensor:
    return batch.permute(0, 1, 4, 2, 3).float() / 255


def change(**values: object) -> Augmentation:
    return Augmentation(**{"mirror": False, "colour": np.eye(3), "contrast": 1.0, "crop_from_item": IDENTITY, **values})


def test_no_augmentation_changes_nothing() -> None:
    batch = random_batch(3)
    changes = [draw_augmentation(NO_AUGMENTATION, np.random.default_rng(n)) for n in range(3)]
    assert torch.equal(augment_batch(batch, changes, NO_AUGMENTATION), as_floats(batch))


def test_changes_at_their_neutral_values_change_nothing() -> None:
    batch = random_batch()
    assert torch.allclose(augment_batch(batch, [change()], ALL), as_floats(batch), atol=1e-6)


def test_mirrored_items_are_mirrored_in_all_frames() -> None:
    batch = random_batch(2)
    values = augment_batch(batch, [change(mirror=True), change()], NO_AUGMENTATION)
    assert torch.equal(values[0], as_floats(batch)[0].flip(-1))
    assert torch.equal(values[1], as_floats(batch)[1])


def test_contrast_spreads_about_the_mean_grey() -> None:
    batch = random_batch()
    values, plain = augment_batch(batch, [change(contrast=1.2)], AugmentSettings()), as_floats(batch)
    luma = torch.tensor([0.299, 0.587, 0.114])
    grey = (plain.mean(dim=(0, 1, 3, 4)) * luma).sum()
    assert torch.allclose(values, grey + 1.2 * (plain - grey), atol=1e-5)


def test_brightness_and_saturation_as_drawn() -> None:
    settings = AugmentSettings(hue=0, contrast=0, brightness=0.3, saturation=0.3)
    drawn = draw_augmentation(settings, np.random.default_rng(5))
    unit = np.random.default_rng(5).uniform(-1, 1, 9)
    bright, saturated = 1 + 0.3 * unit[1], 1 + 0.3 * unit[2]
    colour = np.array([0.5, 0.3, 0.2])
    grey = colour @ [0.299, 0.587, 0.114]
    assert drawn.colour @ colour == pytest.approx(bright * (grey + saturated * (colour - grey)))


def test_a_turn_of_hue_keeps_the_luma_and_a_third_cycles_the_primaries() -> None:
    turned = _turn_hue(1 / 3) @ np.array([1.0, 0, 0])
    assert turned @ [0.299, 0.587, 0.114] == pytest.approx(0.299, abs=1e-3)
    hue = colorsys.rgb_to_hsv(*np.clip(turned, 0, 1))[0]
    assert min(abs(hue - 1 / 3), abs(hue - 2 / 3)) < 0.06
    assert _turn_hue(1.0) == pytest.approx(np.eye(3), abs=1e-9)


def test_a_quarter_turn_is_exact() -> None:
    batch = random_batch()
    quarter = np.array([[0.0, -1, 0], [1, 0, 0]])
    values = augment_batch(batch, [change(crop_from_item=quarter)], ALL)
    assert torch.allclose(values, torch.rot90(as_floats(batch), 1, (-2, -1)), atol=1e-5)


def test_crops_stay_inside_and_are_as_large_as_promised() -> None:
    for seed in range(50):
        matrix = draw_augmentation(AugmentSettings(crop=0.4), np.random.default_rng(seed)).crop_from_item
        assert 0.6 <= matrix[0, 0] <= 1
        assert np.abs(matrix[:, 2]).max() + matrix[0, 0] <= 1 + 1e-9


def test_values_stay_in_range() -> None:
    settings = AugmentSettings(brightness=0.9, contrast=0.9, saturation=0.9, hue=0.5)
    batch = random_batch(8)
    changes = [draw_augmentation(settings, np.random.default_rng(n)) for n in range(8)]
    values = augment_batch(batch, changes, settings)
    assert values.min() >= 0 and values.max() <= 1
