"""Pictures of the networks, (N, 3, H, W) in [-1, 1]: their sizes, and 8-bit copies of them."""

from __future__ import annotations

import torch
from torch import Tensor

from ....nn.geometry.grids import resize_map


def to_bytes(pictures: Tensor, *, truncate: bool = False) -> Tensor:
    """(N, 3, H, W) in [-1, 1] -> (N, H, W, 3), uint8, RGB; values outside the range are clamped.

    Args:
        truncate: round towards black, as the published code does, instead of to the nearest value.
    """
    values = (pictures.clamp(-1, 1) + 1) / 2 * 255
    return (values if truncate else values.round()).to(torch.uint8).permute(0, 2, 3, 1)


def resized(pictures: Tensor, side: int) -> Tensor:
    """(N, C, H, W) -> (N, C, side, side), bilinear without antialiasing, as everywhere in StyleHEAT."""
    return resize_map(pictures, (side, side))
