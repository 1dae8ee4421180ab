"""Boxes around mouth, eyes and nose, and the mask by which the calibrator's training looks at them more closely."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

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
