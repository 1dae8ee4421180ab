"""The discriminator, which scores how real pictures look."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from ...errors import ShapeError
from .layers import ConvLayer, EqualLinear, ResBlock
from .structure import SMALLEST, StyleGAN2Structure

GROUP = 4
_EPSILON = 1e-8


class Discriminator(nn.Module):
    """Residual discriminator. Of the structure it uses the size and the channels."""

    def __init__(self, structure: StyleGAN2Structure | None = None) -> None:
        super().__init__()
        self.structure = structure = structure or StyleGAN2Structure()
        sides = [structure.size >> halving for halving in range(structure.doublings + 1)]
        channels = [structure.channels(side) for side in sides]
        blocks = [ResBlock(fine, coarse) for fine, coarse in pairwise(channels)]
        self.convs = nn.Sequential(ConvLayer(3, channels[0], 1), *blocks)
        last = channels[-1]
        self.final_conv = ConvLayer(last + 1, last, 3)
        self.final_linear = nn.Sequential(EqualLinear(last * SMALLEST**2, last, activate=True), EqualLinear(last, 1))

    def forward(self, pictures: Tensor) -> Tensor:
        """Pictures (N, 3, size, size) in [-1, 1] -> scores (N, 1), higher for those that look real.

        Raises:
            ShapeError: if N is more than 4 and no multiple of 4, or the size is another.
        """
        side = self.structure.size
        if tuple(pictures.shape[1:]) != (3, side, side):
            raise ShapeError(f"the discriminator takes pictures (N, 3, {side}, {side}), not {tuple(pictures.shape)}")
        features = with_deviation(self.convs(pictures))
        scores: Tensor = self.final_linear(self.final_conv(features).flatten(1))
        return scores


def with_deviation(features: Tensor) -> Tensor:
    """Features and a channel with the deviation within a group of pictures (Karras et al. 2018, section 3).

    It shows a lack of variety.

    Args:
        features: (N, C, H, W); picture i is in the group i modulo N / 4, all in one if N is less than 4.

    Raises:
        ShapeError: if N is no multiple of the group's size.
    """
    count, _, height, width = features.shape
    group = min(count, GROUP)
    if count % group:
        raise ShapeError(
            f"the discriminator compares groups of {group}, but got {count} pictures",
            cure=f"Make the batch a multiple of {group}, or smaller.",
        )
    members = features.unflatten(0, (group, count // group))
    deviation = torch.sqrt(members.var(dim=0, correction=0) + _EPSILON).mean(dim=(1, 2, 3))
    return torch.cat([features, deviation.repeat(group)[:, None, None, None].expand(-1, 1, height, width)], dim=1)
