"""The 98-point network of SadTalker: four stacked hourglasses with coordinate channels (Wang et al. 2019, "Adaptive
Wing Loss", section 5), the points of its heatmaps, and their reduction to 68.

Parameter names are those of the file ``alignment_WFLW_4HG.pth``.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

SIDE = 256  # of the pictures
MAP_SIDE = 64  # of the heatmaps
LANDMARKS = 98
FEATURES, DEPTH = 256, 4
BOUNDARY = 0.05  # cells of the boundary map above it get their coordinates as two more channels


class ResidualConcat(nn.Module):
    """Three convolutions with their outputs concatenated, added to the input; (N, C, H, W) -> (N, C', H, W)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        half, quarter = outputs // 2, outputs // 4
        self.bn1, self.conv1 = nn.BatchNorm2d(inputs), nn.Conv2d(inputs, half, 3, padding=1, bias=False)
        self.bn2, self.conv2 = nn.BatchNorm2d(half), nn.Conv2d(half, quarter, 3, padding=1, bias=False)
        self.bn3, self.conv3 = nn.BatchNorm2d(quarter), nn.Conv2d(quarter, quarter, 3, padding=1, bias=False)
        self.downsample: nn.Module | None = None
        if inputs != outputs:
            self.downsample = nn.Sequential(
                nn.BatchNorm2d(inputs), nn.ReLU(), nn.Conv2d(inputs, outputs, 1, bias=False)
            )

    def forward(self, x: Tensor) -> Tensor:
        first = self.conv1(F.relu(self.bn1(x)))
        second = self.conv2(F.relu(self.bn2(first)))
        third = self.conv3(F.relu(self.bn3(second)))
        return torch.cat([first, second, third], dim=1) + (x if self.downsample is None else self.downsample(x))


def _coordinates(x: Tensor, boundary: Tensor | None, *, radius: bool) -> Tensor:
    """Channels of row, column and distance from the middle, and rows and columns of the boundary alone."""
    count, _, height, width = x.shape
    rows = torch.linspace(-1, 1, height, dtype=x.dtype, device=x.device)[:, None].expand(count, 1, height, width)
    columns = torch.linspace(-1, 1, width, dtype=x.dtype, device=x.device).expand(count, 1, height, width)
    channels = [rows, columns]
    if radius:
        distance = (rows.square() + columns.square()).sqrt()
        channels.append(distance / distance.max())
    if boundary is not None:
        near = boundary.clamp(0, 1) > BOUNDARY
        channels += [torch.where(near, channel, torch.zeros_like(channel)) for channel in (rows, columns)]
    return torch.cat(channels, dim=1)


class CoordinateConv(nn.Module):
    """Convolution with coordinates as further input channels (Liu et al. 2018): (N, C, H, W) -> (N, C', H, W)."""

    def __init__(self, channels: int, outputs: int, kernel: int, stride: int = 1, *, radius: bool = False) -> None:
        """`channels`: of the input and of all coordinates."""
        super().__init__()
        self.radius = radius
        self.conv = nn.Conv2d(channels, outputs, kernel, stride, kernel // 2)

    def forward(self, x: Tensor, boundary: Tensor | None = None) -> Tensor:
        out: Tensor = self.conv(torch.cat([x, _coordinates(x, boundary, radius=self.radius)], dim=1))
        return out


class CoordinateHourglass(nn.Module):
    """Hourglass behind a convolution with coordinates and, but for the first, those of boundaries; (N, 256, H, W)."""

    def __init__(self, *, first: bool) -> None:
        super().__init__()
        self.coordconv = CoordinateConv(FEATURES + (3 if first else 5), FEATURES, 1, radius=True)
        for level in range(1, DEPTH + 1):
            for name in ("b1", "b2", "b3", *(["b2_plus"] if level == 1 else [])):
                self.add_module(f"{name}_{level}", ResidualConcat(FEATURES, FEATURES))

    def forward(self, x: Tensor, boundary: Tensor | None) -> Tensor:
        return self._level(DEPTH, self.coordconv(x, boundary))

    def _level(self, level: int, x: Tensor) -> Tensor:
        low = self.get_submodule(f"b2_{level}")(F.avg_pool2d(x, 2))
        low = self._level(level - 1, low) if level > 1 else self.get_submodule("b2_plus_1")(low)
        low = self.get_submodule(f"b3_{level}")(low)
        out: Tensor = self.get_submodule(f"b1_{level}")(x) + F.interpolate(low, scale_factor=2, mode="nearest")
        return out


class LandmarkNet98(nn.Module):
    """Faces -> heatmaps of 98 points and one of boundaries, from each of the stacked hourglasses."""

    def __init__(self, num_modules: int = 4, num_landmarks: int = LANDMARKS) -> None:
        super().__init__()
        self.num_modules, maps = num_modules, num_landmarks + 1
        self.conv1, self.bn1 = CoordinateConv(3 + 3, 64, 7, 2, radius=True), nn.BatchNorm2d(64)
        self.conv2, self.conv3, self.conv4 = (
            ResidualConcat(*sizes) for sizes in ((64, 128), (128, 128), (128, FEATURES))
        )
        for index in range(num_modules):
            self.add_module(f"m{index}", CoordinateHourglass(first=index == 0))
            self.add_module(f"top_m_{index}", ResidualConcat(FEATURES, FEATURES))
            self.add_module(f"conv_last{index}", nn.Conv2d(FEATURES, FEATURES, 1))
            self.add_module(f"bn_end{index}", nn.BatchNorm2d(FEATURES))
            self.add_module(f"l{index}", nn.Conv2d(FEATURES, maps, 1))
            if index < num_modules - 1:
                self.add_module(f"bl{index}", nn.Conv2d(FEATURES, FEATURES, 1))
                self.add_module(f"al{index}", nn.Conv2d(maps, FEATURES, 1))

    def forward(self, faces: Tensor) -> list[Tensor]:
        """Heatmaps (N, 99, 64, 64) of each stack, the last the best.

        Args:
            faces: (N, 3, 256, 256), red, green, blue, as it was trained, [0, 1]. The published SadTalker exchanges
                red and blue, and so does its recorded case.
        """
        x = F.relu(self.bn1(self.conv1(faces)))
        x = self.conv4(self.conv3(F.avg_pool2d(self.conv2(x), 2)))
        heatmaps: list[Tensor] = []
        for index in range(self.num_modules):
            part = {name: self.get_submodule(f"{name}{index}") for name in ("m", "top_m_", "conv_last", "bn_end", "l")}
            out = part["top_m_"](part["m"](x, heatmaps[-1][:, -1:] if heatmaps else None))
            out = F.relu(part["bn_end"](part["conv_last"](out)))
            heatmaps.append(part["l"](out))
            if index < self.num_modules - 1:
                x = x + self.get_submodule(f"bl{index}")(out) + self.get_submodule(f"al{index}")(heatmaps[-1])
        return heatmaps


def heatmap_points(heatmaps: Tensor, *, fault: bool = False) -> Tensor:
    """Points (N, K, 2), (x, y) in cells counted from the map's corner, of heatmaps (N, K, H, W).

    The cell of the maximum, moved a quarter of a cell towards its larger neighbour along each axis that has two.

    Args:
        fault: take neighbours as the published code does, from the map as one line, and once any maximum has none
            below it (or above it), for all points the map's last (or first) cell in its place.
    """
    height, width = heatmaps.shape[-2:]
    line = heatmaps.flatten(2)
    best = line.argmax(dim=2)
    row, column, last = best // width, best % width, height * width - 1

    def at(places: Tensor) -> Tensor:
        return line.gather(2, places.clamp(0, last)[..., None])[..., 0]

    below, above = best + width, best - width
    if fault:
        below = torch.full_like(best, last) if bool((below > last).any()) else below
        above = torch.zeros_like(best) if bool((above <= 0).any()) else above
    lean = torch.stack([at(best + 1) - at(best - 1), at(below) - at(above)], dim=-1).sign()
    if not fault:
        inner = [(column > 0) & (column < width - 1), (row > 0) & (row < height - 1)]
        lean = lean * torch.stack(inner, dim=-1)
    return torch.stack([column, row], dim=-1) + 0.25 * lean + 0.5


# Of each of the 68 points, the one or two of the 98 whose mean it is.
_BROWS = ((33,), (34, 41), (35, 40), (36, 39), (37, 38), (42, 50), (43, 49), (44, 48), (45, 47), (46,))
_EYES = (60, 61, 63, 64, 65, 67, 68, 69, 71, 72, 73, 75)
MEANS_68: tuple[tuple[int, ...], ...] = (
    *((index,) for index in range(0, 33, 2)),
    *_BROWS,
    *((index,) for index in range(51, 60)),
    *((index,) for index in _EYES),
    *((index,) for index in range(76, 96)),
)


def reduce_to_68(points: NDArray[np.floating]) -> NDArray[np.float32]:
    """68 points in the usual order, (68, 2), of the 98 of WFLW (Wu et al. 2018), (98, 2)."""
    return np.stack([points[list(parts)].mean(axis=0) for parts in MEANS_68]).astype(np.float32)
