"""I3D, the network of FVD (Carreira and Zisserman 2017, figure 3), under the names of its PyTorch weights."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SIDE, SPAN, CLASSES = 224, 16, 400  # pixels, frames of a piece, classes of Kinetics-400

Size = tuple[int, int, int]
# Channels of a block's branches: 1x1; 1x1, 3x3; 1x1, 3x3; after the pooling. POOLS stand before their blocks.
BLOCKS = {
    "3b": (64, 96, 128, 16, 32, 32),
    "3c": (128, 128, 192, 32, 96, 64),
    "4b": (192, 96, 208, 16, 48, 64),
    "4c": (160, 112, 224, 24, 64, 64),
    "4d": (128, 128, 256, 24, 64, 64),
    "4e": (112, 144, 288, 32, 64, 64),
    "4f": (256, 160, 320, 32, 128, 128),
    "5b": (256, 160, 320, 32, 128, 128),
    "5c": (384, 192, 384, 48, 128, 128),
}
POOLS: dict[str, tuple[Size, Size]] = {
    "3b": ((1, 3, 3), (1, 2, 2)),
    "4b": ((3, 3, 3), (2, 2, 2)),
    "5b": ((2, 2, 2), (2, 2, 2)),
}


def _same(x: Tensor, kernel: Size, stride: Size) -> Tensor:
    """Pad (N, C, T, H, W) with zeros as TensorFlow's "SAME" does: the odd one at the end."""
    pads: list[int] = []
    for length, size, step in reversed(list(zip(x.shape[-3:], kernel, stride, strict=True))):
        total = max((-(-length // step) - 1) * step + size - length, 0)
        pads += [total // 2, total - total // 2]
    return F.pad(x, pads)


def _largest(x: Tensor, kernel: Size, stride: Size) -> Tensor:
    # Zeros at the border change no maximum: all values are 0 or more.
    return F.max_pool3d(_same(x, kernel, stride), kernel, stride)


class Unit(nn.Module):
    """Convolution over time and place of (N, inputs, T, H, W), normalised, not below 0."""

    def __init__(self, inputs: int, outputs: int, size: int = 1, stride: int = 1) -> None:
        super().__init__()
        self._kernel: Size = (size,) * 3  # type: ignore[assignment]
        self._stride: Size = (stride,) * 3  # type: ignore[assignment]
        self.conv3d = nn.Conv3d(inputs, outputs, size, stride, bias=False)
        self.bn = nn.BatchNorm3d(outputs, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv3d(_same(x, self._kernel, self._stride))))


class Block(nn.Module):
    """Four branches beside each other, (N, inputs, T, H, W) -> (N, outputs, T, H, W)."""

    def __init__(self, inputs: int, channels: tuple[int, ...]) -> None:
        super().__init__()
        first, narrow, wide, small, little, pooled = channels
        self.b0, self.b3b = Unit(inputs, first), Unit(inputs, pooled)
        self.b1a, self.b1b = Unit(inputs, narrow), Unit(narrow, wide, 3)
        self.b2a, self.b2b = Unit(inputs, small), Unit(small, little, 3)
        self.outputs = first + wide + little + pooled

    def forward(self, x: Tensor) -> Tensor:
        pooled = _largest(x, (3, 3, 3), (1, 1, 1))
        return torch.cat([self.b0(x), self.b1b(self.b1a(x)), self.b2b(self.b2a(x)), self.b3b(pooled)], dim=1)


class Logits(nn.Module):
    """Classes of each moment, (N, inputs, T, 1, 1) -> (N, classes, T, 1, 1)."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.conv3d = nn.Conv3d(inputs, CLASSES, 1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv3d(x)
        return out


class I3D(nn.Module):
    """Pieces (N, 3, T, H, W) of at least 16 frames in [0, 1] -> logits (N, 400), means over time.

    The features of FVD are these logits, of pictures scaled to 224 pixels (Unterthiner et al. 2018, section 3).
    """

    def __init__(self) -> None:
        super().__init__()
        self.Conv3d_1a_7x7 = Unit(3, 64, 7, 2)
        self.Conv3d_2b_1x1, self.Conv3d_2c_3x3 = Unit(64, 64), Unit(64, 192, 3)
        for name, block in self._blocks(192):
            setattr(self, f"Mixed_{name}", block)
        self.logits = Logits(1024)
        self.requires_grad_(False).eval()

    @staticmethod
    def _blocks(inputs: int) -> Iterator[tuple[str, Block]]:
        for name, channels in BLOCKS.items():
            block = Block(inputs, channels)
            inputs = block.outputs
            yield name, block

    def forward(self, pieces: Tensor) -> Tensor:
        count, _, frames = pieces.shape[:3]
        flat = pieces.transpose(1, 2).flatten(0, 1)
        scaled = F.interpolate(flat, (SIDE, SIDE), mode="bilinear", align_corners=False)
        x = scaled.unflatten(0, (count, frames)).transpose(1, 2) * 2 - 1
        x = _largest(self.Conv3d_1a_7x7(x), (1, 3, 3), (1, 2, 2))
        x = self.Conv3d_2c_3x3(self.Conv3d_2b_1x1(x))
        for name in BLOCKS:
            if name in POOLS:
                x = _largest(x, *POOLS[name])
            x = getattr(self, f"Mixed_{name}")(x)
        out: Tensor = self.logits(F.avg_pool3d(x, (2, 7, 7), 1))
        return out.mean(dim=(2, 3, 4))
