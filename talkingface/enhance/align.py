"""Alignment of faces for restorers: 512 x 512 pixels, eyes, nose and mouth at fixed places."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ..face.crop.crop import Crop
from ..face.crop.sampling import Matrix
from ..face.face import Points, similarity

SIDE = 512  # pixels of the aligned face
SMALLEST = 5.0  # pixels between the eyes; smaller faces cannot be restored

# Mean places of eyes, nose tip and mouth corners in the pictures that the published restorers were trained with (FFHQ
# at 512 x 512), the eye and the corner on the left of the picture first.
TEMPLATE: NDArray[np.float64] = np.array(
    [
        [192.98138, 239.94708],
        [318.90277, 240.1936],
        [256.63416, 314.01935],
        [201.26117, 371.41043],
        [313.08905, 371.15118],
    ]
)
_LEFT_EYE, _RIGHT_EYE, _NOSE_TIP, _MOUTH_CORNERS = slice(36, 42), slice(42, 48), 30, (48, 54)


def five_of(landmarks: Points) -> Points:
    """Middles of the eyes, nose tip and mouth corners, (5, 2), of 68 landmarks (68, 2)."""
    eyes = landmarks[_LEFT_EYE].mean(0), landmarks[_RIGHT_EYE].mean(0)
    mouth = (landmarks[corner] for corner in _MOUTH_CORNERS)
    return np.stack([*eyes, landmarks[_NOSE_TIP], *mouth]).astype(np.float32)


def is_large_enough(five: Points) -> bool:
    """True if a face is large enough to be restored, by its five points (5, 2) in pixels."""
    return bool(np.hypot(*(five[1] - five[0])) >= SMALLEST)


def aligned_crop(five: Points) -> Crop:
    """Crop that aligns a face for restorers: turned, scaled and moved, never skewed.

    Args:
        five: (5, 2), eyes, nose tip and mouth corners in the picture, not all at one place.

    Returns:
        A crop of (512, 512); it may leave the picture.
    """
    to_template = similarity(np.asarray(five, np.float64), TEMPLATE)
    return Crop(np.asarray(np.linalg.inv(to_template), np.float64), (SIDE, SIDE))


MARGIN = 4  # pixels of the coarser grid around what is sampled: the reach of the two filters


def warp(
    pictures: Tensor, matrix: Matrix, size: tuple[int, int], *, outside: Literal["border", "zeros"] = "border"
) -> Tensor:
    """Warp pictures by the affine map from the result to them; bicubic, averaging where it shrinks.

    Args:
        pictures: (N, C, H, W).
        matrix: (3, 3), affine, takes points (x, y, 1) of the result to points of the pictures; pixel centres at whole
            numbers.
        size: (height, width) of the result.
        outside: what lies beyond the pictures: their border repeated, or 0.

    Returns:
        (N, C, height, width); bicubic weights may leave the range of the pictures by a little.
    """
    from kornia.geometry import warp_affine  # here, because loading kornia takes a second

    part, matrix = _reduced(*_part(pictures, matrix, size))
    to_result = torch.from_numpy(np.linalg.inv(matrix)[:2]).to(part)[None]
    # One matrix for each picture: earlier releases of kornia do not share it.
    return warp_affine(part, to_result.expand(len(part), 2, 3), size, mode="bicubic", padding_mode=outside)


def _part(pictures: Tensor, matrix: Matrix, size: tuple[int, int]) -> tuple[Tensor, Matrix]:
    """Part of the pictures that is sampled, with a margin, and the matrix for it; the rest of a large picture is free.

    It is two pixels wide and high at least: on a single pixel every coordinate means that pixel, even beyond it.
    """
    height, width = pictures.shape[-2:]
    corners = np.array(
        [[-0.5, -0.5, 1], [size[1] - 0.5, -0.5, 1], [size[1] - 0.5, size[0] - 0.5, 1], [-0.5, size[0] - 0.5, 1]]
    )
    points = (corners @ matrix.T)[:, :2]
    margin = MARGIN * max(1.0, _scale(matrix))
    left, top = (int(v) for v in np.floor(points.min(0) - margin).clip(0, (max(width - 2, 0), max(height - 2, 0))))
    right, bottom = (int(v) for v in np.ceil(points.max(0) + margin).clip((left + 1, top + 1), (width - 1, height - 1)))
    shift = np.array([[1.0, 0.0, -left], [0.0, 1.0, -top], [0.0, 0.0, 1.0]])
    return pictures[..., top : bottom + 1, left : right + 1], shift @ matrix


def _reduced(pictures: Tensor, matrix: Matrix) -> tuple[Tensor, Matrix]:
    """The pictures at the result's scale where that is the coarser one, and the matrix for them."""
    scale = _scale(matrix)
    if scale <= 1:
        return pictures, matrix
    height, width = pictures.shape[-2:]
    small = max(2, round(height / scale)), max(2, round(width / scale))
    y, x = small[0] / height, small[1] / width
    shrink = np.array([[x, 0.0, (x - 1) / 2], [0.0, y, (y - 1) / 2], [0.0, 0.0, 1.0]])
    reduced = F.interpolate(pictures, size=small, mode="bicubic", align_corners=False, antialias=True)
    return reduced, shrink @ matrix


def _scale(matrix: Matrix) -> float:
    """Pixels of the picture for one of the result."""
    return float(np.sqrt(abs(np.linalg.det(matrix[:2, :2]))))
