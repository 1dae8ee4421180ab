"""The U-Net that the head pose network runs over a short piece of poses, seen as a picture of frames x 6."""

from __future__ import annotations

import torch
from torch import Tensor, nn

FILTERS = (32, 64, 128, 256)
_DOWN = (2, 1)  # half as many frames, all six numbers


class ResidualConv(nn.Module):
    """Twice norm, ReLU, convolution, beside a convolution of the input (Deep Residual U-Net, Zhang et al., 2018)."""

    def __init__(self, inputs: int, outputs: int, stride: int | tuple[int, int] = 1) -> None:
        super().__init__()
        self.conv_block = nn.Sequential(
            nn.BatchNorm2d(inputs),
            nn.ReLU(),
            nn.Conv2d(inputs, outputs, 3, stride, padding=1),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, padding=1),
        )
        self.conv_skip = nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, padding=1), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv_block(x) + self.conv_skip(x)
        return out


class Upsample(nn.Module):
    """A learned doubling of the frames."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.upsample = nn.ConvTranspose2d(channels, channels, _DOWN, _DOWN)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.upsample(x)
        return out


class PoseUNet(nn.Module):
    """(N, 1, frames, 6) -> the same shape, 0..1; frames divide by 8."""

    def __init__(self) -> None:
        super().__init__()
        first, second, third, last = FILTERS
        self.input_layer = nn.Sequential(
            nn.Conv2d(1, first, 3, padding=1),
            nn.BatchNorm2d(first),
            nn.ReLU(),
            nn.Conv2d(first, first, 3, padding=1),
        )
        self.input_skip = nn.Sequential(nn.Conv2d(1, first, 3, padding=1))
        self.residual_conv_1 = ResidualConv(first, second, _DOWN)
        self.residual_conv_2 = ResidualConv(second, third, _DOWN)
        self.bridge = ResidualConv(third, last, _DOWN)
        self.upsample_1 = Upsample(last)
        self.up_residual_conv1 = ResidualConv(last + third, third)
        self.upsample_2 = Upsample(third)
        self.up_residual_conv2 = ResidualConv(third + second, second)
        self.upsample_3 = Upsample(second)
        self.up_residual_conv3 = ResidualConv(second + first, first)
        self.output_layer = nn.Sequential(nn.Conv2d(first, 1, 1), nn.Sigmoid())

    def forward(self, poses: Tensor) -> Tensor:
        fine = self.input_layer(poses) + self.input_skip(poses)
        middle = self.residual_conv_1(fine)
        coarse = self.residual_conv_2(middle)
        x = self.bridge(coarse)
        x = self.up_residual_conv1(torch.cat([self.upsample_1(x), coarse], 1))
        x = self.up_residual_conv2(torch.cat([self.upsample_2(x), middle], 1))
        x = self.up_residual_conv3(torch.cat([self.upsample_3(x), fine], 1))
        out: Tensor = self.output_layer(x)
        return out
