"""Coordinates, heatmaps and warps of volumes; conventions as in grids.py, with z along the depth."""

from __future__ import annotations

from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor

from .grids import axis_points


def _corners(coordinate: Tensor, length: int) -> tuple[tuple[Tensor, Tensor, Tensor], ...]:
    """For the cells before and behind points on an axis: index, weight, and True if there is such a cell.

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
    """Sample a volume as `F.grid_sample` does: trilinear, zeros outside, edges aligned (`align_corners=False`).

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


def coordinate_grid_3d(depth: int, height: int, width: int, like: Tensor) -> Tensor:
    """Points (D, H, W, 3), (x, y, z) in [-1, 1], of the centres of all cells; `like` gives dtype and device."""
    x, y, z = axis_points(width, like), axis_points(height, like), axis_points(depth, like)
    shape = (depth, height, width)
    return torch.stack([x.expand(shape), y[:, None].expand(shape), z[:, None, None].expand(shape)], dim=-1)


def gaussian_heatmaps_3d(points: Tensor, size: tuple[int, int, int], variance: float) -> Tensor:
    """Draw points as Gaussian spots with peak 1.

    Args:
        points: (..., 3), (x, y, z) in [-1, 1].
        size: (depth, height, width).
        variance: in squared units of [-1, 1].

    Returns:
        (..., D, H, W).
    """
    x, y, z = (
        torch.exp(-0.5 * (axis_points(length, points) - points[..., axis, None]).square() / variance)
        for axis, length in enumerate(reversed(size))
    )
    return z[..., :, None, None] * (y[..., :, None] * x[..., None, :])[..., None, :, :]


def warp_3d(volume: Tensor, field: Tensor) -> Tensor:
    """Sample a volume (N, C, D, H, W) along a backward field (N, d, h, w, 3): (N, C, d, h, w).

    Trilinear; -1 and +1 are the outer edges of the border cells, and beyond them lies zero. Torch's own kernel is two
    to five times as fast on a CPU as the gathers of equal result that exported networks get.
    """
    if torch.onnx.is_in_onnx_export():
        return grid_sample_3d(volume, field)
    return F.grid_sample(volume, field, mode="bilinear", padding_mode="zeros", align_corners=False)


def resize_field_3d(field: Tensor, size: tuple[int, int, int]) -> Tensor:
    """Resize an (N, D, H, W, 3) field to `size` = (depth, height, width), edges aligned; its points stay points."""
    if tuple(field.shape[1:4]) == size:
        return field
    resized = F.interpolate(field.permute(0, 4, 1, 2, 3), size=size, mode="trilinear", align_corners=False)
    return resized.permute(0, 2, 3, 4, 1)
