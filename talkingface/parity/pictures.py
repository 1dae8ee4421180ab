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

    Args:
        picture: (H, W, channels), uint8.
        size: (height, width) of what comes out, uint8.
    """
    rows, columns = (_neighbours(old, new) for old, new in zip(picture.shape[:2], size, strict=True))
    values = picture.astype(np.float64)
    values = values[rows[0]] * (1 - rows[2])[:, None, None] + values[rows[1]] * rows[2][:, None, None]
    values = values[:, columns[0]] * (1 - columns[2])[:, None] + values[:, columns[1]] * columns[2][:, None]
    return np.rint(values).astype(np.uint8)


def _neighbours(old: int, new: int) -> tuple[Array, Array, Array]:
    """For each place along an axis the places before and behind it, and the weight of the one behind."""
    places = ((np.arange(new) + 0.5) * (old / new) - 0.5).clip(0, old - 1)
    before = np.floor(places).astype(np.int64)
    return before, np.minimum(before + 1, old - 1), places - before
