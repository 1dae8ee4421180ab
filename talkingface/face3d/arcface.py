"""The network that tells people apart, through which an identity loss looks (Deng et al. 2019, ArcFace; iresnet50)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

_SIDE = 112
_EPS = 1e-5


def _norm(width: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(width, eps=_EPS)


class _Block(nn.Module):
    """Normalise, 3x3, 3x3 with the stride; the sum is not rectified ("improved residual unit")."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.bn1, self.conv1 = _norm(inputs), nn.Conv2d(inputs, width, 3, 1, 1, bias=False)
        self.bn2, self.prelu = _norm(width), nn.PReLU(width)
        self.conv2, self.bn3 = nn.Conv2d(width, width, 3, stride, 1, bias=False), _norm(width)
        self.downsample: nn.Module | None = None
        if stride != 1 or inputs != width:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, width, 1, stride, bias=False), _norm(width))

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, width, H / stride, W / stride)."""
        y: Tensor = self.bn3(self.conv2(self.prelu(self.bn2(self.conv1(self.bn1(x))))))
        return y + (x if self.downsample is None else self.downsample(x))


def _stage(inputs: int, width: int, depth: int) -> nn.Sequential:
    """Blocks of one width, of which the first halves the size."""
    rest = [_Block(width, width, 1) for _ in range(depth - 1)]
    return nn.Sequential(_Block(inputs, width, 2), *rest)


class ArcFace(nn.Module):
    """iresnet50 with insightface's parameter names.

    Args:
        depths: blocks of the four stages.
        features: numbers that describe a person.
    """

    def __init__(self, depths: Sequence[int] = (3, 4, 14, 3), features: int = 512) -> None:
        super().__init__()
        self.conv1, self.bn1, self.prelu = nn.Conv2d(3, 64, 3, 1, 1, bias=False), _norm(64), nn.PReLU(64)
        widths = (64, 64, 128, 256, 512)
        stages = [_stage(*item) for item in zip(widths, widths[1:], depths, strict=False)]
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.bn2 = _norm(widths[-1])
        self.fc = nn.Linear(widths[-1] * (_SIDE // 16) ** 2, features)
        self.features = nn.BatchNorm1d(features, eps=_EPS)

    def forward(self, faces: Tensor) -> Tensor:
        """Features of a person, not normalised.

        Args:
            faces: (N, 3, 112, 112), RGB, [-1, 1], cut as `identity_crop` says.

        Returns:
            (N, features).
        """
        x = self.prelu(self.bn1(self.conv1(faces)))
        x = self.bn2(self.layer4(self.layer3(self.layer2(self.layer1(x)))))
        out: Tensor = self.features(self.fc(torch.flatten(x, 1)))
        return out
