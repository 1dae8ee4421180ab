"""Inception v3 as FID uses it (Szegedy et al. 2016; weights of 2015-12-05), under torchvision's names."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SIDE = 299  # pixels of a picture
CLASSES = 1008


class Layer(NamedTuple):
    """A convolution: name, channels and kernel (rows, columns); a stride of 2 goes without padding."""

    name: str
    channels: int
    kernel: tuple[int, int] = (1, 1)
    stride: int = 1


Fork = tuple[Layer, Layer]
"""Two layers that see the same and are joined."""
Branch = tuple["Layer | Fork", ...]
SQUARE, ROW, COLUMN = (3, 3), (1, 7), (7, 1)


class ConvNorm(nn.Module):
    """(N, inputs, H, W) -> (N, outputs, h, w), normalised, not below 0."""

    def __init__(self, inputs: int, outputs: int, kernel: tuple[int, int], stride: int = 1, pad: bool = True) -> None:
        super().__init__()
        padding = (kernel[0] // 2, kernel[1] // 2) if pad and stride == 1 else 0
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)))


class Mixed(nn.Module):
    """Branches beside each other, and a pooling one at the end.

    Args:
        inputs: channels.
        branches: of convolutions.
        pooled: channels of the pooling branch; 0: it is a maximum of every second pixel, without a convolution.
        largest: the pooling branch takes maxima instead of means; means count no pixels outside, as in TensorFlow.
    """

    def __init__(self, inputs: int, branches: tuple[Branch, ...], pooled: int = 0, *, largest: bool = False) -> None:
        super().__init__()
        self._branches, self._largest, self.outputs = branches, largest, pooled or inputs
        for branch in branches:
            width = inputs
            for step in branch:
                layers = (step,) if isinstance(step, Layer) else step
                for name, channels, kernel, stride in layers:
                    setattr(self, name, ConvNorm(width, channels, kernel, stride))
                width = sum(layer.channels for layer in layers)
            self.outputs += width
        self.branch_pool = ConvNorm(inputs, pooled, (1, 1)) if pooled else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, h, w)."""
        return torch.cat([*(self._along(branch, x) for branch in self._branches), self._pool(x)], dim=1)

    def _along(self, branch: Branch, x: Tensor) -> Tensor:
        for step in branch:
            layers = (step,) if isinstance(step, Layer) else step
            x = torch.cat([getattr(self, layer.name)(x) for layer in layers], dim=1)
        return x

    def _pool(self, x: Tensor) -> Tensor:
        if self.branch_pool is None:
            return F.max_pool2d(x, 3, 2)
        x = F.max_pool2d(x, 3, 1, 1) if self._largest else F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
        out: Tensor = self.branch_pool(x)
        return out


DOUBLE = (Layer("branch3x3dbl_1", 64), Layer("branch3x3dbl_2", 96, SQUARE))


def _fine(inputs: int, pooled: int) -> Mixed:
    fives = (Layer("branch5x5_1", 48), Layer("branch5x5_2", 64, (5, 5)))
    return Mixed(inputs, ((Layer("branch1x1", 64),), fives, (*DOUBLE, Layer("branch3x3dbl_3", 96, SQUARE))), pooled)


def _halved(inputs: int) -> Mixed:
    return Mixed(inputs, ((Layer("branch3x3", 384, SQUARE, 2),), (*DOUBLE, Layer("branch3x3dbl_3", 96, SQUARE, 2))))


def _long(inputs: int, width: int) -> Mixed:
    sevens = (Layer("branch7x7_1", width), Layer("branch7x7_2", width, ROW), Layer("branch7x7_3", 192, COLUMN))
    names = [f"branch7x7dbl_{number}" for number in range(1, 6)]
    kernels, widths = [(1, 1), COLUMN, ROW, COLUMN, ROW], [width] * 4 + [192]
    double = tuple(Layer(*layer) for layer in zip(names, widths, kernels, strict=True))
    return Mixed(inputs, ((Layer("branch1x1", 192),), sevens, double), 192)


def _halved_again(inputs: int) -> Mixed:
    threes = (Layer("branch3x3_1", 192), Layer("branch3x3_2", 320, SQUARE, 2))
    names = [f"branch7x7x3_{number}" for number in range(1, 4)]
    sevens = tuple(Layer(name, 192, kernel) for name, kernel in zip(names, [(1, 1), ROW, COLUMN], strict=True))
    return Mixed(inputs, (threes, (*sevens, Layer("branch7x7x3_4", 192, SQUARE, 2))))


def _wide(inputs: int, *, largest: bool) -> Mixed:
    def fork(name: str) -> Fork:
        return Layer(f"{name}a", 384, (1, 3)), Layer(f"{name}b", 384, (3, 1))

    threes = (Layer("branch3x3_1", 384), fork("branch3x3_2"))
    double = (Layer("branch3x3dbl_1", 448), Layer("branch3x3dbl_2", 384, SQUARE), fork("branch3x3dbl_3"))
    return Mixed(inputs, ((Layer("branch1x1", 320),), threes, double), 192, largest=largest)


class FIDInception(nn.Module):
    """Pictures (N, 3, H, W) in [0, 1] -> features (N, 2048) after the last pooling.

    Differences from Inception v3 as published are those of the weights' own TensorFlow graph: means at borders count
    only pixels inside, and the last block pools maxima (Heusel et al. 2017).
    """

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = ConvNorm(3, 32, SQUARE, 2)
        self.Conv2d_2a_3x3 = ConvNorm(32, 32, SQUARE, pad=False)
        self.Conv2d_2b_3x3 = ConvNorm(32, 64, SQUARE)
        self.Conv2d_3b_1x1 = ConvNorm(64, 80, (1, 1))
        self.Conv2d_4a_3x3 = ConvNorm(80, 192, SQUARE, pad=False)
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = _fine(192, 32), _fine(256, 64), _fine(288, 64)
        self.Mixed_6a = _halved(288)
        self.Mixed_6b, self.Mixed_6c, self.Mixed_6d, self.Mixed_6e = (_long(768, x) for x in (128, 160, 160, 192))
        self.Mixed_7a = _halved_again(768)
        self.Mixed_7b, self.Mixed_7c = _wide(1280, largest=False), _wide(2048, largest=True)
        self.fc = nn.Linear(2048, CLASSES)
        self.requires_grad_(False).eval()

    def forward(self, pictures: Tensor) -> Tensor:
        scaled = F.interpolate(pictures, (SIDE, SIDE), mode="bilinear", align_corners=False)
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(scaled * 2 - 1)))
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(F.max_pool2d(x, 3, 2)))
        x = F.max_pool2d(x, 3, 2)
        for name in ("5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e", "7a", "7b", "7c"):
            x = getattr(self, f"Mixed_{name}")(x)
        return x.mean(dim=(2, 3))
