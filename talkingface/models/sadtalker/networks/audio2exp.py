"""Expression from sound: ExpNet of SadTalker (Zhang et al., CVPR 2023, section 3.2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

Stride = int | tuple[int, int]


class ConvBlock(nn.Module):
    """Convolution, batch norm, ReLU over (N, C, H, W); with ``residual`` the input is added before the ReLU."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 3, stride: Stride = 1, padding: int = 1, residual: bool = False
    ) -> None:
        super().__init__()
        convolution = nn.Conv2d(inputs, outputs, kernel, stride, padding)
        self.conv_block = nn.Sequential(convolution, nn.BatchNorm2d(outputs))
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        out = self.conv_block(x)
        return (out + x if self.residual else out).relu()


class AudioEncoder(nn.Sequential):
    """Wav2Lip's audio encoder (Prajwal et al., ACM Multimedia 2020), names of the released weights.

    Takes (N, 1, 80, 16), -4..4, and gives (N, 512), not negative.
    """

    features = 512

    def __init__(self) -> None:
        super().__init__(
            ConvBlock(1, 32),
            *_residuals(32, 2),
            ConvBlock(32, 64, stride=(3, 1)),
            *_residuals(64, 2),
            ConvBlock(64, 128, stride=3),
            *_residuals(128, 2),
            ConvBlock(128, 256, stride=(3, 2)),
            *_residuals(256, 1),
            ConvBlock(256, self.features, padding=0),
            ConvBlock(self.features, self.features, kernel=1, padding=0),
        )

    def forward(self, windows: Tensor) -> Tensor:
        features: Tensor = super().forward(windows)
        return features.flatten(1)


def _residuals(channels: int, count: int) -> list[ConvBlock]:
    return [ConvBlock(channels, channels, residual=True) for _ in range(count)]


EXPRESSIONS = 64


class Audio2Exp(nn.Module):
    """The expression of each frame from its mel window, the person's own expression and the ratio of closed eyes.

    Frames do not depend on each other; they are smooth because their windows overlap.
    """

    def __init__(self) -> None:
        super().__init__()
        self.audio_encoder = AudioEncoder()
        self.mapping1 = nn.Linear(AudioEncoder.features + EXPRESSIONS + 1, EXPRESSIONS)

    def forward(self, windows: Tensor, reference: Tensor, closed: Tensor) -> Tensor:
        """Expressions of frames.

        Args:
            windows: (N, 1, 80, 16), see mel.py.
            reference: (N, 64), the expression in the source picture; it carries the identity into the result.
            closed: (N, 1), 0 for open eyes to 1 for closed ones.

        Returns:
            (N, 64), weights of expression directions; not relative to the reference.
        """
        mapped: Tensor = self.mapping1(torch.cat([self.audio_encoder(windows), reference, closed], 1))
        return mapped

    def sequence(self, windows: Tensor, reference: Tensor, closed: Tensor) -> Tensor:
        """Expressions of consecutive frames of several voices, for training.

        Args:
            windows: (B, T, 80, 16).
            reference: (B, T, 64).
            closed: (B, T, 1).

        Returns:
            (B, T, 64).
        """
        flat = self(windows.flatten(0, 1)[:, None], reference.flatten(0, 1), closed.flatten(0, 1))
        return flat.unflatten(0, windows.shape[:2])
