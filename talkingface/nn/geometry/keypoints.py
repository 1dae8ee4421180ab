"""Keypoints with the local affine motion at each (Siarohin et al. 2019, section 3.1), as networks exchange them."""

from __future__ import annotations

from typing import TypeAlias

import torch
from torch import Tensor

from ..precision import float32_region
from .grids import coordinate_grid, inverse_2x2

Keypoints: TypeAlias = dict[str, Tensor]
"""``value`` (N, K, 2), (x, y) in [-1, 1]; ``jacobian`` (N, K, 2, 2), row = output axis, absent in shift-only models."""


def slice_keypoints(keypoints: Keypoints, frames: slice) -> Keypoints:
    """Keypoints (n, K, ...) of some of the frames."""
    return {name: values[frames] for name, values in keypoints.items()}


def detach_keypoints(keypoints: Keypoints) -> Keypoints:
    """Keypoints (N, K, ...) without gradients."""
    return {name: values.detach() for name, values in keypoints.items()}


def expand_keypoints(keypoints: Keypoints, count: int) -> Keypoints:
    """Keypoints (1, K, ...) for `count` frames, (count, K, ...); no memory is copied."""
    return {name: values.expand(count, *values.shape[1:]) for name, values in keypoints.items()}


def sparse_motions(kp_source: Keypoints, kp_driving: Keypoints, size: tuple[int, int]) -> Tensor:
    """First-order motion around each keypoint (Siarohin et al. 2019, equation 4), the still background first.

    Returns:
        (N, K + 1, H, W, 2): for each pixel of the driving frame, the point (x, y) of the source under each motion.
    """
    value = kp_driving["value"]
    count, points = value.shape[:2]
    identity = coordinate_grid(*size, like=value).expand(count, 1, *size, 2)
    offset = identity - value[:, :, None, None]
    if "jacobian" in kp_driving:
        with float32_region(value):
            jacobian = kp_source["jacobian"] @ inverse_2x2(kp_driving["jacobian"])
            offset = (offset.flatten(2, 3) @ jacobian.transpose(-1, -2)).view(count, points, *size, 2)
    return torch.cat([identity, offset + kp_source["value"][:, :, None, None]], dim=1)
