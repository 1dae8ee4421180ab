"""Random changes of training items, on whole batches of frames."""

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
class Change:
    """How one item is changed.

    Attributes:
        mirror: left and right exchanged.
        colour: (3, 3), takes RGB to RGB before the contrast.
        contrast: factor about the mean grey.
        crop_from_item: (2, 3), takes (x, y) of the new picture to the old one, both in [-1, 1] over the picture
            (borders of the outer pixels, as ``align_corners=False``).
    """

    mirror: bool
    colour: np.ndarray
    contrast: float
    crop_from_item: np.ndarray


def draw_change(settings: AugmentSettings, random: np.random.Generator) -> Change:
    """Draw the change of an item; takes the same count of numbers from ``random`` whatever the settings."""
    unit = random.uniform(-1, 1, size=9)
    mirror = settings.horizontal_flip and unit[0] < 0
    colour = (1 + settings.brightness * unit[1]) * _saturate(1 + settings.saturation * unit[2])
    colour = colour @ _turn_hue(settings.hue * unit[3])
    scale = 1 - settings.crop * (unit[5] + 1) / 2
    shift = (1 - scale) * unit[6:8]
    matrix = _crop_matrix(scale, math.radians(settings.rotation_deg) * unit[4], shift)
    return Change(bool(mirror), colour, float(1 + settings.contrast * unit[8]), matrix)


def apply_changes(batch: Tensor, changes: list[Change], settings: AugmentSettings) -> Tensor:
    """Change the items of a batch.

    Args:
        batch: (N, n, H, W, 3) uint8, RGB; the n frames of an item are changed alike.
        changes: one per item.
        settings: what the changes were drawn from; what is switched off costs nothing.

    Returns:
        (N, n, 3, H, W) float32 in [0, 1].
    """
    pictures = batch.permute(0, 1, 4, 2, 3)
    mirrored = [item.flip(-1) if change.mirror else item for item, change in zip(pictures, changes, strict=True)]
    values = torch.stack(mirrored).float().div_(255)
    if settings.crop or settings.rotation_deg:
        values = _resample(values, changes)
    if settings.brightness or settings.contrast or settings.saturation or settings.hue:
        values = _recolour(values, changes)
    return values


def _recolour(values: Tensor, changes: list[Change]) -> Tensor:
    """All of the jitter as one matrix and one offset per item.

    Clamped once at the end, where the published jitter clamps after each of its steps, and with the mean grey of the
    item, not of each frame, so that frames of an item stay comparable.
    """
    colour = torch.tensor(np.stack([change.colour for change in changes]), dtype=torch.float32)
    contrast = torch.tensor([change.contrast for change in changes])
    mean = torch.einsum("ncd,nd->nc", colour, values.mean(dim=(1, 3, 4)))
    grey = mean @ torch.tensor(_LUMA, dtype=torch.float32)
    matrix = contrast[:, None, None] * colour
    offset = ((1 - contrast) * grey)[:, None, None, None]
    count, frames, _, height, width = values.shape
    flat = values.reshape(count, frames, 3, height * width)
    return (matrix[:, None] @ flat).add_(offset).clamp_(0, 1).reshape(count, frames, 3, height, width)


def _resample(values: Tensor, changes: list[Change]) -> Tensor:
    """Rotated and cropped items, (N, n, 3, H, W); outside the picture its mirror image."""
    count, frames, _, height, width = values.shape
    matrix = torch.tensor(np.stack([change.crop_from_item for change in changes]), dtype=torch.float32)
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
    """(2, 3), (x, y) of the new picture to the old one: turned and scaled about the centre, then shifted."""
    cosine, sine = scale * math.cos(angle_rad), scale * math.sin(angle_rad)
    return np.array([[cosine, -sine, shift[0]], [sine, cosine, shift[1]]])
