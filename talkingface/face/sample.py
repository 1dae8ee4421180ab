"""Sampling a part of a picture by an affine map, without aliasing and without a look at the rest of it."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import ShapeError
from ..media.image import MAX_PIXELS, Picture, resize

Border = Literal["black", "edge", "reflect"]
Pixels = tuple[int, int, int, int]

FINER = 2  # turned crops are sampled on a grid this much finer and then reduced


def sample(
    picture: Picture, matrix: NDArray[np.float64], size: tuple[int, int], pixels: Pixels | None, border: Border
) -> Picture:
    """The part of a picture that a matrix takes the crop's points to.

    Args:
        matrix: (3, 3), crop to picture, pixel centres at whole numbers.
        size: (height, width) of what comes out.
        pixels: the part, where it is upright and made of whole pixels: left, top, right, bottom (the last excluded).
    """
    if pixels is not None:
        return resize(take(picture, pixels, border), size)
    step_x, step_y = np.abs(matrix[:2, :2]).max(0)
    if abs(matrix[0, 1]) + abs(matrix[1, 0]) == 0 and matrix[0, 0] > 0 and matrix[1, 1] > 0:
        return _upright(picture, matrix, size, (float(step_x), float(step_y)), border)
    return _turned(picture, matrix, size, border)


def _upright(
    picture: Picture, matrix: NDArray[np.float64], size: tuple[int, int], steps: tuple[float, float], border: Border
) -> Picture:
    """A part whose edges lie between pixels: Pillow's own resampling takes such boxes."""
    height, width = size
    left, top = matrix[0, 2] + 0.5 - steps[0] / 2, matrix[1, 2] + 0.5 - steps[1] / 2
    right, bottom = left + steps[0] * width, top + steps[1] * height
    reach = (2 * max(1.0, steps[0]), 2 * max(1.0, steps[1]))  # of the bicubic kernel
    pixels = _outwards(left - reach[0], top - reach[1], right + reach[0], bottom + reach[1])
    part = take(picture, pixels, border)
    box = (left - pixels[0], top - pixels[1], right - pixels[0], bottom - pixels[1])
    return np.asarray(Image.fromarray(part).resize((width, height), Image.Resampling.BICUBIC, box=box))


def _turned(picture: Picture, matrix: NDArray[np.float64], size: tuple[int, int], border: Border) -> Picture:
    """A turned part: reduced by a whole factor, sampled on a finer grid, then brought to size."""
    height, width = size
    shrink = max(1, int(np.sqrt(abs(np.linalg.det(matrix[:2, :2])))))
    edges = np.array([[-0.5, width - 0.5, width - 0.5, -0.5], [-0.5, -0.5, height - 0.5, height - 0.5], [1, 1, 1, 1]])
    x, y = (matrix @ edges)[:2] + 0.5
    margin = 2 * shrink
    left, top, right, bottom = _outwards(x.min() - margin, y.min() - margin, x.max() + margin, y.max() + margin)
    part = Image.fromarray(take(picture, (left, top, right, bottom), border))
    if shrink > 1:
        part = part.reduce(shrink)
    # Pillow's matrices join positions measured from corners, not from pixel centres.
    (a, b), (c, d) = matrix[:2, :2] / shrink
    start_x = (matrix[0, 2] + 0.5 - left) / shrink - (a + b) / 2
    start_y = (matrix[1, 2] + 0.5 - top) / shrink - (c + d) / 2
    fine = (a / FINER, b / FINER, start_x, c / FINER, d / FINER, start_y)
    grid = (width * FINER, height * FINER)
    return np.asarray(part.transform(grid, Image.Transform.AFFINE, fine, Image.Resampling.BILINEAR).reduce(FINER))


def take(picture: Picture, pixels: Pixels, border: Border) -> Picture:
    """Whole pixels of a picture; a view where they all lie inside.

    Args:
        pixels: left, top, right, bottom, the last two excluded; any may lie outside.

    Raises:
        ShapeError: if it would be a picture of more than ``MAX_PIXELS``.
    """
    left, top, right, bottom = pixels
    height, width = picture.shape[:2]
    if left >= 0 and top >= 0 and right <= width and bottom <= height:
        return picture[top:bottom, left:right]
    if (right - left) * (bottom - top) > max(MAX_PIXELS, height * width):
        raise ShapeError(f"a crop of {right - left}x{bottom - top} pixels from a picture of {width}x{height}")
    rows, columns = np.arange(top, bottom), np.arange(left, right)
    if border == "reflect":
        return picture[_reflected(rows, height)[:, None], _reflected(columns, width)]
    part = picture[rows.clip(0, height - 1)[:, None], columns.clip(0, width - 1)]
    if border == "black":
        part[(rows < 0) | (rows >= height)] = 0
        part[:, (columns < 0) | (columns >= width)] = 0
    return part


def _reflected(places: NDArray[np.int_], length: int) -> NDArray[np.int_]:
    """Places outside 0 .. length - 1 mirrored at the border pixels, as often as it takes."""
    period = max(1, 2 * (length - 1))
    turned: NDArray[np.int_] = (length - 1) - np.abs(places % period - (length - 1))
    return turned


def _outwards(left: float, top: float, right: float, bottom: float) -> Pixels:
    return int(np.floor(left)), int(np.floor(top)), int(np.ceil(right)), int(np.ceil(bottom))
