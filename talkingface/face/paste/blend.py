"""Blends that put a result back: its share in each pixel of the picture, and the fit to the picture before that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dstn, idstn

from ...media.image import Picture
from ..crop.crop import Crop

Values = NDArray[np.float32]


def clone(old: NDArray[np.uint8], new: NDArray[np.uint8], mask: Values | None = None) -> Values:
    """Fit the new content to the old one along its border.

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
    """Solve for values with given second differences (four neighbours less four times the value), zero all around.

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


Mask = NDArray[np.float32]
Region = tuple[int, int, int, int]
"""Left, top, right, bottom of a part of a picture in whole pixels; the last two are excluded."""


def region_of(crop: Crop, picture_size: tuple[int, int]) -> Region:
    """The pixels of a picture of (height, width) whose middle may lie in the crop; may be empty."""
    box = crop.box
    left, top = max(0, int(np.ceil(box.left))), max(0, int(np.ceil(box.top)))
    return left, top, min(picture_size[1], int(box.right) + 1), min(picture_size[0], int(box.bottom) + 1)


def border_mask(crop: Crop, region: Region, picture_size: tuple[int, int], feather: float) -> Mask:
    """Mask that rises from 0 on the border of the crop to 1 further in, along an s-curve.

    Sides of the crop that lie on the border of the picture or beyond it do not fade: there is nothing to fade into.

    Args:
        feather: distance from the border at which it is 1, in pixels of the crop; below 1 it is only smoothed.

    Returns:
        (height, width) of the region.
    """
    points = _crop_points(crop, region)
    fades = _fading_sides(crop, picture_size)
    mask = np.ones(points.shape[:2])
    for axis, length in ((0, crop.size[1]), (1, crop.size[0])):
        before, behind = points[..., axis] + 0.5, length - 0.5 - points[..., axis]
        for side, distance in ((0, before), (1, behind)):
            mask *= _s_curve(distance / max(feather, 1e-6)) if fades[axis][side] else distance >= 0
    return mask.astype(np.float32)


def round_mask(crop: Crop, region: Region, ratio: float, feather: float) -> Mask:
    """Mask of a disc around the middle of the crop.

    Args:
        ratio: radius over the height of the crop.
        feather: width of its soft edge, half of it outside, in pixels of the crop.

    Returns:
        (height, width) of the region.
    """
    height, width = crop.size
    points = _crop_points(crop, region) - ((width - 1) / 2, (height - 1) / 2)
    inwards = ratio * height - np.hypot(points[..., 0], points[..., 1])
    return _s_curve(inwards / max(feather, 1e-6) + 0.5).astype(np.float32)


def _crop_points(crop: Crop, region: Region) -> NDArray[np.float64]:
    """(height, width, 2), where the pixels of a region are in the crop."""
    left, top, right, bottom = region
    y, x = np.mgrid[top:bottom, left:right]
    return crop.to_crop(np.stack([x, y], axis=-1))


def _fading_sides(crop: Crop, picture_size: tuple[int, int]) -> tuple[tuple[bool, bool], tuple[bool, bool]]:
    """((left, right), (upper, lower)): True for sides of the crop with picture behind them."""
    upper_left, upper_right, lower_right, lower_left = crop.corners
    height, width = picture_size

    def fades(*ends: NDArray[np.float64]) -> bool:
        x, y = np.stack(ends, axis=1)
        near = 0.5  # pixels; nearer to the border of the picture is on it
        beyond = (x <= near - 0.5, x >= width - 0.5 - near, y <= near - 0.5, y >= height - 0.5 - near)
        return not any(bool(side.all()) for side in beyond)

    across = fades(upper_left, lower_left), fades(upper_right, lower_right)
    return across, (fades(upper_left, upper_right), fades(lower_left, lower_right))


def _s_curve(share: NDArray[np.float64]) -> NDArray[np.float64]:
    """0 below 0, 1 above 1, and smooth between."""
    t = share.clip(0, 1)
    return np.asarray(t * t * (3 - 2 * t))


FEATHER = 0.12  # width of the soft border over the shorter side of the crop; faces keep a margin of a sixth
THIN = 0.05  # the same where the content itself is fitted to its border; much thinner, and the border flickers
ROUND_EDGE = 0.04  # soft edge of the disc, over the height of the crop
KEPT = 3  # outermost pixels of the crop whose differences stay the picture's own in seamless cloning

Size = tuple[int, int]


@dataclass(frozen=True)
class Blend:
    """A blend for paste-back, as ``--paste`` names it.

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
