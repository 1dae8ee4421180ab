"""How far a picture is from the one that it should be, without any other network's help."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

SIZES = 3  # full, half and quarter
MIDDLE, SPREAD = (0.0, 0.1), 0.45  # where faces are in framed pictures: (x, y) and deviation, in [-1, 1]


def reconstruction_loss(made: Tensor, real: Tensor, focus: float = 0.0, counts: Tensor | None = None) -> Tensor:
    """Mean absolute error of pictures (N, 3, H, W) over three sizes; a scalar.

    Args:
        focus: how much more the middle, where the face is, counts than the border.
        counts: how much more each pixel counts, (N, 1, H, W).
    """
    weight = 1 + focus * _middle(made) if focus else None
    if counts is not None:
        weight = counts + (1 if weight is None else weight)
    total = made.new_zeros(())
    for size in range(SIZES):
        if size:
            made, real = F.avg_pool2d(made, 2), F.avg_pool2d(real, 2)
            weight = None if weight is None else F.avg_pool2d(weight, 2)
        error = (made - real).abs()
        total = total + (error.mean() if weight is None else (error * weight).mean() / weight.mean())
    return total / SIZES


def _middle(like: Tensor) -> Tensor:
    """(1, 1, H, W), 1 in the middle of a face and falling off as a Gaussian."""
    height, width = like.shape[-2:]
    y, x = (torch.linspace(-1, 1, side, device=like.device, dtype=like.dtype) for side in (height, width))
    squares = (x - MIDDLE[0]).square() + (y - MIDDLE[1]).square()[:, None]
    return torch.exp(-squares / (2 * SPREAD**2))[None, None]
