"""U-Net over volumes: halves and doubles height and width, leaves depth alone."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...errors import ShapeError
from .conv3d import BatchNorm3d, DownBlock3d, UpBlock3d
from .hourglass import level_widths


class Encoder3d(nn.Module):
    """Halves its input `num_blocks` times and keeps every stage, the input first."""

    def __init__(self, in_channels: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.down_blocks = nn.ModuleList(DownBlock3d(a, b) for a, b in pairwise([in_channels, *widths[1:]]))

    def forward(self, x: Tensor) -> list[Tensor]:
        stages = [x]
        for block in self.down_blocks:
            stages.append(block(stages[-1]))
        return stages


class Decoder3d(nn.Module):
    """Doubles the deepest stage back to full size, joins the stage of each size, and ends in a convolution."""

    def __init__(self, widths: Sequence[int], in_channels: int) -> None:
        super().__init__()
        deepest = len(widths) - 1
        self.up_blocks = nn.ModuleList(
            UpBlock3d(widths[level] if level == deepest else 2 * widths[level], widths[level - 1])
            for level in range(deepest, 0, -1)
        )
        self.out_channels = widths[0] + in_channels
        self.conv = nn.Conv3d(self.out_channels, self.out_channels, 3, padding=1)
        self.norm = BatchNorm3d(self.out_channels)

    def forward(self, stages: Sequence[Tensor]) -> Tensor:
        out = stages[-1]
        for block, skip in zip(self.up_blocks, reversed(stages[:-1]), strict=True):
            out = torch.cat([block(out), skip], dim=1)
        return F.relu(self.norm(self.conv(out)))


class Hourglass3d(nn.Module):
    """(N, in, D, H, W) -> (N, block_expansion + in, D, H, W).

    Raises:
        ShapeError: if H or W is not a multiple of 2 ** num_blocks.
    """

    def __init__(self, in_channels: int, block_expansion: int, max_features: int, num_blocks: int) -> None:
        super().__init__()
        widths = level_widths(block_expansion, max_features, num_blocks + 1)
        self.encoder = Encoder3d(in_channels, widths)
        self.decoder = Decoder3d(widths, in_channels)
        self.out_channels = self.decoder.out_channels
        self.multiple = 2**num_blocks

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        if height % self.multiple or width % self.multiple:
            raise ShapeError(
                f"the hourglass halves its {height} x {width} input {len(self.encoder.down_blocks)} times",
                cure=f"Both sides of what it sees must be multiples of {self.multiple}.",
            )
        out: Tensor = self.decoder(self.encoder(x))
        return out
