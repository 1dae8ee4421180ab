"""Driving keypoints fitted to a source: relative movement, movement scale, choice of the reference frame."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import torch
from scipy.spatial import ConvexHull, QhullError
from torch import Tensor

from ...motion.retarget import check_frame
from ...nn.geometry.grids import inverse_2x2
from ...nn.geometry.keypoints import Keypoints, slice_keypoints
from ...types import Motion
from .retarget_points import POINTS, moved_points

logger = logging.getLogger(__name__)


def fit_to_source(source: Motion, driving: Motion, options: Mapping[str, Any]) -> Motion:
    """Driving movement on the source's keypoints.

    Args:
        source: one frame, ``"value"`` (1, K, 2) and, where detectors give it, ``"jacobian"`` (1, K, 2, 2); with mixed
            keypoints also ``"points"`` (1, 468, 2) and ``"present"`` (1,).
        driving: the same of T frames.
        options: ``relative`` (default true), ``adapt_scale``, ``best_frame`` (index of the driving frame in which the
            source's pose is met; default 0), ``find_best_frame`` (find that frame).

    Returns:
        Of T frames, of the kind of the driving.

    Raises:
        ConfigError: if `best_frame` is not a frame of the driving video.
    """
    kp_source, kp_driving = dict(source.values), dict(driving.values)
    initial = _reference_frame(kp_source, kp_driving, options)
    relative = bool(options.get("relative", True))
    values = normalize_kp(
        kp_source,
        kp_driving,
        slice_keypoints(kp_driving, slice(initial, initial + 1)),
        adapt_movement_scale=bool(options.get("adapt_scale", False)),
        use_relative_movement=relative,
        use_relative_jacobian=relative,
    )
    if relative and POINTS in values:
        adapt = bool(options.get("adapt_scale", False))
        scale = movement_scale(kp_source["value"][0], kp_driving["value"][initial]) if adapt else 1.0
        values |= moved_points(kp_source, kp_driving, initial, scale)
    return Motion(driving.kind, driving.fps, values, driving.space)


def _reference_frame(kp_source: Keypoints, kp_driving: Keypoints, options: Mapping[str, Any]) -> int:
    number = options.get("best_frame")
    if number is not None:
        return check_frame(number, len(kp_driving["value"]))
    return best_frame(kp_source["value"][0], kp_driving["value"]) if options.get("find_best_frame") else 0


def hull_area(points: Tensor) -> float:
    """Area of the convex hull of keypoints (K, 2); 0 where they lie on a line."""
    try:
        return float(ConvexHull(points.detach().double().cpu().numpy()).volume)
    except QhullError:
        return 0.0


def movement_scale(source: Tensor, reference: Tensor) -> float:
    """Ratio of the source's spread of keypoints (K, 2) to the reference frame's (K, 2), as lengths.

    Keypoints that span no area have no size to compare: the scale is then 1, with a warning.
    """
    areas = hull_area(source), hull_area(reference)
    if min(areas) <= 0:
        logger.warning("keypoints lie on a line, so the movement is not scaled (--adapt_scale has no effect)")
        return 1.0
    return (areas[0] / areas[1]) ** 0.5


def best_frame(source: Tensor, driving: Tensor) -> int:
    """Index of the driving frame whose keypoints are placed most like the source's.

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
    """Keypoints to draw, for all driving frames at once.

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
