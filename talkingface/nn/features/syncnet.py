"""SyncNet: lips and sound as vectors that are near where they belong together (Chung and Zisserman 2016, figure 2).

Parameter names are those of the released ``syncnet_v2.model``.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

WIDTH = 1024  # of the vectors
SIDE, FRAMES = 224, 5  # of the pictures of a window
COLUMNS, CEPSTRA = 20, 13  # of the sound of a window, 100 columns a second


def _layers(*parts: Sequence[nn.Module]) -> nn.Sequential:
    return nn.Sequential(*(layer for part in parts for layer in part))


def _sound(inputs: int, outputs: int, kernel: int | tuple[int, int], pad: int = 1) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, kernel, padding=pad), nn.BatchNorm2d(outputs), nn.ReLU()]


def _lips(inputs: int, outputs: int, kernel: tuple[int, int, int], stride: int = 1, pad: int = 1) -> list[nn.Module]:
    steps, pads = (1, stride, stride), (0, pad, pad)
    return [nn.Conv3d(inputs, outputs, kernel, steps, pads), nn.BatchNorm3d(outputs), nn.ReLU()]


def _halving(pad: int = 0) -> nn.Module:
    return nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, pad, pad))


def _head() -> nn.Sequential:
    return nn.Sequential(nn.Linear(512, 512), nn.BatchNorm1d(512), nn.ReLU(), nn.Linear(512, WIDTH))


class SyncNet(nn.Module):
    """The two streams. It is never trained."""

    def __init__(self) -> None:
        super().__init__()
        self.netcnnaud = _layers(
            [*_sound(1, 64, 3), nn.MaxPool2d(1, 1)],
            [*_sound(64, 192, 3), nn.MaxPool2d(3, (1, 2))],
            _sound(192, 384, 3),
            _sound(384, 256, 3),
            [*_sound(256, 256, 3), nn.MaxPool2d(3, 2)],
            _sound(256, 512, (5, 4), 0),
        )
        self.netfcaud = _head()
        self.netcnnlip = _layers(
            [*_lips(3, 96, (FRAMES, 7, 7), 2, 0), _halving()],
            [*_lips(96, 256, (1, 5, 5), 2), _halving(1)],
            _lips(256, 256, (1, 3, 3)),
            _lips(256, 256, (1, 3, 3)),
            [*_lips(256, 256, (1, 3, 3)), _halving()],
            _lips(256, 512, (1, 6, 6), 1, 0),
        )
        self.netfclip = _head()
        self.requires_grad_(False).eval()

    def of_sound(self, columns: Tensor) -> Tensor:
        """Vectors (N, 1024) of the cepstra (N, 1, 13, 20) of a fifth of a second each."""
        out: Tensor = self.netfcaud(self.netcnnaud(columns).flatten(1))
        return out

    def of_lips(self, windows: Tensor) -> Tensor:
        """Vectors (N, 1024) of five frames (N, 3, 5, 224, 224) each, 25 a second, BLUE first, 0 to 255."""
        out: Tensor = self.netfclip(self.netcnnlip(windows).flatten(1))
        return out


def distances(lips: Tensor, sound: Tensor, reach: int = 15) -> Tensor:
    """Distances (n, 2 * reach + 1) of lips (n, D) from the sound (n, D) at each shift; beyond the ends it is all 0.

    Column k is for sound from frame i - reach + k.

    Source: Chung and Zisserman 2016, section 4.1; the shifts are those of the released evaluation.
    """
    padded = F.pad(sound, (0, 0, reach, reach))
    windows = padded.unfold(0, 2 * reach + 1, 1).transpose(1, 2)[: len(lips)]
    # The released code adds a millionth to each difference, as torch's pairwise distance does.
    return F.pairwise_distance(lips[:, None], windows)
