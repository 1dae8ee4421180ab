"""Bringing the colours of a result to those of the picture it goes into."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..media.image import Picture

Table = NDArray[np.uint8]

LARGEST_GAIN = 1.25  # contrast is not changed by more than this, or its inverse
FLAT = 2.0  # grey levels; below this spread contrast says nothing


def colour_table(result: Picture, wanted: Picture, where: NDArray[np.bool_]) -> Table:
    """New values for the old ones of each channel, so that mean and spread become those wanted.

    Args:
        result, wanted: (H, W, 3), of the same size and subject.
        where: (H, W), pixels that count.

    Returns:
        (256, 3); the identity where nothing counts.
    """
    levels = np.arange(256.0)[:, None]
    if not where.any():
        return np.repeat(levels, 3, axis=1).astype(np.uint8)
    old, new = result[where].astype(np.float64), wanted[where].astype(np.float64)
    spreads = old.std(0), new.std(0)
    gain = np.where(np.minimum(*spreads) < FLAT, 1.0, spreads[1] / np.maximum(spreads[0], FLAT))
    gain = gain.clip(1 / LARGEST_GAIN, LARGEST_GAIN)
    return np.rint(((levels - old.mean(0)) * gain + new.mean(0)).clip(0, 255)).astype(np.uint8)


def recolour(picture: Picture, table: Table) -> Picture:
    """A picture (H, W, 3) with each channel's values replaced by those of the table (256, 3)."""
    return np.stack([np.take(table[:, channel], picture[..., channel]) for channel in range(3)], axis=-1)
