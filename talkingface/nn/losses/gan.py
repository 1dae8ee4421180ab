"""The patch discriminator (Isola et al. 2017) and its losses: least squares, hinge and feature matching."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import spectral_norm

from ..blocks.hourglass import level_widths


def generator_loss(fake_scores: Tensor) -> Tensor:
    """Mean squared distance of the scores of made pictures from 1; a scalar (least squares, Mao et al. 2017)."""
    return (1 - fake_scores).square().mean()


def discriminator_loss(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    """Mean squared distance of the scores of real pictures from 1 and of made ones from 0; a scalar."""
    return (1 - real_scores).square().mean() + fake_scores.square().mean()


def feature_distance(real: Iterable[Tensor], fake: Iterable[Tensor], weights: Sequence[float]) -> Tensor | float:
    """Weighted sum over layers of the mean absolute difference of features, a scalar (Wang et al. 2018, section 3.2).

    The real features get no gradient.
    """
    return sum(
        weight * (a.detach() - b).abs().mean() for a, b, weight in zip(real, fake, weights, strict=False) if weight
    )


def hinge_generator_loss(fake_scores: Tensor) -> Tensor:
    """Mean of the scores of made pictures, times -1; a scalar (Lim and Ye 2017)."""
    return -fake_scores.mean()


def hinge_discriminator_loss(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    """Mean distance of scores of real pictures below 1 and of made ones above -1; a scalar."""
    return (1 - real_scores).relu().mean() + (1 + fake_scores).relu().mean()


class DiscriminatorBlock(nn.Module):
    """4 x 4 convolution without padding, instance norm, leaky ReLU, 2 x 2 mean; (N, in, H, W) -> (N, out, h, w)."""

    def __init__(self, in_channels: int, out_channels: int, *, norm: bool, pool: bool, sn: bool) -> None:
        super().__init__()
        conv = nn.Conv2d(in_channels, out_channels, 4)
        self.conv = spectral_norm(conv) if sn else conv
        self.norm = nn.InstanceNorm2d(out_channels, affine=True) if norm else None
        self.pool = pool

    def forward(self, x: Tensor) -> Tensor:
        out = self.conv(x)
        if self.norm is not None:
            out = self.norm(out)
        out = F.leaky_relu(out, 0.2)
        return F.avg_pool2d(out, 2) if self.pool else out


class PatchDiscriminator(nn.Module):
    """Blocks that halve the picture, and a score for each place of the rest.

    Args:
        in_channels: of its input.
        block_expansion: half the channels of the first block.
        max_features: most channels of any block.
        num_blocks: all but the last halve their input.
        sn: spectral norm on every convolution.
    """

    def __init__(self, in_channels: int, block_expansion: int, max_features: int, num_blocks: int, *, sn: bool) -> None:
        super().__init__()
        widths = [in_channels, *level_widths(2 * block_expansion, max_features, num_blocks)]
        last = num_blocks - 1
        self.down_blocks = nn.ModuleList(
            DiscriminatorBlock(inputs, outputs, norm=index != 0, pool=index != last, sn=sn)
            for index, (inputs, outputs) in enumerate(pairwise(widths))
        )
        conv = nn.Conv2d(widths[-1], 1, 1)
        self.conv = spectral_norm(conv) if sn else conv

    def score(self, maps: Tensor) -> tuple[list[Tensor], Tensor]:
        """Features after each block, and the scores (N, 1, h, w), of (N, C, H, W)."""
        features = []
        for block in self.down_blocks:
            maps = block(maps)
            features.append(maps)
        return features, self.conv(maps)

    def forward(self, image: Tensor) -> tuple[list[Tensor], Tensor]:
        """Features and scores, as `score`, of pictures (N, 3, H, W) in [0, 1]."""
        return self.score(image)
