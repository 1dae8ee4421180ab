"""Sharpness of predicted frames: CPBD, and the finest octave against the source's."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from ..metric import ClipFacts, FrameMetric, MetricTools

Floats = NDArray[np.float64]


class Sharpness(FrameMetric):
    """Energy of the finest octave in the middle of the frame, over the same of the source; 1 is as sharp."""

    heading, digits, better, aligned = "sharpness", 2, "higher", False

    def __init__(self, tools: MetricTools) -> None:
        super().__init__(tools)
        self._own = math.nan

    def begin(self, clip: ClipFacts) -> None:
        self._own = float(finest_octave(clip.source)) or math.nan

    def measure(self, predicted: Tensor, real: Tensor) -> Tensor:
        return finest_octave(predicted) / self._own


def finest_octave(pictures: Tensor) -> Tensor:
    """Energy (N,) of what halving loses, in the middle of pictures (N, 3, H, W)."""
    height, width = pictures.shape[-2:]
    middle = pictures[..., height // 4 : height - height // 8, width // 5 : width - width // 5]
    middle = middle[..., : middle.shape[-2] // 2 * 2, : middle.shape[-1] // 2 * 2]
    coarse = F.interpolate(F.avg_pool2d(middle, 2), scale_factor=2, mode="bilinear", align_corners=False)
    return (middle - coarse).square().mean(dim=(1, 2, 3))


BLOCK = 64
EDGES_OF_BLOCK = 0.002
"""Share of edge pixels from which a block counts."""
JUST_NOTICEABLE = 0.63
BETA = 3.6


class CPBD(FrameMetric):
    """Cumulative probability of blur detection: the share of edges whose blur nobody notices; 1 is sharp.

    Source: Narvekar and Karam 2011, section III; edges by Sobel along rows, widths of 5 pixels just noticeable at a
    contrast up to 50, of 3 above.
    """

    heading, digits, better, aligned = "CPBD", 3, "higher", False

    def measure(self, predicted: Tensor, real: Tensor) -> Tensor:
        weights = torch.tensor([0.299, 0.587, 0.114], device=predicted.device).view(3, 1, 1)
        grey = (predicted * weights).sum(dim=1).mul(255).double().cpu().numpy()
        return torch.tensor([cpbd(picture) for picture in grey])


def cpbd(picture: Floats) -> float:
    """CPBD of a grey picture (H, W), 0 to 255; NaN where no block has edges enough."""
    picture = np.round(picture)  # the feet of an edge end where its steps are smaller than one grey level
    slope = ndimage.sobel(picture, axis=1) / 8
    strength = np.abs(slope)
    threshold = 2 * np.sqrt(np.mean(strength**2))
    peak = (strength >= np.roll(strength, 1, axis=1)) & (strength > np.roll(strength, -1, axis=1))
    edges = peak & (strength > threshold)
    edges[:, [0, -1]] = False
    blurs = [
        _blur(picture, slope, edges, top, left)
        for top in range(0, picture.shape[0] - BLOCK + 1, BLOCK)
        for left in range(0, picture.shape[1] - BLOCK + 1, BLOCK)
    ]
    known = np.concatenate(blurs) if blurs else np.zeros(0)
    return float((known <= JUST_NOTICEABLE).mean()) if len(known) else math.nan


def _blur(picture: Floats, slope: Floats, edges: NDArray[np.bool_], top: int, left: int) -> Floats:
    """Probability (n,) that each edge of a block is seen as blurred; none where it has too few."""
    block = np.s_[top : top + BLOCK, left : left + BLOCK]
    places = np.argwhere(edges[block]) + np.array([top, left])
    if len(places) <= EDGES_OF_BLOCK * BLOCK**2:
        return np.zeros(0)
    contrast = float(picture[block].max() - picture[block].min())
    noticeable = 5 if contrast <= 50 else 3
    widths = np.array([_width(picture[y], int(x), slope[y, x] > 0) for y, x in places])
    return np.asarray(1 - np.exp(-((widths / noticeable) ** BETA)))


def _width(row: Floats, place: int, rising: bool) -> int:
    """Pixels from the foot of an edge to its top along a row (W,)."""
    values = row if rising else -row
    first = last = place
    while first > 0 and values[first - 1] < values[first]:
        first -= 1
    while last < len(values) - 1 and values[last + 1] > values[last]:
        last += 1
    return last - first
