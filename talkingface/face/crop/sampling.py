"""Sampling of a part of a picture by an affine map, without aliasing; the rest of the picture is not read."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.sparse import csr_array

from ...errors import ShapeError
from ...media.image import MAX_PIXELS, Picture, resize

Border = Literal["black", "edge", "reflect", "blur"]
Pixels = tuple[int, int, int, int]
Matrix = NDArray[np.float64]

REACH = 2.0  # of the bicubic kernel, in pixels of the coarser of the two grids
LARGEST_BLOCK = 4_500_000  # weights that are held at once; 36 MB


def sample(picture: Picture, matrix: Matrix, size: tuple[int, int], border: Border, pixels: Pixels | None) -> Picture:
    """Sample the part of a picture that a matrix takes the crop's points to; bicubic, averaging where it shrinks.

    Args:
        picture: (H, W, 3), uint8.
        matrix: (3, 3), crop to picture, pixel centres at whole numbers.
        size: (height, width) of the result.
        border: what lies outside the picture; ``"blur"`` is ``"reflect"`` here.
        pixels: the part, where it is upright and made of whole pixels: left, top, right, bottom (the last excluded).
    """
    if pixels is not None:
        return resize(take(picture, pixels, border), size)
    if matrix[0, 1] == 0 == matrix[1, 0] and matrix[0, 0] > 0 and matrix[1, 1] > 0:
        return _upright(picture, matrix, size, border)
    return _turned(picture, matrix, size, border)


def take(picture: Picture, pixels: Pixels, border: Border) -> Picture:
    """Cut whole pixels out of a picture; a view where they all lie inside.

    Args:
        picture: (H, W, 3), uint8.
        pixels: left, top, right, bottom, the last two excluded; any may lie outside.

    Raises:
        ShapeError: if it would have more than ``MAX_PIXELS``.
    """
    left, top, right, bottom = pixels
    height, width = picture.shape[:2]
    if left >= 0 and top >= 0 and right <= width and bottom <= height:
        return picture[top:bottom, left:right]
    if (right - left) * (bottom - top) > max(MAX_PIXELS, height * width):
        raise ShapeError(f"a crop of {right - left}x{bottom - top} pixels from a picture of {width}x{height}")
    rows, columns = np.arange(top, bottom), np.arange(left, right)
    if border in ("reflect", "blur"):
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


def _upright(picture: Picture, matrix: Matrix, size: tuple[int, int], border: Border) -> Picture:
    """A part whose edges lie between pixels: Pillow's own resampling takes such boxes."""
    height, width = size
    step_x, step_y = matrix[0, 0], matrix[1, 1]
    left, top = matrix[0, 2] + 0.5 - step_x / 2, matrix[1, 2] + 0.5 - step_y / 2
    right, bottom = left + step_x * width, top + step_y * height
    x, y = REACH * max(1.0, step_x), REACH * max(1.0, step_y)
    pixels = _outwards(left - x, top - y, right + x, bottom + y)
    box = (left - pixels[0], top - pixels[1], right - pixels[0], bottom - pixels[1])
    image = Image.fromarray(take(picture, pixels, border))
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC, box=box))


def _turned(picture: Picture, matrix: Matrix, size: tuple[int, int], border: Border) -> Picture:
    """A turned part: reduced by a whole factor where that loses nothing, then every pixel a weighted mean."""
    height, width = size
    linear = matrix[:2, :2]
    shrink = max(1, int(np.linalg.svd(linear, compute_uv=False)[1]))
    corners = np.array([[-0.5, -0.5], [width - 0.5, -0.5], [width - 0.5, height - 0.5], [-0.5, height - 0.5]])
    places = corners @ linear.T + matrix[:2, 2] + 0.5
    margin = (REACH + 1) * np.maximum(1, np.hypot(*linear.T)) + shrink
    left, top, right, bottom = _outwards(*(places.min(0) - margin), *(places.max(0) + margin))
    part = _reduced(take(picture, (left, top, right, bottom), border), shrink)
    local = matrix[:2].copy() / shrink
    local[:, 2] = (matrix[:2, 2] + 0.5 - (left, top)) / shrink - 0.5
    flat = part.reshape(-1, 3).astype(np.float32)
    means = [_weights(local.tobytes(), rows, width, part.shape[:2]) @ flat for rows in _blocks(local, size)]
    return np.rint(np.concatenate(means)).clip(0, 255).astype(np.uint8).reshape(height, width, 3)


def _reduced(part: Picture, shrink: int) -> Picture:
    """A picture at 1 / shrink of its size; what is left over at the right and below is dropped."""
    if shrink == 1:
        return part
    height, width = (side // shrink for side in part.shape[:2])
    image = Image.fromarray(np.ascontiguousarray(part[: height * shrink, : width * shrink]))
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))


def _taps(matrix: Matrix) -> tuple[int, int]:
    """Numbers of pixels of the picture, across and down, that make one of the crop."""
    x, y = np.maximum(1, np.hypot(matrix[:, 0], matrix[:, 1]))
    return int(np.ceil(2 * REACH * x)), int(np.ceil(2 * REACH * y))


def _blocks(matrix: Matrix, size: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """First and last + 1 row of parts that are small enough."""
    across, down = _taps(matrix)
    step = max(1, LARGEST_BLOCK // (size[1] * across * down))
    return ((row, min(row + step, size[0])) for row in range(0, size[0], step))


@lru_cache(maxsize=4)
def _weights(matrix_bytes: bytes, rows: tuple[int, int], width: int, shape: tuple[int, int]) -> csr_array:
    """The share of every pixel of a picture in every pixel of some rows of a crop; frames of a video have the same.

    Args:
        matrix_bytes: of (2, 3) float64, crop to picture.
        rows: first and last + 1 row of the crop.
        width: of the crop.
        shape: (height, width) of the picture, which reaches far enough beyond the rows.
    """
    matrix = np.frombuffer(matrix_bytes).reshape(2, 3)
    y, x = np.mgrid[rows[0] : rows[1], :width]
    points = np.stack([x.ravel(), y.ravel(), np.ones(x.size)])
    scale = np.maximum(1, np.hypot(matrix[:, 0], matrix[:, 1]))
    (columns, across), (lines, down) = (
        _kernel(place, reach, count) for place, reach, count in zip(matrix @ points, scale, _taps(matrix), strict=True)
    )
    pixels = lines[:, :, None] * shape[1] + columns[:, None, :]
    weights = down[:, :, None] * across[:, None, :]
    ends = np.arange(len(pixels) + 1) * pixels[0].size
    return csr_array((weights.ravel(), pixels.ravel(), ends), shape=(len(pixels), shape[0] * shape[1]))


def _kernel(places: Matrix, scale: float, count: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """(n, count) pixels around n places along an axis, and their weights (Keys' cubic, a = -1/2; they sum up to 1)."""
    first = np.floor(places - REACH * scale) + 1
    pixels = (first[:, None] + np.arange(count)).astype(np.int32)
    t = np.abs((pixels - places[:, None]) / scale)
    near, far = (1.5 * t - 2.5) * t * t + 1, ((-0.5 * t + 2.5) * t - 4) * t + 2
    weights = np.where(t < 1, near, np.where(t < 2, far, 0))
    weights /= weights.sum(1, keepdims=True)
    return pixels, weights.astype(np.float32)


def _outwards(left: float, top: float, right: float, bottom: float) -> Pixels:
    return int(np.floor(left)), int(np.floor(top)), int(np.ceil(right)), int(np.ceil(bottom))
