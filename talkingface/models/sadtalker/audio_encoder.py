"""The convolutions that turn a mel window into 512 numbers; both audio networks have their own copy."""

from __future__ import annotations

from torch import Tensor, nn

Stride = int | tuple[int, int]


class ConvBlock(nn.Module):
    """Convolution, batch norm, ReLU; with ``residual`` the input is added before the ReLU."""

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
