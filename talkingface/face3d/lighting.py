"""Light from far away on a matt surface, as nine spherical harmonics (Ramamoorthi and Hanrahan 2001)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

AMBIENT = (0.8, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
"""What is added to the coefficients of every channel, so that zeros are an even, rather bright light."""

_CONSTANT = math.pi / math.sqrt(4 * math.pi)
_LINEAR = 2 * math.pi / math.sqrt(3) * math.sqrt(3) / math.sqrt(4 * math.pi)
_SQUARE = 2 * math.pi / math.sqrt(8) * 3 * math.sqrt(5) / math.sqrt(12 * math.pi)


def harmonics(normals: Tensor) -> Tensor:
    """The nine functions at each normal.

    Args:
        normals: (..., 3), of length 1.

    Returns:
        (..., 9).
    """
    x, y, z = normals.unbind(-1)
    return torch.stack(
        [
            torch.full_like(x, _CONSTANT),
            -_LINEAR * y,
            _LINEAR * z,
            -_LINEAR * x,
            _SQUARE * x * y,
            -_SQUARE * y * z,
            _SQUARE / (2 * math.sqrt(3)) * (3 * z**2 - 1),
            -_SQUARE * x * z,
            _SQUARE / 2 * (x**2 - y**2),
        ],
        dim=-1,
    )


def illuminate(albedo: Tensor, normals: Tensor, gamma: Tensor) -> Tensor:
    """Colours under a light.

    Args:
        albedo: (N, V, 3), colours in even light.
        normals: (N, V, 3), of length 1.
        gamma: (N, 27), nine numbers for red, nine for green, nine for blue; `AMBIENT` is added to each.

    Returns:
        (N, V, 3), not clipped.
    """
    light = gamma.unflatten(-1, (3, 9)) + gamma.new_tensor(AMBIENT)
    return harmonics(normals) @ light.mT * albedo
