"""Losses of the renderer that follow from what its networks give (Wang et al. 2021, section 3.2 and appendix A).

Each gives a scalar without its weight.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from ...face3d.coefficients import Coefficients
from ...nn.geometry.thin_plate import ThinPlateTransform
from ...nn.precision import at_least_float32
from .mapping import HeadMotion
from .transform import degrees

NEAREST, DEPTH = 0.1, 0.33
ERROR_LEVELS = 3


def separation(keypoints: Tensor) -> Tensor:
    """Keypoints (N, K, 3) keep a distance of `NEAREST` (squared), and a mean depth of `DEPTH`: the keypoint prior."""
    squared = (keypoints[:, :, None] - keypoints[:, None]).square().sum(dim=-1)
    count = keypoints.shape[1]
    too_near = (NEAREST - squared).clamp(min=0).sum(dim=(1, 2)) - count * NEAREST
    return too_near.mean() + (keypoints[..., 2].mean(dim=1) - DEPTH).abs().mean()


def equivariance(keypoints: Tensor, of_warped: Tensor, transform: ThinPlateTransform) -> Tensor:
    """Keypoints of a warped picture, warped back, are those of the picture, (N, K, 3); as seen, without depth."""
    return (keypoints[..., :2] - transform.warp_points(of_warped[..., :2])).abs().mean()


def head_pose(motion: HeadMotion, rows: Tensor) -> Tensor:
    """Distance of the angles of a motion from those of coefficients (N, 70 or more), in radians.

    The paper compares with a pose network; here the coefficients know. Theirs turn about an axis that points up, those
    of the keypoints about one that points down, so that pitch and roll change their signs.
    """
    pitch, yaw, roll = Coefficients(rows).angle.unbind(dim=-1)
    wanted = torch.stack([yaw, -pitch, -roll])
    said = torch.stack([degrees(at_least_float32(values)) for values in (motion.yaw, motion.pitch, motion.roll)])
    return (said * (math.pi / 180) - wanted).abs().sum(dim=0).mean()


def deformation(motion: HeadMotion) -> Tensor:
    """Size of the shifts by which expression moves keypoints."""
    return at_least_float32(motion.exp).abs().mean()


def pyramid_error(made: Tensor, real: Tensor) -> Tensor:
    """Mean absolute error of (N, C, H, W) pictures, averaged over full, half and quarter size."""
    errors = []
    for _ in range(ERROR_LEVELS):
        errors.append((made - real).abs().mean())
        made, real = F.avg_pool2d(made, 2), F.avg_pool2d(real, 2)
    return torch.stack(errors).mean()
