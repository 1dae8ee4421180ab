"""Turning heads: from three angles to a matrix. Angles are pitch, yaw and roll in radians, about x, y and z."""

from __future__ import annotations

import torch
from torch import Tensor


def rotation(angles: Tensor) -> Tensor:
    """The matrix that points are multiplied with from the left: ``turned = points @ rotation(angles)``.

    Args:
        angles: (N, 3), radians.

    Returns:
        (N, 3, 3), the transpose of Rz Ry Rx, so that x is turned first.
    """
    (sx, sy, sz), (cx, cy, cz) = torch.sin(angles).unbind(-1), torch.cos(angles).unbind(-1)
    one, zero = torch.ones_like(sx), torch.zeros_like(sx)
    about_x = _matrix([one, zero, zero, zero, cx, -sx, zero, sx, cx])
    about_y = _matrix([cy, zero, sy, zero, one, zero, -sy, zero, cy])
    about_z = _matrix([cz, -sz, zero, sz, cz, zero, zero, zero, one])
    return (about_z @ about_y @ about_x).mT


def _matrix(entries: list[Tensor]) -> Tensor:
    """(N, 3, 3) from nine rows of N numbers, row by row."""
    return torch.stack(entries, -1).unflatten(-1, (3, 3))
