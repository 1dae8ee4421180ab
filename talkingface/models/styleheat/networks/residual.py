"""Networks that give the generator the residual of a picture's codes (HFGI, Wang et al. 2022, section 3)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ....nn.blocks.ir_se import IRBlock, first_layer
from ....nn.geometry.grids import resize_map
from ....nn.stylegan2.conditions import Affine
from ....nn.stylegan2.layers import EqualConv2d
from ..structure import ResidualStructure

SLOPE = 0.2


class ScaledLeakyReLU(nn.Module):
    """Leaky ReLU times the square root of 2, which keeps the variance; shape (N, C, H, W) stays."""

    def forward(self, x: Tensor) -> Tensor:
        return F.leaky_relu(x, SLOPE) * math.sqrt(2)


def map_head(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """Two 3 x 3 convolutions: (N, inputs, H, W) -> (N, outputs, H, W)."""
    return nn.Sequential(
        EqualConv2d(inputs, hidden, 3, padding=1), ScaledLeakyReLU(), EqualConv2d(hidden, outputs, 3, padding=1)
    )


def _blocks(widths: Sequence[int], *, halve: bool) -> nn.Sequential:
    """Blocks from width to width; the first may halve the size."""
    return nn.Sequential(
        *(IRBlock(a, b, 2 if halve and index == 0 else 1) for index, (a, b) in enumerate(pairwise(widths)))
    )


class ResidualAligner(nn.Module):
    """Moves a residual to where a generated (perhaps edited) picture has its face; 0.6 M parameters as published."""

    def __init__(self, structure: ResidualStructure | None = None) -> None:
        super().__init__()
        first, second, third, fourth = (structure or ResidualStructure()).aligner
        self.conv_layer1 = first_layer(6, first)
        self.conv_layer2 = _blocks((first, second, second, second), halve=True)
        self.conv_layer3 = _blocks((second, third, third, third), halve=True)
        self.conv_layer4 = _blocks((third, fourth, fourth, fourth), halve=True)
        self.dconv_layer1 = _blocks((fourth + third, fourth, second, second), halve=False)
        self.dconv_layer2 = _blocks((2 * second, second, first, first), halve=False)
        self.dconv_layer3 = _blocks((2 * first, first, 3, 3), halve=False)

    def forward(self, residual: Tensor, picture: Tensor) -> Tensor:
        """The residual (N, 3, H, W) as it fits the picture (N, 3, H, W) in [-1, 1]; H and W multiples of 8."""
        first = self.conv_layer1(torch.cat([residual, picture], dim=1))
        second = self.conv_layer2(first)
        third = self.conv_layer3(second)
        out = self.conv_layer4(third)
        for layer, skip in ((self.dconv_layer1, third), (self.dconv_layer2, second), (self.dconv_layer3, first)):
            out = layer(torch.cat([resize_map(out, (skip.shape[-2], skip.shape[-1])), skip], dim=1))
        aligned: Tensor = out
        return aligned


class ResidualEncoder(nn.Module):
    """The consultation encoder: an aligned residual -> a change of the generator's features; 5.7 M parameters."""

    def __init__(self, structure: ResidualStructure | None = None) -> None:
        super().__init__()
        s = structure or ResidualStructure()
        one, two, three = s.encoder
        self.conv_layer1 = first_layer(3, one)
        self.conv_layer2 = _blocks((one, two, two, two), halve=True)
        self.conv_layer3 = _blocks((two, three, three, three), halve=True)
        self.condition_scale3 = map_head(three, s.channels, s.channels)
        self.condition_shift3 = map_head(three, s.channels, s.channels)
        self.size = s.size

    def forward(self, residual: Tensor) -> Affine:
        """(N, 3, H, W) -> scale and shift, (N, channels, size, size) each."""
        out = self.conv_layer3(self.conv_layer2(self.conv_layer1(residual)))
        heads = (self.condition_scale3, self.condition_shift3)
        return Affine(*(resize_map(head(out), (self.size, self.size)) for head in heads))
