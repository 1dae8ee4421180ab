"""The conditional variational auto-encoder of SadTalker's head pose (Zhang et al., CVPR 2023, section 3.3, PoseVAE)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .audio2exp import AudioEncoder

FILTERS = (32, 64, 128, 256)
_DOWN = (2, 1)  # half as many frames, all six numbers


class ResidualConv(nn.Module):
    """Twice norm, ReLU, convolution, beside a convolution of (N, C, T, 6) (Deep Residual U-Net, Zhang et al., 2018)."""

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
    """Learned doubling of the frames: (N, C, T, 6) -> (N, C, 2 T, 6)."""

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


SEQUENCE = 32
"""Frames that are made at once."""
LATENT, STYLES, POSE, AUDIO_FEATURES = 64, 46, 6, 6

_CONDITIONS = LATENT + SEQUENCE * AUDIO_FEATURES + POSE


class _Conditioned(nn.Module):
    """Common part of both halves: their own U-Net, their own layer for the sound, their own bias for each style."""

    def __init__(self) -> None:
        super().__init__()
        self.resunet = PoseUNet()
        self.linear_audio = nn.Linear(AudioEncoder.features, AUDIO_FEATURES)
        self.classbias = nn.Parameter(torch.randn(STYLES, LATENT))


class PoseEncoder(_Conditioned):
    """Poses and conditions to the distribution of the latent; for training only.

    The published code takes the variance from the layer of the means and does not use ``linear_logvar``;
    here it gives the variance, as its name says.
    """

    def __init__(self) -> None:
        super().__init__()
        hidden = 2 * LATENT
        layers = {"L0": nn.Linear(SEQUENCE * POSE + _CONDITIONS, hidden), "A0": nn.ReLU()}
        self.MLP = _named(layers)
        self.linear_means = nn.Linear(hidden, LATENT)
        self.linear_logvar = nn.Linear(hidden, LATENT)

    def forward(self, motion: Tensor, sound: Tensor, reference: Tensor, style: Tensor) -> tuple[Tensor, Tensor]:
        """Distribution of the latent.

        Args:
            motion: (N, 32, 6), poses less the reference.
            sound: (N, 32, 512), features of the windows.
            reference: (N, 6), the pose before the first of them.
            style: (N,), whole numbers.

        Returns:
            Mean and logarithm of the variance, both (N, 64).
        """
        poses = self.resunet(motion[:, None]).flatten(1)
        audio = self.linear_audio(sound).flatten(1)
        x = self.MLP(torch.cat([reference, poses, audio, self.classbias[style]], 1))
        return self.linear_means(x), self.linear_logvar(x)


class PoseDecoder(_Conditioned):
    """A latent and conditions to poses."""

    def __init__(self) -> None:
        super().__init__()
        hidden, out = 2 * LATENT, SEQUENCE * POSE
        layers = {"L0": nn.Linear(_CONDITIONS, hidden), "A0": nn.ReLU(), "L1": nn.Linear(hidden, out)}
        self.MLP = _named({**layers, "sigmoid": nn.Sigmoid()})
        self.pose_linear = nn.Linear(POSE, POSE)

    def forward(self, latent: Tensor, audio: Tensor, reference: Tensor, style: Tensor) -> Tensor:
        """Poses of one piece.

        Args:
            latent: (N, 64), normal.
            audio: (N, 32, 6), results of `linear_audio` for the features of the windows.
            reference: (N, 6).
            style: (N,), whole numbers.

        Returns:
            (N, 32, 6), poses less the reference.
        """
        styled = latent + self.classbias[style]
        x = self.MLP(torch.cat([reference, styled, audio.flatten(1)], 1))
        x = self.resunet(x.view(-1, 1, SEQUENCE, POSE))
        motion: Tensor = self.pose_linear(x[:, 0])
        return motion


class PoseCVAE(nn.Module):
    """Both halves under their released names."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = PoseEncoder()
        self.decoder = PoseDecoder()


def _named(layers: dict[str, nn.Module]) -> nn.Sequential:
    sequence = nn.Sequential()
    for name, layer in layers.items():
        sequence.add_module(name, layer)
    return sequence
