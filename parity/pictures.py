"""Pictures that recorded cases are made with: drawn by a formula, and resized as OpenCV does."""

from __future__ import annotations

import numpy as np

from .draw import Array


def waves(parameters: Array, size: tuple[int, int]) -> Array:
    """Draw the picture of a few sine waves that the input ``picture_params`` of a case stands for.

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
    """Resize from two by two neighbours, whatever the factor, as OpenCV's INTER_LINEAR does.

    OpenCV counts in integers, with weights of 1/2048, and truncates twice, which darkens about every eighth pixel.

    Args:
        picture: (H, W, channels), uint8.
        size: (height, width) of the result.

    Returns:
        (height, width, channels), uint8.
    """
    (top, bottom, down), (left, right, across) = (
        _neighbours(old, new) for old, new in zip(picture.shape[:2], size, strict=True)
    )
    values = picture.astype(np.int64)
    rows = values[:, left] * across[0][:, None] + values[:, right] * across[1][:, None] >> 4
    upper, lower = rows[top] * down[0][:, None, None] >> 16, rows[bottom] * down[1][:, None, None] >> 16
    return (upper + lower + 2 >> 2).astype(np.uint8)


def _neighbours(old: int, new: int) -> tuple[Array, Array, Array]:
    """Pixels before and behind each of the `new` places along an axis, and their weights (2, new) times 2048."""
    places = ((np.arange(new) + 0.5) * (old / new) - 0.5).clip(0, old - 1)
    before = np.floor(places).astype(np.int64)
    share = places - before
    return before, np.minimum(before + 1, old - 1), np.rint(2048 * np.stack([1 - share, share])).astype(np.int64)
