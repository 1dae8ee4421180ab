"""Items and losses of the two stages that compare pictures: mapping and render."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ....motion.coefficients import Coefficients
from ....motion.windows import RADIUS
from ....nn.antialias import ImagePyramid
from ....nn.geometry.thin_plate import ThinPlateTransform
from ....nn.losses.gan import feature_distance
from ....nn.losses.perceptual import VGG19
from ....nn.precision import at_least_float32
from ...base import Batch, Losses
from ...samples import CoefficientWindow
from ..config import Pictures, SadTalkerConfig
from ..networks.mapping import WINDOW, HeadMotion
from ..networks.motion import degrees

NEAREST, DEPTH = 0.1, 0.33
ERROR_LEVELS = 3


def separation(keypoints: Tensor) -> Tensor:
    """Prior of keypoints (N, K, 3), a scalar: a distance of `NEAREST` (squared) and a mean depth of `DEPTH`."""
    squared = (keypoints[:, :, None] - keypoints[:, None]).square().sum(dim=-1)
    count = keypoints.shape[1]
    too_near = (NEAREST - squared).clamp(min=0).sum(dim=(1, 2)) - count * NEAREST
    return too_near.mean() + (keypoints[..., 2].mean(dim=1) - DEPTH).abs().mean()


def equivariance(keypoints: Tensor, of_warped: Tensor, transform: ThinPlateTransform) -> Tensor:
    """Distance in the picture plane, a scalar, of keypoints (N, K, 3) from those of a warped picture, warped back."""
    return (keypoints[..., :2] - transform.warp_points(of_warped[..., :2])).abs().mean()


def head_pose(motion: HeadMotion, rows: Tensor) -> Tensor:
    """Distance in radians, a scalar, of the angles of a motion from those of coefficients (N, 70 or more).

    The paper compares with a pose network; here coefficients hold the pose. Theirs turn about an axis that points up,
    those of the keypoints about one that points down, so that pitch and roll change their signs.
    """
    pitch, yaw, roll = Coefficients(rows).angle.unbind(dim=-1)
    wanted = torch.stack([yaw, -pitch, -roll])
    predicted = torch.stack([degrees(at_least_float32(values)) for values in (motion.yaw, motion.pitch, motion.roll)])
    return (predicted * (math.pi / 180) - wanted).abs().sum(dim=0).mean()


def deformation(motion: HeadMotion) -> Tensor:
    """Mean size, a scalar, of the shifts by which expression moves keypoints."""
    return at_least_float32(motion.exp).abs().mean()


def pyramid_error(made: Tensor, real: Tensor) -> Tensor:
    """Mean absolute error of (N, C, H, W) pictures, averaged over full, half and quarter size."""
    errors = []
    for _ in range(ERROR_LEVELS):
        errors.append((made - real).abs().mean())
        made, real = F.avg_pool2d(made, 2), F.avg_pool2d(real, 2)
    return torch.stack(errors).mean()


def picture_samples(networks: nn.ModuleDict, config: SadTalkerConfig) -> dict[str, object]:
    """Two frames of a clip, with the coefficients around the driving one and those of the source alone."""
    window = tuple(range(-RADIUS, RADIUS + 1))
    return {
        "source": "random",
        "driving": "random",
        "source_rows": CoefficientWindow("source", space=config.space),
        "driving_rows": CoefficientWindow("driving", window, space=config.space),
    }


def still_window(rows: Tensor) -> Tensor:
    """Window (N, C, 27) of a face that does not move, from its own row (N, 1, C)."""
    return rows.transpose(1, 2).expand(-1, -1, WINDOW)


def moving_window(rows: Tensor) -> Tensor:
    """Windows (N, C, 27) as the mapping network takes them, from rows (N, 27, C)."""
    return rows.transpose(1, 2)


def middle(rows: Tensor) -> Tensor:
    """Row (N, C) in the middle of a window of rows (N, T, C)."""
    return rows[:, rows.shape[1] // 2]


class PictureLosses:
    """Perceptual loss on VGG19's features at several scales, as in face-vid2vid, and a plain absolute error.

    Args:
        train: weights and scales.
        vgg: None where its weights are zero.
    """

    def __init__(self, train: Pictures, vgg: VGG19 | None) -> None:
        self._train, self._vgg = train, vgg
        self._pyramid = ImagePyramid(train.scales)

    def __call__(self, made: Tensor, real: Tensor) -> Losses:
        """Weighted losses of pictures (N, 3, H, W) in [0, 1]."""
        terms: Losses = {}
        if self._vgg is not None and any(self._train.perceptual):
            terms["perceptual"] = self._perceptual(self._vgg.to(made.device), made, real)
        if self._train.reconstruction:
            terms["reconstruction"] = self._train.reconstruction * pyramid_error(made, real)
        return terms

    def _perceptual(self, vgg: VGG19, made: Tensor, real: Tensor) -> Tensor:
        pyramid = self._pyramid.to(made.device)
        pairs = zip(pyramid(real).values(), pyramid(made).values(), strict=True)
        distances = [feature_distance(vgg(wanted), vgg(got), self._train.perceptual) for wanted, got in pairs]
        return torch.stack([torch.as_tensor(distance) for distance in distances]).sum()


def pictures_of(batch: Batch, result: Tensor) -> dict[str, Tensor]:
    """Pictures (N, 3, H, W) by name: source, target (the driving frame) and result."""
    return {"source": batch["source"], "driving": batch["driving"], "result": result}
