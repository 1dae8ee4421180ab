"""Random augmentation of training items, on whole batches of frames."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from .settings import AugmentSettings

_LUMA = np.array([0.299, 0.587, 0.114])
# RGB to luma and the two colour differences of YIQ, in whose plane the hue is an angle.
_YIQ = np.array([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
_RGB = np.linalg.inv(_YIQ)


@dataclass(frozen=True)
class Augmentation:
    """Augmentation of one item.

    Attributes:
        mirror: exchange left and right.
        colour: (3, 3), takes RGB to RGB before the contrast.
        contrast: factor about the mean grey.
        crop_from_item: (2, 3), takes (x, y) of the new picture to the old one, both in [-1, 1] over the picture
            (borders of the outer pixels, as ``align_corners=False``).
    """

    mirror: bool
    colour: np.ndarray
    contrast: float
    crop_from_item: np.ndarray


def draw_augmentation(settings: AugmentSettings, random: np.random.Generator) -> Augmentation:
    """Draw the augmentation of an item; the number of random numbers drawn does not depend on the settings."""
    unit = random.uniform(-1, 1, size=9)
    mirror = settings.horizontal_flip and unit[0] < 0
    colour = (1 + settings.brightness * unit[1]) * _saturate(1 + settings.saturation * unit[2])
    colour = colour @ _turn_hue(settings.hue * unit[3])
    scale = 1 - settings.crop * (unit[5] + 1) / 2
    shift = (1 - scale) * unit[6:8]
    matrix = _crop_matrix(scale, math.radians(settings.rotation_deg) * unit[4], shift)
    return Augmentation(bool(mirror), colour, float(1 + settings.contrast * unit[8]), matrix)


def augment_batch(batch: Tensor, drawn: list[Augmentation], settings: AugmentSettings) -> Tensor:
    """Augment the items of a batch.

    Args:
        batch: (N, n, H, W, 3) uint8, RGB; the n frames of an item are changed alike.
        drawn: one augmentation per item.
        settings: settings that they were drawn from; operations that are off are skipped.

    Returns:
        (N, n, 3, H, W) float32 in [0, 1].
    """
    pictures = batch.permute(0, 1, 4, 2, 3)
    mirrored = [item.flip(-1) if own.mirror else item for item, own in zip(pictures, drawn, strict=True)]
    values = torch.stack(mirrored).float().div_(255)
    if settings.crop or settings.rotation_deg:
        values = _resample(values, drawn)
    if settings.brightness or settings.contrast or settings.saturation or settings.hue:
        values = _recolour(values, drawn)
    return values


def _recolour(values: Tensor, drawn: list[Augmentation]) -> Tensor:
    """Apply the colour jitter as one matrix and one offset per item to (N, n, 3, H, W).

    It is clamped once at the end, where the published jitter clamps after each of its steps, and uses the mean grey of
    the item, not of each frame, so that frames of an item stay comparable.
    """
    colour = torch.tensor(np.stack([own.colour for own in drawn]), dtype=torch.float32)
    contrast = torch.tensor([own.contrast for own in drawn])
    mean = torch.einsum("ncd,nd->nc", colour, values.mean(dim=(1, 3, 4)))
    grey = mean @ torch.tensor(_LUMA, dtype=torch.float32)
    matrix = contrast[:, None, None] * colour
    offset = ((1 - contrast) * grey)[:, None, None, None]
    count, frames, _, height, width = values.shape
    flat = values.reshape(count, frames, 3, height * width)
    return (matrix[:, None] @ flat).add_(offset).clamp_(0, 1).reshape(count, frames, 3, height, width)


def _resample(values: Tensor, drawn: list[Augmentation]) -> Tensor:
    """Rotate and crop items, (N, n, 3, H, W); outside the picture is its mirror image."""
    count, frames, _, height, width = values.shape
    matrix = torch.tensor(np.stack([own.crop_from_item for own in drawn]), dtype=torch.float32)
    stacked = values.reshape(count, frames * 3, height, width)
    grid = functional.affine_grid(matrix, list(stacked.shape), align_corners=False)
    moved = functional.grid_sample(stacked, grid, padding_mode="reflection", align_corners=False)
    return moved.reshape(values.shape)


def _saturate(factor: float) -> np.ndarray:
    """Matrix that moves colours away from (factor > 1) or towards (< 1) their own grey."""
    return factor * np.eye(3) + (1 - factor) * np.outer(np.ones(3), _LUMA)


def _turn_hue(turns: float) -> np.ndarray:
    """Matrix that turns the hue and keeps the luma."""
    cosine, sine = math.cos(2 * math.pi * turns), math.sin(2 * math.pi * turns)
    rotation = np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]])
    return _RGB @ rotation @ _YIQ


def _crop_matrix(scale: float, angle_rad: float, shift: np.ndarray) -> np.ndarray:
    """Matrix (2, 3) from (x, y) of the new picture to the old one: rotation and scale about the centre, then shift."""
    cosine, sine = scale * math.cos(angle_rad), scale * math.sin(angle_rad)
    return np.array([[cosine, -sine, shift[0]], [sine, cosine, shift[1]]])
