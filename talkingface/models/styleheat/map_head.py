"""The head that makes a scale or a shift for the generator's features, in HFGI and in the calibrator alike."""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor, nn

from ...nn.stylegan2.layers import EqualConv2d

SLOPE = 0.2


class ScaledLeakyReLU(nn.Module):
    """Leaky ReLU times the square root of 2, which keeps the variance of what goes through it."""

    def forward(self, x: Tensor) -> Tensor:
        return F.leaky_relu(x, SLOPE) * math.sqrt(2)


def map_head(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """Two 3 x 3 convolutions: (N, inputs, H, W) -> (N, outputs, H, W)."""
    return nn.Sequential(
        EqualConv2d(inputs, hidden, 3, padding=1), ScaledLeakyReLU(), EqualConv2d(hidden, outputs, 3, padding=1)
    )
