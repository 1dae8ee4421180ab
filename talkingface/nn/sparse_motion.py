"""Motions around keypoints, the raw material of a dense motion network."""

from __future__ import annotations

import torch
from torch import Tensor

from .geometry import coordinate_grid, inverse_2x2
from .keypoints import Keypoints
from .precision import float32_region


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
