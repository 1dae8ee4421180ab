"""Ways to put a result back: how much of each pixel of the picture is the result's, and what it is fitted to first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...media.image import Picture
from ..crop.crop import Crop
from .mask import Mask, Region, border_mask, round_mask
from .poisson import clone

FEATHER = 0.12  # width of the soft border over the shorter side of the crop; faces keep a margin of a sixth
THIN = 0.05  # the same where the content itself is fitted to its border; much thinner, and the border trembles
ROUND_EDGE = 0.04  # soft edge of the disc, over the height of the crop
KEPT = 3  # outermost pixels of the crop whose differences stay the picture's own in seamless cloning

Size = tuple[int, int]


@dataclass(frozen=True)
class Blend:
    """A way to put a result back, as ``--paste`` names it.

    Attributes:
        mask: (the crop, left, top, right, bottom of the part of the picture that it covers, (height, width) of the
            picture, ``--ratio``) -> (height, width) of that part, float32: share of the result in each pixel, 0 to 1.
        fit: (the picture under the crop, the result), both (h, w, 3) uint8 -> what is pasted in the result's place;
            None pastes the result as it is.
    """

    mask: Callable[[Crop, Region, Size, float], Mask]
    fit: Callable[[Picture, Picture], Picture] | None = None


def _border(crop: Crop, region: Region, size: Size, width: float) -> Mask:
    """Mask that fades over ``width`` of the crop's shorter side, over one pixel at least."""
    return border_mask(crop, region, size, max(1.0, width * min(crop.size)))


def _soft_mask(crop: Crop, region: Region, size: Size, ratio: float) -> Mask:
    return _border(crop, region, size, FEATHER)


def _thin_mask(crop: Crop, region: Region, size: Size, ratio: float) -> Mask:
    return _border(crop, region, size, THIN)


def _disc_mask(crop: Crop, region: Region, size: Size, ratio: float) -> Mask:
    disc = round_mask(crop, region, ratio, max(1.0, ROUND_EDGE * crop.size[0]))
    return _border(crop, region, size, THIN) * disc


def _cloned(old: Picture, result: Picture) -> Picture:
    height, width = result.shape[:2]
    inside = np.zeros((height, width, 1), np.float32)
    inside[KEPT : max(KEPT, height - KEPT), KEPT : max(KEPT, width - KEPT)] = 1
    return np.rint(clone(old, result, inside).clip(0, 255)).astype(np.uint8)


SOFT = Blend(_soft_mask)
POISSON = Blend(_thin_mask, _cloned)
ROUND = Blend(_disc_mask)
