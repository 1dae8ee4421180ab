"""Fits the driving's movement to the source: relative movement, movement scale, choice of the reference frame."""

from __future__ import annotations

import logging

import torch
from scipy.spatial import ConvexHull, QhullError
from torch import Tensor

from ...nn.geometry.grids import inverse_2x2
from ...nn.geometry.keypoints import Keypoints

logger = logging.getLogger(__name__)


def hull_area(points: Tensor) -> float:
    """Area of the convex hull of keypoints (K, 2); 0 where they lie on a line."""
    try:
        return float(ConvexHull(points.detach().double().cpu().numpy()).volume)
    except QhullError:
        return 0.0


def movement_scale(source: Tensor, reference: Tensor) -> float:
    """How much larger the source's keypoints (K, 2) spread than the reference frame's (K, 2), as a length ratio.

    Keypoints that span no area have no size to compare: the scale is then 1, with a warning.
    """
    areas = hull_area(source), hull_area(reference)
    if min(areas) <= 0:
        logger.warning("keypoints lie on a line, so the movement is not scaled (--adapt_scale has no effect)")
        return 1.0
    return (areas[0] / areas[1]) ** 0.5


def best_frame(source: Tensor, driving: Tensor) -> int:
    """The driving frame whose keypoints are placed most like the source's.

    Position is taken out by the mean and size by the hull's area, so that no detector and no shared framing is needed.

    Args:
        source: (K, 2).
        driving: (T, K, 2).
    """
    distances = [float((_placed(frame) - _placed(source)).square().sum()) for frame in driving]
    return min(range(len(distances)), key=distances.__getitem__)


def _placed(points: Tensor) -> Tensor:
    centred = points - points.mean(dim=0)
    area = hull_area(points)
    return centred / area**0.5 if area > 0 else centred


def normalize_kp(
    kp_source: Keypoints,
    kp_driving: Keypoints,
    kp_initial: Keypoints,
    *,
    adapt_movement_scale: bool = False,
    use_relative_movement: bool = False,
    use_relative_jacobian: bool = False,
) -> Keypoints:
    """The keypoints to draw, for all driving frames at once.

    Args:
        kp_source: of one source picture, (1, K, ...).
        kp_driving: of T frames, (T, K, ...).
        kp_initial: of the frame at which the source's pose is met, (1, K, ...).
        adapt_movement_scale: scale relative shifts by the ratio of hull sizes; no effect on absolute movement.
        use_relative_movement: add the shift since the initial frame to the source's keypoints.
        use_relative_jacobian: likewise multiply Jacobians; needs relative movement, as in the released code. A singular
            initial Jacobian is treated as almost singular (see inverse_2x2) and never fails.

    Source: `normalize_kp` of the released code; its quirks are recorded in the parity case normalize-kp.
    """
    if not use_relative_movement:
        return dict(kp_driving)
    scale = movement_scale(kp_source["value"][0], kp_initial["value"][0]) if adapt_movement_scale else 1.0
    out = dict(kp_driving)
    out["value"] = (kp_driving["value"] - kp_initial["value"]) * scale + kp_source["value"]
    if use_relative_jacobian and "jacobian" in kp_driving:
        change = torch.matmul(kp_driving["jacobian"], inverse_2x2(kp_initial["jacobian"]))
        out["jacobian"] = change @ kp_source["jacobian"]
    return out
