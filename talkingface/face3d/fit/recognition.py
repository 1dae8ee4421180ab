"""The network that tells people apart, for identity losses (Deng et al. 2019, ArcFace; iresnet50)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...face.face import similarity
from ..five_points import five_points

SIDE = 112
# Left eye, right eye, nose tip, mouth corners in the pictures that insightface trains on.
PLACES = np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]])


def identity_matrix(landmarks: NDArray[Any]) -> NDArray[np.float64]:
    """The turn, scale and shift that bring a face to its place (least squares).

    Args:
        landmarks: (68, 2) or (5, 2), pixels of the picture, y downwards.

    Returns:
        (2, 3): picture pixel (x, y, 1) -> pixel of the 112 crop; the unit matrix where all points lie in one place.
    """
    points = np.asarray(five_points(landmarks), np.float64)
    return similarity(points, PLACES)[:2] if np.ptp(points, axis=0).any() else np.eye(3)[:2]


def cut_identity(pictures: Tensor, matrices: Tensor, size: int = SIDE) -> Tensor:
    """Align faces for the recognition network; gradients reach the pictures.

    Args:
        pictures: (N, C, H, W).
        matrices: (N, 2, 3) of `identity_matrix`.
        size: side of the crop.

    Returns:
        (N, C, size, size), bilinear, 0 outside the pictures.
    """
    from kornia.geometry import warp_affine  # here, because loading kornia takes a second

    return warp_affine(pictures, matrices, (size, size))


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
            faces: (N, 3, 112, 112), RGB, [-1, 1], cut by `identity_crop`.

        Returns:
            (N, features).
        """
        x = self.prelu(self.bn1(self.conv1(faces)))
        x = self.bn2(self.layer4(self.layer3(self.layer2(self.layer1(x)))))
        out: Tensor = self.features(self.fc(torch.flatten(x, 1)))
        return out
