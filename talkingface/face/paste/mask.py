"""How much of each picture pixel comes from a crop that is pasted back: from 0 (none) to 1 (all)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..crop.crop import Crop

Mask = NDArray[np.float32]
Region = tuple[int, int, int, int]
"""Left, top, right, bottom of a part of a picture in whole pixels; the last two are excluded."""


def region_of(crop: Crop, picture_size: tuple[int, int]) -> Region:
    """The pixels of a picture of (height, width) whose middle may lie in the crop; may be empty."""
    box = crop.box
    left, top = max(0, int(np.ceil(box.left))), max(0, int(np.ceil(box.top)))
    return left, top, min(picture_size[1], int(box.right) + 1), min(picture_size[0], int(box.bottom) + 1)


def border_mask(crop: Crop, region: Region, picture_size: tuple[int, int], feather: float) -> Mask:
    """Rises from 0 on the border of the crop to 1 further in, along an s-curve.

    Sides of the crop that lie on the border of the picture or beyond it do not fade: there is nothing to fade into.

    Args:
        feather: how far inside it is 1, in pixels of the crop; under 1 pixel the border is only smoothed.

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
    """A disc around the middle of the crop.

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
    """Whether the left and right, and the upper and lower sides of the crop have picture behind them."""
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
