"""Convolution blocks for pictures (N, C, H, W) and, with ``dims=3``, for volumes (N, C, D, H, W).

Sizes are those of pictures; the depth of a volume is never halved or doubled. Attribute names (`conv`, `norm`, `conv1`,
...) are those of the released state dicts.
"""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def _batch_norm(norm: _BatchNorm, x: Tensor) -> Tensor:
    """Batch norm that leaves `num_batches_tracked` alone, as the synchronized one of the released weights did."""
    return F.batch_norm(
        x,
        norm.running_mean,
        norm.running_var,
        norm.weight,
        norm.bias,
        norm.training,
        norm.momentum or 0.0,
        norm.eps,
    )


class BatchNorm2d(nn.BatchNorm2d):
    """Batch norm of pictures (N, C, H, W), see `_batch_norm`."""

    def forward(self, x: Tensor) -> Tensor:
        return _batch_norm(self, x)


class BatchNorm3d(nn.BatchNorm3d):
    """Batch norm of volumes (N, C, D, H, W), see `_batch_norm`."""

    def forward(self, x: Tensor) -> Tensor:
        return _batch_norm(self, x)


CONVOLUTIONS: dict[int, Any] = {2: nn.Conv2d, 3: nn.Conv3d}
NORMS: dict[int, Any] = {2: BatchNorm2d, 3: BatchNorm3d}


def halve(x: Tensor) -> Tensor:
    """2 x 2 mean of pictures or of each slice of volumes: (..., H, W) -> (..., H / 2, W / 2).

    Slices are pooled as pictures, which is the same and has kernels for every number type; 3-D pooling has none for
    bfloat16 on a CPU.
    """
    if x.dim() == 4:
        return F.avg_pool2d(x, 2)
    return F.avg_pool2d(x.flatten(1, 2), 2).unflatten(1, (-1, x.shape[2]))


def double(x: Tensor) -> Tensor:
    """Nearest doubling of pictures or of each slice of volumes: (..., H, W) -> (..., 2 H, 2 W)."""
    return F.interpolate(x, scale_factor=2 if x.dim() == 4 else (1.0, 2.0, 2.0), mode="nearest")


class SameBlock(nn.Module):
    """Convolution, batch norm, ReLU; (N, C, H, W) -> (N, out, H, W)."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int = 3, *, dims: int = 2) -> None:
        super().__init__()
        self.conv = CONVOLUTIONS[dims](in_channels, out_channels, kernel_size, padding=kernel_size // 2)
        self.norm = NORMS[dims](out_channels)

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
        return halve(super().forward(x))


class UpBlock(SameBlock):
    """Nearest doubling, convolution, batch norm, ReLU; (N, C, H, W) -> (N, out, 2 H, 2 W)."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(double(x))


class ResidualBlock(nn.Module):
    """Twice batch norm, ReLU, convolution over 3 pixels to a side, added to the input; (N, C, H, W) stays."""

    def __init__(self, channels: int, *, dims: int = 2) -> None:
        super().__init__()
        self.conv1 = CONVOLUTIONS[dims](channels, channels, 3, padding=1)
        self.conv2 = CONVOLUTIONS[dims](channels, channels, 3, padding=1)
        self.norm1 = NORMS[dims](channels)
        self.norm2 = NORMS[dims](channels)

    def forward(self, x: Tensor) -> Tensor:
        out = self.conv1(F.relu(self.norm1(x)))
        return x + self.conv2(F.relu(self.norm2(out)))
