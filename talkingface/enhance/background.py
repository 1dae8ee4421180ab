"""Enlarging whole frames: by a network in tiles, so that memory does not grow with the picture, or by interpolation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor

Upscaler = Callable[[Tensor], Tensor]
"""Pictures (N, 3, h, w), RGB, [0, 1] -> (N, 3, 2 h, 2 w)."""

FACTOR = 2  # of the upscaler
TILE, OVERLAP = 384, 32  # pixels: side of a tile without, and width of what it sees around itself


def enlarged(picture: Tensor, factor: int) -> Tensor:
    """A picture (1, 3, H, W) so many times larger, bicubic; the picture itself for 1."""
    if factor == 1:
        return picture
    return F.interpolate(picture, scale_factor=factor, mode="bicubic", align_corners=False).clamp(0, 1)


def enhanced(picture: Tensor, upscaler: Upscaler, factor: int) -> Tensor:
    """A picture (1, 3, H, W) through the upscaler, at so many times its size.

    Returns:
        (1, 3, H * factor, W * factor), [0, 1].
    """
    large = upscaled(picture, upscaler)
    if factor != FACTOR:
        size = picture.shape[-2] * factor, picture.shape[-1] * factor
        large = F.interpolate(large, size=size, mode="bicubic", align_corners=False, antialias=True)
    return large.clamp(0, 1)


def upscaled(picture: Tensor, upscaler: Upscaler) -> Tensor:
    """A picture (1, 3, H, W) doubled, tile by tile; one that is little larger than a tile goes in one piece."""
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
    """Rows and columns, (first, last + 1) each, of tiles that cover a picture evenly."""
    for rows in _spans(height):
        yield from ((rows, columns) for columns in _spans(width))


def _spans(length: int) -> list[tuple[int, int]]:
    count = max(1, -(-(length - 2 * OVERLAP) // TILE))
    edges = [length * number // count for number in range(count + 1)]
    return list(pairwise(edges))
