"""Upscaling of frames, by interpolation or by a network in tiles, so that memory does not grow with the picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor

Upscaler = Callable[[Tensor], Tensor]
"""Pictures (N, 3, h, w), RGB, [0, 1] -> (N, 3, 2 h, 2 w)."""

FACTOR = 2  # scale factor of the upscaler
TILE, OVERLAP = 384, 32  # pixels: side of a tile, and width of the context added around it


def enlarge(picture: Tensor, factor: int) -> Tensor:
    """Enlarge a picture (1, 3, H, W) in [0, 1] by a factor, bicubic, to (1, 3, H * factor, W * factor)."""
    if factor == 1:
        return picture
    return F.interpolate(picture, scale_factor=factor, mode="bicubic", align_corners=False).clamp(0, 1)


def upscale_by_network(picture: Tensor, upscaler: Upscaler, factor: int) -> Tensor:
    """Enlarge a picture by the upscaler, and scale the result to the given factor.

    Args:
        picture: (1, 3, H, W), RGB, [0, 1].
        upscaler: network that doubles a picture.
        factor: 1 or 2.

    Returns:
        (1, 3, H * factor, W * factor), [0, 1].
    """
    large = upscale_in_tiles(picture, upscaler)
    if factor != FACTOR:
        size = picture.shape[-2] * factor, picture.shape[-1] * factor
        large = F.interpolate(large, size=size, mode="bicubic", align_corners=False, antialias=True)
    return large.clamp(0, 1)


def upscale_in_tiles(picture: Tensor, upscaler: Upscaler) -> Tensor:
    """Double a picture (1, 3, H, W) tile by tile, to (1, 3, 2 H, 2 W); little more than a tile is done at once."""
    height, width = picture.shape[-2:]
    large = picture.new_empty(1, 3, height * FACTOR, width * FACTOR)
    for (top, bottom), (left, right) in _tiles(height, width):
        up, before = max(0, top - OVERLAP), max(0, left - OVERLAP)
        part = upscaler(picture[..., up : bottom + OVERLAP, before : right + OVERLAP])
        y, x = (top - up) * FACTOR, (left - before) * FACTOR
        down, across = (bottom - top) * FACTOR, (right - left) * FACTOR
        inner = part[..., y : y + down, x : x + across]
        large[..., top * FACTOR : bottom * FACTOR, left * FACTOR : right * FACTOR] = inner
    return large


def _tiles(height: int, width: int) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Yield rows and columns, (first, last + 1) each, of tiles that cover a picture evenly."""
    for rows in _spans(height):
        yield from ((rows, columns) for columns in _spans(width))


def _spans(length: int) -> list[tuple[int, int]]:
    count = max(1, -(-(length - 2 * OVERLAP) // TILE))
    edges = [length * number // count for number in range(count + 1)]
    return list(pairwise(edges))
