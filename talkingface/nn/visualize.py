"""Keypoints drawn on pictures."""

from __future__ import annotations

import colorsys

import torch
from torch import Tensor

from .geometry.grids import coordinate_grid


def palette(count: int, like: Tensor) -> Tensor:
    """`count` colours around the hue circle, (count, 3), RGB in [0, 1]."""
    colours = [colorsys.hsv_to_rgb(index / count, 1.0, 1.0) for index in range(count)]
    return torch.tensor(colours, dtype=like.dtype, device=like.device)


def draw_keypoints(images: Tensor, points: Tensor, radius: float = 0.03) -> Tensor:
    """Draw keypoints as discs, one colour for each keypoint.

    Args:
        images: (N, 3, H, W) in [0, 1].
        points: (N, K, 2), (x, y) in [-1, 1].
        radius: in units of [-1, 1].
    """
    height, width = images.shape[-2:]
    grid = coordinate_grid(height, width, like=images)
    out = images.clone()
    for index, colour in enumerate(palette(points.shape[1], images)):
        distance = (grid - points[:, index, None, None]).square().sum(dim=-1, keepdim=True).sqrt()
        # One pixel of soft edge, so that small pictures show round discs.
        cover = ((radius - distance) * height / 2 + 0.5).clamp(0, 1).permute(0, 3, 1, 2)
        out = out * (1 - cover) + colour.view(1, 3, 1, 1) * cover
    return out
