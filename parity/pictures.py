"""Pictures that recorded cases are made with: drawn by a formula, and resized as OpenCV does."""

from __future__ import annotations

import numpy as np

from .draw import Array


def waves(parameters: Array, size: tuple[int, int]) -> Array:
    """The picture of a few sine waves that cases with an input ``picture_params`` mean.

    Args:
        parameters: (3, n, 4) in [0, 1]: channels red, green, blue; waves; frequencies along x and y, phase, strength.
        size: (height, width).

    Returns:
        (height, width, 3), uint8.
    """
    height, width = size
    u = np.asarray(parameters, np.float64)
    across, down = (12 * u[..., 0] - 6) / width, (12 * u[..., 1] - 6) / height
    phase, strength = 2 * np.pi * u[..., 2], 0.04 + 0.1 * u[..., 3]
    y, x = np.mgrid[:height, :width]
    angles = 2 * np.pi * (x[..., None, None] * across + y[..., None, None] * down) + phase
    values = 0.5 + (strength * np.sin(angles)).sum(-1)
    return np.rint(255 * values.clip(0, 1)).astype(np.uint8)


def resize_bilinear(picture: Array, size: tuple[int, int]) -> Array:
    """Two by two neighbours, whatever the factor, as OpenCV's INTER_LINEAR: reductions alias.

    It counts in whole numbers, with weights of 1/2048, and cuts off twice, which darkens every eighth pixel or so.

    Args:
        picture: (H, W, channels), uint8.
        size: (height, width) of what comes out, uint8.
    """
    (top, bottom, down), (left, right, across) = (
        _neighbours(old, new) for old, new in zip(picture.shape[:2], size, strict=True)
    )
    values = picture.astype(np.int64)
    rows = values[:, left] * across[0][:, None] + values[:, right] * across[1][:, None] >> 4
    upper, lower = rows[top] * down[0][:, None, None] >> 16, rows[bottom] * down[1][:, None, None] >> 16
    return (upper + lower + 2 >> 2).astype(np.uint8)


def _neighbours(old: int, new: int) -> tuple[Array, Array, Array]:
    """For each place along an axis the places before and behind it, and (2, new) their weights times 2048."""
    places = ((np.arange(new) + 0.5) * (old / new) - 0.5).clip(0, old - 1)
    before = np.floor(places).astype(np.int64)
    share = places - before
    return before, np.minimum(before + 1, old - 1), np.rint(2048 * np.stack([1 - share, share])).astype(np.int64)
