"""A discriminator that scores the patches of a picture, under the names of FOM's and face-vid2vid's."""

from __future__ import annotations

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import spectral_norm

from .hourglass import level_widths


class DiscriminatorBlock(nn.Module):
    """4 x 4 convolution without padding, instance norm, leaky ReLU, 2 x 2 mean."""

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
    """Blocks that halve the picture, and a score for each place of what is left.

    Args:
        in_channels: of what it sees.
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

    def judge(self, seen: Tensor) -> tuple[list[Tensor], Tensor]:
        """Features after each block, and the scores (N, 1, h, w), of (N, C, H, W)."""
        features = []
        for block in self.down_blocks:
            seen = block(seen)
            features.append(seen)
        return features, self.conv(seen)

    def forward(self, image: Tensor) -> tuple[list[Tensor], Tensor]:
        """`judge` of pictures (N, 3, H, W) in [0, 1]."""
        return self.judge(image)
