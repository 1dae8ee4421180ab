"""Boxes around mouth, eyes and nose, and the mask by which the calibrator's training looks at them more closely."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor


def cut_out(pictures: Tensor, boxes: Tensor, side: int) -> Tensor:
    """One part of each picture, resampled; differentiable in the pictures.

    Each of the side x side cells is the mean of ceil(box / side) bilinear samples on either axis. Edges are positions
    where integers are pixel centres (torchvision's roi_align with aligned=False). Samples more than a pixel outside are
    black, those nearer take the border pixel.

    Args:
        pictures: (N, C, H, W).
        boxes: (N, 4), left, top, right, bottom; a box thinner than one pixel counts as one.

    Returns:
        (N, C, side, side).
    """
    height, width = pictures.shape[-2:]
    rows, columns = [], []
    for left, top, right, bottom in boxes.tolist():
        rows.append(_sampling(top, bottom, height, side, pictures))
        columns.append(_sampling(left, right, width, side, pictures))
    return torch.einsum("nph,nchw,nqw->ncpq", torch.stack(rows), pictures, torch.stack(columns))


def _sampling(start: float, stop: float, length: int, cells: int, like: Tensor) -> Tensor:
    """Weights (cells, length) of the pixels of one axis."""
    extent = max(stop - start, 1.0)
    samples = math.ceil(extent / cells)
    steps = torch.arange(cells * samples, dtype=torch.float64, device=like.device)
    places = start + (steps + 0.5) * extent / (cells * samples)
    inside = (places >= -1) & (places <= length)
    pixels = torch.arange(length, dtype=torch.float64, device=like.device)
    hats = (1 - (places.clamp(0, length - 1)[:, None] - pixels).abs()).clamp(min=0) * inside[:, None]
    return hats.view(cells, samples, length).mean(dim=1).to(like.dtype)


LANDMARK_FRAME = 256  # side of the frame in which stored landmarks are


class Part(NamedTuple):
    """Landmarks `first` to `end` - 1, and the pixels added on each side of their bounds."""

    first: int
    end: int
    margin: int


MOUTH, LEFT_EYE, RIGHT_EYE, NOSE = (
    Part(48, 68, 8),
    Part(36, 42, 15),
    Part(42, 48, 15),
    Part(27, 36, 15),
)
PARTS = (MOUTH, LEFT_EYE, RIGHT_EYE, NOSE)


def part_boxes(landmarks: Tensor, scale: float) -> Tensor:
    """Boxes of `PARTS`.

    Args:
        landmarks: (N, 68, 2), in a frame of 256 pixels.
        scale: of the pictures to that frame; 2 for pictures of 512 pixels.

    Returns:
        (4, N, 4), integers: left, top, right, bottom.
    """
    boxes = []
    for part in PARTS:
        points = landmarks[:, part.first : part.end] * scale
        low, high = points.amin(dim=1).long() - part.margin, points.amax(dim=1).long() + part.margin
        boxes.append(torch.cat([low, high], dim=1))
    return torch.stack(boxes)


def part_mask(boxes: Tensor, like: Tensor, outside: float) -> Tensor:
    """1 inside any of the boxes, `outside` elsewhere.

    Args:
        boxes: (parts, N, 4), as of `part_boxes`; what lies outside the picture is left out.
        like: (N, C, H, W), gives size, dtype and device.

    Returns:
        (N, 1, H, W).
    """
    height, width = like.shape[-2:]
    left, top, right, bottom = boxes.to(like.device)[..., None].unbind(dim=2)
    columns = torch.arange(width, device=like.device)
    rows = torch.arange(height, device=like.device)
    across, down = (columns >= left) & (columns < right), (rows >= top) & (rows < bottom)
    inside = (down[..., :, None] & across[..., None, :]).any(dim=0)[:, None]
    return torch.where(inside, 1.0, outside).to(like.dtype)
