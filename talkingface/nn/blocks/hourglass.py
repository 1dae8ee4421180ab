"""U-Net of halving and doubling blocks with a skip at every size, over pictures or volumes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...errors import ShapeError
from .conv import BatchNorm3d, DownBlock, UpBlock


def level_widths(block_expansion: int, max_features: int, levels: int) -> list[int]:
    """Channels at each of `levels` sizes, doubling from `block_expansion` up to `max_features`."""
    return [min(max_features, block_expansion * 2**level) for level in range(levels)]


class Encoder(nn.Module):
    """Halves its input (N, C, H, W) `num_blocks` times and keeps every stage, the input first."""

    def __init__(self, in_channels: int, widths: Sequence[int], *, dims: int) -> None:
        super().__init__()
        channels = [in_channels, *widths[1:]]
        self.down_blocks = nn.ModuleList(DownBlock(a, b, dims=dims) for a, b in pairwise(channels))

    def forward(self, x: Tensor) -> list[Tensor]:
        stages = [x]
        for block in self.down_blocks:
            stages.append(block(stages[-1]))
        return stages


class Decoder(nn.Module):
    """Doubles the deepest stage (N, C, h, w) back to full size, joining the stage of each size on the way."""

    def __init__(self, widths: Sequence[int], *, dims: int) -> None:
        super().__init__()
        deepest = len(widths) - 1
        self.up_blocks = nn.ModuleList(
            UpBlock(widths[level] if level == deepest else 2 * widths[level], widths[level - 1], dims=dims)
            for level in range(deepest, 0, -1)
        )

    def forward(self, stages: Sequence[Tensor]) -> Tensor:
        out = stages[-1]
        for block, skip in zip(self.up_blocks, reversed(stages[:-1]), strict=True):
            out = torch.cat([block(out), skip], dim=1)
        return out


class VolumeDecoder(Decoder):
    """Decoder of volumes (N, C, D, h, w), ending in a convolution, as in the released networks."""

    def __init__(self, widths: Sequence[int], channels: int) -> None:
        super().__init__(widths, dims=3)
        self.conv = nn.Conv3d(channels, channels, 3, padding=1)
        self.norm = BatchNorm3d(channels)

    def forward(self, stages: Sequence[Tensor]) -> Tensor:
        return F.relu(self.norm(self.conv(super().forward(stages))))


class Hourglass(nn.Module):
    """(N, in, H, W) -> (N, block_expansion + in, H, W); the last `in` channels are the input itself.

    Volumes (N, in, D, H, W) with `dims` 3, whose depth stays and whose last `in` channels go through a convolution too.

    Raises:
        ShapeError: if H or W is not a multiple of 2 ** num_blocks.
    """

    def __init__(
        self, in_channels: int, block_expansion: int, max_features: int, num_blocks: int, *, dims: int = 2
    ) -> None:
        super().__init__()
        widths = level_widths(block_expansion, max_features, num_blocks + 1)
        self.out_channels = widths[0] + in_channels
        self.encoder = Encoder(in_channels, widths, dims=dims)
        self.decoder = Decoder(widths, dims=dims) if dims == 2 else VolumeDecoder(widths, self.out_channels)
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
