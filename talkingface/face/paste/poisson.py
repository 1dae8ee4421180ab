"""Seamless cloning in a rectangle (Perez, Gangnet, Blake: Poisson Image Editing, 2003, section 2).

The result has the differences between neighbours of the new content and, along the border, the values of the old one.
Sine waves are the eigenvectors of the second difference on a rectangle with a border of zeros, so the equation is
solved by two sine transforms.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dstn, idstn

Values = NDArray[np.float32]


def clone(old: NDArray[np.uint8], new: NDArray[np.uint8], mask: Values | None = None) -> Values:
    """The new content, fitted to the old one along its border.

    Args:
        old, new: (H, W, channels).
        mask: (H, W, 1), share of the differences that come from ``new``, from 0 to 1; the rest come from ``old``.
            None takes all from ``new``.

    Returns:
        (H, W, channels), float32, not clipped; the outermost pixels are those of ``old``.
    """
    result = old.astype(np.float32)
    if min(result.shape[:2]) < 3:
        return result
    change = new.astype(np.float32) - result
    down, across = np.diff(change, axis=0)[:, 1:-1], np.diff(change, axis=1)[1:-1]
    if mask is not None:
        down, across = down * mask[:-1, 1:-1], across * mask[1:-1, :-1]
    result[1:-1, 1:-1] += solve(np.diff(down, axis=0) + np.diff(across, axis=1))
    return result


def solve(bends: Values) -> Values:
    """The values with given second differences (sum of the four neighbours less four times the value), and zero all
    around.

    Args:
        bends: (H, W, channels).
    """
    waves = dstn(bends, type=1, axes=(0, 1))
    waves /= _eigenvalues(*bends.shape[:2])[..., None]
    return np.asarray(idstn(waves, type=1, axes=(0, 1), overwrite_x=True), np.float32)


@lru_cache(maxsize=8)
def _eigenvalues(height: int, width: int) -> Values:
    """(height, width), of the second difference for the sine waves of 1, 2, ... half periods."""
    y, x = (2 * np.cos(np.pi * np.arange(1, side + 1) / (side + 1)) - 2 for side in (height, width))
    return np.asarray(y[:, None] + x, np.float32)
