"""What a reconstruction network is trained to make small (Deng et al. 2019, section 3; names as published)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import torch
import torch.nn.functional as F
from torch import Tensor

from .coefficients import Coefficients

WEIGHTS: Mapping[str, float] = MappingProxyType(
    {"feat": 0.2, "color": 1.92, "reg": 3e-4, "gamma": 10.0, "lm": 1.6e-3, "reflc": 5.0}
)
"""Factors of the six losses in their sum."""

_REGULARISED = (("id", 1.0), ("exp", 0.8), ("tex", 0.017))
# Nose bridge and inner lips move little and say most about the pose and the mouth.
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


def landmark_loss(predicted: Tensor, found: Tensor) -> Tensor:
    """Mean squared distance, with points 28 to 30 and 60 to 67 (counted from 0) 20 times as heavy.

    Args:
        predicted, found: (N, 68, 2), pixels.
    """
    weight = predicted.new_ones(predicted.shape[1])
    for part in _STRESSED:
        weight[part] = _STRESS
    return (((predicted - found) ** 2).sum(-1) * weight).mean()


def coefficient_loss(rows: Tensor) -> Tensor:
    """How unlikely faces are: weighted squares of id, exp and tex.

    Args:
        rows: (N, 257).
    """
    named = Coefficients(rows)
    return torch.stack([factor * (named[name] ** 2).sum() for name, factor in _REGULARISED]).sum() / len(rows)


def gamma_loss(rows: Tensor) -> Tensor:
    """How coloured the light is: variance of gamma between the three channels.

    Args:
        rows: (N, 257).
    """
    gamma = Coefficients(rows).gamma.unflatten(-1, (3, 9))
    return ((gamma - gamma.mean(1, keepdim=True)) ** 2).mean()


def reflectance_loss(texture: Tensor, skin: Tensor) -> Tensor:
    """How uneven the skin is: variance of the colours of skin over each face.

    Args:
        texture: (N, V, 3), colours in even light.
        skin: (V,), 1 where skin is.
    """
    mask = skin.reshape(1, -1, 1)
    mean = (mask * texture).sum(1, keepdim=True) / mask.sum()
    return (((texture - mean) * mask) ** 2).sum() / (len(texture) * mask.sum())
