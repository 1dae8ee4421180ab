"""Blocks of 3-D convolutions for volumes whose depth is never halved. Attribute names are those of released weights."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class BatchNorm3d(nn.BatchNorm3d):
    """Batch norm that leaves `num_batches_tracked` alone, as the synchronized one of the released weights did."""

    def forward(self, x: Tensor) -> Tensor:
        return F.batch_norm(
            x,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training,
            self.momentum or 0.0,
            self.eps,
        )


def halve_plane(volume: Tensor) -> Tensor:
    """2 x 2 mean of each slice: (N, C, D, H, W) -> (N, C, D, H / 2, W / 2).

    Slices are pooled as pictures, which is the same and has kernels for every number type; 3-D pooling has none for
    bfloat16 on a CPU.
    """
    depth = volume.shape[2]
    return F.avg_pool2d(volume.flatten(1, 2), 2).unflatten(1, (-1, depth))


def double_plane(volume: Tensor) -> Tensor:
    """Nearest doubling of each slice: (N, C, D, H, W) -> (N, C, D, 2 H, 2 W)."""
    return F.interpolate(volume, scale_factor=(1.0, 2.0, 2.0), mode="nearest")


class SameBlock3d(nn.Module):
    """3 x 3 x 3 convolution, batch norm, ReLU; (N, C, D, H, W) -> (N, out, D, H, W)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv3d(in_channels, out_channels, 3, padding=1)
        self.norm = BatchNorm3d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(self.conv(x)))


class DownBlock3d(SameBlock3d):
    """The same, then a 2 x 2 mean of each slice; (N, C, D, H, W) -> (N, out, D, H / 2, W / 2)."""

    def forward(self, x: Tensor) -> Tensor:
        return halve_plane(super().forward(x))


class UpBlock3d(SameBlock3d):
    """Nearest doubling of each slice, then the same; (N, C, D, H, W) -> (N, out, D, 2 H, 2 W)."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(double_plane(x))


class ResidualBlock3d(nn.Module):
    """Twice batch norm, ReLU, 3 x 3 x 3 convolution, added to the input; shape stays."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv3d(channels, channels, 3, padding=1)
        self.norm1 = BatchNorm3d(channels)
        self.norm2 = BatchNorm3d(channels)

    def forward(self, x: Tensor) -> Tensor:
        out = self.conv1(F.relu(self.norm1(x)))
        return x + self.conv2(F.relu(self.norm2(out)))
