"""RetinaFace with a ResNet-50 (Deng et al. 2020), with which SadTalker finds faces, and what its numbers mean.

Parameter names are those of the file ``detection_Resnet50_Final.pth``, without the ``module.`` in front.
"""

from __future__ import annotations

from math import ceil

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from ....nn.blocks.resnet import resnet50

CHANNELS = 256
STRIDES = (8, 16, 32)
ANCHOR_SIDES = ((16, 32), (64, 128), (256, 512))  # pixels, at each stride
CENTRE_SHARE, SIZE_SHARE = 0.1, 0.2  # variances of the regression targets
MEAN_BGR = (104.0, 117.0, 123.0)
POINTS = 5  # eyes, nose, mouth corners
SAME_IOU = 0.4  # boxes that overlap a surer one by more are of the same face


def _conv(inputs: int, outputs: int, kernel: int = 3, *, active: bool = True) -> nn.Sequential:
    parts = [nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False), nn.BatchNorm2d(outputs)]
    return nn.Sequential(*parts, *([nn.ReLU(inplace=True)] if active else []))


class Pyramid(nn.Module):
    """Feature pyramid of three strides: (N, C, H, W) of each -> (N, 64, H, W) of each, coarse merged into fine."""

    def __init__(self, inputs: tuple[int, int, int]) -> None:
        super().__init__()
        self.output1, self.output2, self.output3 = (_conv(channels, CHANNELS, 1) for channels in inputs)
        self.merge1, self.merge2 = _conv(CHANNELS, CHANNELS), _conv(CHANNELS, CHANNELS)

    def forward(self, fine: Tensor, middle: Tensor, coarse: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        fine, middle, coarse = self.output1(fine), self.output2(middle), self.output3(coarse)
        middle = self.merge2(middle + F.interpolate(coarse, size=middle.shape[-2:], mode="nearest"))
        fine = self.merge1(fine + F.interpolate(middle, size=fine.shape[-2:], mode="nearest"))
        return fine, middle, coarse


class Context(nn.Module):
    """Context of 3 x 3 to 7 x 7 cells by chains of 3 x 3 convolutions, (N, 64, H, W) ("SSH", Najibi et al. 2017)."""

    def __init__(self) -> None:
        super().__init__()
        half, quarter = CHANNELS // 2, CHANNELS // 4
        self.conv3X3 = _conv(CHANNELS, half, active=False)
        self.conv5X5_1, self.conv5X5_2 = _conv(CHANNELS, quarter), _conv(quarter, quarter, active=False)
        self.conv7X7_2, self.conv7x7_3 = _conv(quarter, quarter), _conv(quarter, quarter, active=False)

    def forward(self, x: Tensor) -> Tensor:
        narrow = self.conv5X5_1(x)
        wide = self.conv7x7_3(self.conv7X7_2(narrow))
        return F.relu(torch.cat([self.conv3X3(x), self.conv5X5_2(narrow), wide], dim=1))


class Head(nn.Module):
    """`numbers` for each anchor: (N, C, H, W) -> (N, anchors, numbers), cell after cell."""

    def __init__(self, numbers: int) -> None:
        super().__init__()
        self.numbers = numbers
        self.conv1x1 = nn.Conv2d(CHANNELS, len(ANCHOR_SIDES[0]) * numbers, 1)

    def forward(self, x: Tensor) -> Tensor:
        cells: Tensor = self.conv1x1(x).permute(0, 2, 3, 1)
        return cells.flatten(1).unflatten(1, (-1, self.numbers))


class RetinaFace(nn.Module):
    """Detector: pictures -> box, score and points for each anchor."""

    def __init__(self) -> None:
        super().__init__()
        self.body = resnet50()
        self.fpn = Pyramid((512, 1024, 2048))
        self.ssh1, self.ssh2, self.ssh3 = Context(), Context(), Context()
        self.ClassHead = nn.ModuleList(Head(2) for _ in STRIDES)
        self.BboxHead = nn.ModuleList(Head(4) for _ in STRIDES)
        self.LandmarkHead = nn.ModuleList(Head(2 * POINTS) for _ in STRIDES)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Predictions for n anchors (see `anchors`).

        Args:
            pictures: (N, 3, H, W), blue, green, red, 0..255 less `MEAN_BGR`.

        Returns:
            Box offsets (N, n, 4), shares (N, n, 2) of no face and face, and point offsets (N, n, 10).
        """
        maps = self.fpn(*self.body.stages(pictures)[1:])
        features = [context(level) for context, level in zip((self.ssh1, self.ssh2, self.ssh3), maps, strict=True)]

        def joined(heads: nn.ModuleList) -> Tensor:
            return torch.cat([head(level) for head, level in zip(heads, features, strict=True)], dim=1)

        return joined(self.BboxHead), joined(self.ClassHead).softmax(dim=-1), joined(self.LandmarkHead)


def anchors(height: int, width: int) -> Tensor:
    """Anchors (n, 4) of a picture: centre x, y, then width and height, as shares of the picture's."""
    levels = []
    for stride, sides in zip(STRIDES, ANCHOR_SIDES, strict=True):
        rows, columns = ceil(height / stride), ceil(width / stride)
        y = ((torch.arange(rows, dtype=torch.float64) + 0.5) * stride / height)[:, None, None]
        x = ((torch.arange(columns, dtype=torch.float64) + 0.5) * stride / width)[None, :, None]
        side = torch.tensor(sides, dtype=torch.float64)
        shape = (rows, columns, len(sides))
        parts = (x.expand(shape), y.expand(shape), (side / width).expand(shape), (side / height).expand(shape))
        levels.append(torch.stack(parts, dim=-1).flatten(0, 2))
    return torch.cat(levels).float()


def decode_boxes(offsets: Tensor, priors: Tensor, height: int, width: int) -> Tensor:
    """Boxes (n, 4): left, top, right, bottom in pixels, counted from the picture's corner.

    Args:
        offsets: (n, 4), of the network.
        priors: (n, 4), see `anchors`.
    """
    middle = priors[:, :2] + offsets[:, :2] * CENTRE_SHARE * priors[:, 2:]
    half = priors[:, 2:] * torch.exp(offsets[:, 2:] * SIZE_SHARE) / 2
    return torch.cat([middle - half, middle + half], dim=1) * offsets.new_tensor([width, height, width, height])


def decode_points(offsets: Tensor, priors: Tensor, height: int, width: int) -> Tensor:
    """Five points (n, 5, 2), (x, y) in pixels, of offsets (n, 10)."""
    points = priors[:, None, :2] + offsets.unflatten(1, (POINTS, 2)) * CENTRE_SHARE * priors[:, None, 2:]
    return points * offsets.new_tensor([width, height])


def best_boxes(boxes: NDArray[np.floating], scores: NDArray[np.floating], overlap: float = SAME_IOU) -> list[int]:
    """Numbers of the boxes that stay, the surest first: one for each face.

    Args:
        boxes: (n, 4), left, top, right, bottom.
        scores: (n,).
        overlap: area in common over area in all from which the less sure of two boxes goes.
    """
    order = np.argsort(-scores, kind="stable")
    areas = (boxes[:, 2:] - boxes[:, :2]).clip(min=0).prod(axis=1)
    kept: list[int] = []
    while len(order):
        best, rest = order[0], order[1:]
        kept.append(int(best))
        low, high = np.maximum(boxes[best, :2], boxes[rest, :2]), np.minimum(boxes[best, 2:], boxes[rest, 2:])
        common = (high - low).clip(min=0).prod(axis=1)
        order = rest[common <= overlap * (areas[best] + areas[rest] - common)]
    return kept
