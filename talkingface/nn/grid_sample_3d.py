"""Trilinear sampling of volumes made of gathers alone.

It gives the numbers of torch's `grid_sample` (on a CPU bit for bit) and goes where that one does not: few runtimes
know how to sample volumes.
"""

from __future__ import annotations

from itertools import product

import torch
from torch import Tensor


def _corners(coordinate: Tensor, length: int) -> tuple[tuple[Tensor, Tensor, Tensor], ...]:
    """For the cells before and behind points on an axis: number, weight, and whether there is such a cell.

    Args:
        coordinate: in [-1, 1], the outer edges of the border cells.
        length: cells along the axis.
    """
    place = ((coordinate + 1) * length - 1) / 2
    before = place.floor()
    behind = before + 1
    corners = []
    for cell, weight in ((before, behind - place), (behind, place - before)):
        inside = (cell >= 0) & (cell <= length - 1)  # false for NaN
        corners.append((torch.where(inside, cell, torch.zeros_like(cell)).long(), weight, inside))
    return tuple(corners)


def grid_sample_3d(volume: Tensor, field: Tensor) -> Tensor:
    """What `F.grid_sample` gives for volumes: trilinear, zeros outside, edges aligned (`align_corners=False`).

    Args:
        volume: (N, C, D, H, W).
        field: (N, d, h, w, 3), points (x, y, z).

    Returns:
        (N, C, d, h, w).
    """
    count, channels, depth, height, width = volume.shape
    points = field.flatten(1, 3)
    x, y, z = (_corners(points[..., axis], length) for axis, length in enumerate((width, height, depth)))
    cells = volume.flatten(2)
    out = torch.zeros((), dtype=volume.dtype, device=volume.device)
    # The order of corners and of factors is torch's, which makes the sums equal to the last bit.
    for (k, share_z, in_z), (j, share_y, in_y), (i, share_x, in_x) in product(z, y, x):
        inside = in_x & in_y & in_z
        weight = torch.where(inside, share_x * share_y * share_z, torch.zeros_like(share_x))
        number = ((k * height + j) * width + i)[:, None].expand(-1, channels, -1)
        out = out + cells.gather(2, number) * weight[:, None]
    return out.view(count, channels, *field.shape[1:4])
