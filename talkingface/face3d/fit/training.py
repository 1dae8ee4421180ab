"""Losses of a reconstruction network (Deng et al. 2019, section 3; names as published)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ...motion.coefficients import Coefficients

Matrix = NDArray[np.float64]

SHIFT_PX, SCALE_RANGE, TURN_DEGREES = 10, 0.1, 10.0


def _mirror() -> NDArray[np.int64]:
    """For each of 68 points, the one that is at its place in a mirrored face."""
    runs = (range(17), range(17, 27), range(27, 28), range(28, 29), range(29, 30), range(30, 31), range(31, 36))
    order = [index for run in runs for index in reversed(run)]
    order += [45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40]  # eyes change places
    mouth = (range(48, 55), range(55, 60), range(60, 65), range(65, 68))
    return np.array(order + [index for run in mouth for index in reversed(run)])


MIRROR_68 = _mirror()


@dataclass(frozen=True)
class Move:
    """One movement of a picture about its middle: mirror, then shift, then turn, then scale.

    Attributes:
        shift: (x, y) in pixels.
        scale: factor.
        degrees: of the turn; positive turns clockwise as seen.
        mirror: left and right change places.
    """

    shift: tuple[int, int] = (0, 0)
    scale: float = 1.0
    degrees: float = 0.0
    mirror: bool = False

    @classmethod
    def draw(cls, random: np.random.Generator) -> Move:
        """A movement within the published ranges."""
        x, y = (int(value) for value in random.integers(-SHIFT_PX, SHIFT_PX + 1, 2))
        scale, turn = random.uniform(-1, 1, 2)
        return cls((x, y), 1 + SCALE_RANGE * scale, TURN_DEGREES * turn, bool(random.random() > 0.5))

    def matrix(self, size: tuple[int, int]) -> Matrix:
        """(3, 3): pixel of the picture -> pixel of the moved picture, y downwards.

        Args:
            size: (height, width).
        """
        height, width = size
        angle = math.radians(self.degrees)
        cos, sin = self.scale * math.cos(angle), self.scale * math.sin(angle)
        about = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
        mirror = np.diag([-1.0 if self.mirror else 1.0, 1, 1])
        middle = (width // 2, height // 2)
        return _shift(*middle) @ about @ _shift(*self.shift) @ mirror @ _shift(-middle[0], -middle[1])

    def landmarks(self, points: NDArray[Any], size: tuple[int, int]) -> Matrix:
        """68 points of the moved picture.

        Args:
            points: (68, 2), pixels, y downwards.
            size: (height, width).
        """
        matrix = self.matrix(size)
        moved: Matrix = points @ matrix[:2, :2].T + matrix[:2, 2]
        return moved[MIRROR_68] if self.mirror else moved


def _shift(x: float, y: float) -> Matrix:
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1.0]])


WEIGHTS: Mapping[str, float] = MappingProxyType(
    {"feat": 0.2, "color": 1.92, "reg": 3e-4, "gamma": 10.0, "lm": 1.6e-3, "reflc": 5.0}
)
"""Factors of the six losses in their sum."""

_REGULARISED = (("id", 1.0), ("exp", 0.8), ("tex", 0.017))
# Nose bridge and inner lips move little and determine pose and mouth.
_STRESSED, _STRESS = (slice(28, 31), slice(60, 68)), 20.0


def photometric_loss(pictures: Tensor, drawn: Tensor, mask: Tensor) -> Tensor:
    """Mean distance of colours where the mask is.

    Args:
        pictures, drawn: (N, 3, H, W), RGB, [0, 1].
        mask: (N, 1, H, W), from 0 to 1; no gradient flows through it.
    """
    mask = mask.detach()
    distance = torch.sqrt(1e-6 + ((pictures - drawn) ** 2).sum(1, keepdim=True))
    return (distance * mask).sum() / mask.sum().clamp(min=1.0)


def identity_loss(features: Tensor, others: Tensor) -> Tensor:
    """One minus the mean cosine between features of two pictures, both (N, C)."""
    return (1 - F.cosine_similarity(features, others)).mean()


def landmark_loss(predicted: Tensor, detected: Tensor) -> Tensor:
    """Mean squared distance, with points 28 to 30 and 60 to 67 (counted from 0) 20 times as heavy.

    Args:
        predicted, detected: (N, 68, 2), pixels.
    """
    weight = predicted.new_ones(predicted.shape[1])
    for part in _STRESSED:
        weight[part] = _STRESS
    return (((predicted - detected) ** 2).sum(-1) * weight).mean()


def coefficient_loss(rows: Tensor) -> Tensor:
    """Unlikeliness of faces: weighted squares of id, exp and tex.

    Args:
        rows: (N, 257).
    """
    named = Coefficients(rows)
    return torch.stack([factor * (named[name] ** 2).sum() for name, factor in _REGULARISED]).sum() / len(rows)


def gamma_loss(rows: Tensor) -> Tensor:
    """Colour of the light: variance of gamma between the three channels.

    Args:
        rows: (N, 257).
    """
    gamma = Coefficients(rows).gamma.unflatten(-1, (3, 9))
    return ((gamma - gamma.mean(1, keepdim=True)) ** 2).mean()


def reflectance_loss(texture: Tensor, skin: Tensor) -> Tensor:
    """Unevenness of the skin: variance of the colours of skin over each face.

    Args:
        texture: (N, V, 3), colours in even light.
        skin: (V,), 1 where skin is.
    """
    mask = skin.reshape(1, -1, 1)
    mean = (mask * texture).sum(1, keepdim=True) / mask.sum()
    return (((texture - mean) * mask) ** 2).sum() / (len(texture) * mask.sum())
