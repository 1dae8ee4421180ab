"""Coordinates, heatmaps and warps of volumes; conventions as in geometry.py, with z along the depth."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .grid_sample_3d import grid_sample_3d


def _axis(length: int, like: Tensor) -> Tensor:
    return 2 * (torch.arange(length, dtype=like.dtype, device=like.device) / (length - 1)) - 1


def coordinate_grid_3d(depth: int, height: int, width: int, like: Tensor) -> Tensor:
    """Points (D, H, W, 3), (x, y, z) in [-1, 1], of the centres of all cells; `like` gives dtype and device."""
    x, y, z = _axis(width, like), _axis(height, like), _axis(depth, like)
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
    depth, height, width = size
    x = (_axis(width, points) - points[..., 0:1]).square()[..., None, None, :]
    y = (_axis(height, points) - points[..., 1:2]).square()[..., None, :, None]
    z = (_axis(depth, points) - points[..., 2:3]).square()[..., :, None, None]
    return torch.exp(-0.5 * (x + y + z) / variance)


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
