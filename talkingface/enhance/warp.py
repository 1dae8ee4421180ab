"""Affine maps of pictures as tensors, in torch, so that they run where the networks run."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..face.sample import Matrix

MARGIN = 4  # pixels of the coarser grid around what is looked at: the reach of the two filters


def warp(
    pictures: Tensor, matrix: Matrix, size: tuple[int, int], *, outside: Literal["border", "zeros"] = "border"
) -> Tensor:
    """The part of pictures that a matrix takes the result's points to; bicubic, averaging where it shrinks.

    Args:
        pictures: (N, C, H, W).
        matrix: (3, 3), affine, takes points (x, y, 1) of the result to points of the pictures; pixel centres at whole
            numbers.
        size: (height, width) of the result.
        outside: what lies beyond the pictures: their border repeated, or 0.

    Returns:
        (N, C, height, width); bicubic weights may leave the range of the pictures by a little.
    """
    part, matrix = _reduced(*_part(pictures, matrix, size))
    pixels = _from_unit(part.shape[-2], part.shape[-1]), _from_unit(*size)
    theta = np.linalg.inv(pixels[0]) @ matrix @ pixels[1]
    grid_shape = [len(part), part.shape[1], *size]
    unit = torch.from_numpy(theta[:2]).to(part)[None].expand(len(part), 2, 3)
    grid = F.affine_grid(unit, grid_shape, align_corners=False)
    return F.grid_sample(part, grid, mode="bicubic", padding_mode=outside, align_corners=False)


def _part(pictures: Tensor, matrix: Matrix, size: tuple[int, int]) -> tuple[Tensor, Matrix]:
    """What is looked at with a margin, so that the rest of a large picture costs nothing, and the matrix for it."""
    height, width = pictures.shape[-2:]
    corners = np.array(
        [[-0.5, -0.5, 1], [size[1] - 0.5, -0.5, 1], [size[1] - 0.5, size[0] - 0.5, 1], [-0.5, size[0] - 0.5, 1]]
    )
    points = (corners @ matrix.T)[:, :2]
    margin = MARGIN * max(1.0, _scale(matrix))
    left, top = (int(v) for v in np.floor(points.min(0) - margin).clip(0, (width - 1, height - 1)))
    right, bottom = (int(v) for v in np.ceil(points.max(0) + margin).clip((left, top), (width - 1, height - 1)))
    shift = np.array([[1.0, 0.0, -left], [0.0, 1.0, -top], [0.0, 0.0, 1.0]])
    return pictures[..., top : bottom + 1, left : right + 1], shift @ matrix


def _reduced(pictures: Tensor, matrix: Matrix) -> tuple[Tensor, Matrix]:
    """The pictures at the result's scale where that is the coarser one, and the matrix for them."""
    scale = _scale(matrix)
    if scale <= 1:
        return pictures, matrix
    height, width = pictures.shape[-2:]
    small = max(1, round(height / scale)), max(1, round(width / scale))
    y, x = small[0] / height, small[1] / width
    shrink = np.array([[x, 0.0, (x - 1) / 2], [0.0, y, (y - 1) / 2], [0.0, 0.0, 1.0]])
    reduced = F.interpolate(pictures, size=small, mode="bicubic", align_corners=False, antialias=True)
    return reduced, shrink @ matrix


def _scale(matrix: Matrix) -> float:
    """Pixels of the picture for one of the result."""
    return float(np.sqrt(abs(np.linalg.det(matrix[:2, :2]))))


def _from_unit(height: int, width: int) -> Matrix:
    """Takes torch's coordinates, -1..1 from edge to edge, to points."""
    return np.array([[width / 2, 0.0, (width - 1) / 2], [0.0, height / 2, (height - 1) / 2], [0.0, 0.0, 1.0]])
