"""Residual blocks of face recognition networks, under the names that ArcFace's PyTorch weights carry.

"IR" is the block with a batch norm in front (Deng et al. 2019, "ArcFace", section 3.1), "SE" the channel attention of
Hu et al. 2018. The encoders of e4e and HFGI are built of the same blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from ..geometry.grids import resize_map

REDUCTION = 16  # channels per hidden unit of the attention


class Stage(NamedTuple):
    """Blocks of one size; the first of them halves its input."""

    channels: int
    blocks: int


IR50 = (Stage(64, 3), Stage(128, 4), Stage(256, 14), Stage(512, 3))


class SqueezeExcite(nn.Module):
    """Multiplies each channel of (N, C, H, W) by a number in (0, 1) that follows from the means of all channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = max(channels // REDUCTION, 1)
        self.fc1 = nn.Conv2d(channels, hidden, 1, bias=False)
        self.fc2 = nn.Conv2d(hidden, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        hidden = F.relu(self.fc1(F.adaptive_avg_pool2d(x, 1)))
        out: Tensor = x * self.fc2(hidden).sigmoid()
        return out


class IRBlock(nn.Module):
    """(N, inputs, H, W) -> (N, outputs, H / stride, W / stride), sizes rounded up.

    Args:
        attention: end with `SqueezeExcite`.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, *, attention: bool = False) -> None:
        super().__init__()
        self.shortcut_layer = _shortcut(inputs, outputs, stride)
        layers: list[nn.Module] = [
            nn.BatchNorm2d(inputs),
            nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
            nn.PReLU(outputs),
            nn.Conv2d(outputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
        ]
        self.res_layer = nn.Sequential(*layers, *([SqueezeExcite(outputs)] if attention else []))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.res_layer(x) + self.shortcut_layer(x)
        return out


class PointConv(nn.Conv2d):
    """A 1 x 1 convolution without bias of every `stride`-th pixel of (N, inputs, H, W).

    The pixels are taken first: with a stride, few channels and channels last, torch 2.13 on a CPU writes beside its
    memory in the backward pass (with 4 to 8 input channels), and the numbers are the same.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__(inputs, outputs, 1, bias=False)
        self.every = stride

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x[:, :, :: self.every, :: self.every])


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Module:
    """Shortcut beside the convolutions; without parameters where the channels stay."""
    if inputs == outputs:
        return nn.MaxPool2d(1, stride)
    return nn.Sequential(PointConv(inputs, outputs, stride), nn.BatchNorm2d(outputs))


def first_layer(inputs: int, outputs: int) -> nn.Sequential:
    """A 3 x 3 convolution at full size, the first layer of all these networks."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.PReLU(outputs)
    )


def ir_body(stages: Sequence[Stage]) -> nn.Sequential:
    """The blocks of all stages in a row, with attention; their input has the channels of the first stage."""
    blocks: list[nn.Module] = []
    channels = stages[0].channels
    for stage in stages:
        for index in range(stage.blocks):
            blocks.append(IRBlock(channels, stage.channels, 1 if index else 2, attention=True))
            channels = stage.channels
    return nn.Sequential(*blocks)


def upsample_add(low: Tensor, high: Tensor) -> Tensor:
    """`low` (N, C, h, w) brought bilinearly to the size of `high` (N, C, H, W), plus `high`."""
    return resize_map(low, (high.shape[-2], high.shape[-1])) + high
