"""Convolution blocks. Attribute names (`conv`, `norm`, `conv1`, ...) are those of the released state dicts."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class BatchNorm2d(nn.BatchNorm2d):
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


class SameBlock(nn.Module):
    """Convolution, batch norm, ReLU; (N, C, H, W) -> (N, out, H, W)."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, padding=kernel_size // 2)
        self.norm = BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(self.conv(x)))


class StridedBlock(SameBlock):
    """Convolution of stride 2, batch norm, ReLU; (N, C, H, W) -> (N, out, H / 2, W / 2) at a quarter of the cost."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels)
        self.conv.stride = (2, 2)


class DownBlock(SameBlock):
    """Convolution, batch norm, ReLU, 2 x 2 mean; (N, C, H, W) -> (N, out, H / 2, W / 2)."""

    def forward(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(super().forward(x), 2)


class UpBlock(SameBlock):
    """Nearest doubling, convolution, batch norm, ReLU; (N, C, H, W) -> (N, out, 2 H, 2 W)."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.interpolate(x, scale_factor=2, mode="nearest"))


class ResidualBlock(nn.Module):
    """Twice batch norm, ReLU, 3 x 3 convolution, added to the input; shape stays."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm1 = BatchNorm2d(channels)
        self.norm2 = BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        out = self.conv1(F.relu(self.norm1(x)))
        return x + self.conv2(F.relu(self.norm2(out)))
