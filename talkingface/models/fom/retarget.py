"""Driving keypoints fitted to a source: relative movement, movement scale, choice of the reference frame."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import torch
from scipy.spatial import ConvexHull, QhullError
from torch import Tensor

from ...face3d.mesh import CHIN, EYE_CORNERS, FOREHEAD, LOWER_LIDS, LOWER_LIPS, UPPER_LIDS, UPPER_LIPS
from ...face3d.mesh_space import INNER_LIPS, LID_PAIRS, shipped_space
from ...motion.retarget import check_frame
from ...nn.geometry.grids import inverse_2x2
from ...nn.geometry.keypoints import Keypoints, slice_keypoints
from ...types import Motion

POINTS, PRESENT = "points", "present"
"""Names of the mesh's points, (T, 468, 2) in [-1, 1], and of where there is a face, (T,) of 0 and 1, in a motion."""

_NOSE = 1
_TINY = 1e-8
_UPPER, _LOWER = [*UPPER_LIPS, *UPPER_LIDS], [*LOWER_LIPS, *LOWER_LIDS]


def moved_points(
    source: Mapping[str, Tensor], driving: Mapping[str, Tensor], initial: int, scale: float
) -> dict[str, Tensor]:
    """Points (T, 468, 2) of the source's face as the driving face moves; absent where either face is not seen.

    Args:
        source: one frame of a motion with points.
        driving: T frames.
        initial, scale: as for `retarget_points`.
    """
    known = driving[PRESENT] > 0
    if not bool(source[PRESENT][0] > 0) or not bool(known[initial]):
        return {POINTS: driving[POINTS], PRESENT: torch.zeros_like(driving[PRESENT])}
    points = torch.zeros_like(driving[POINTS])
    points[known] = retarget_points(source[POINTS][0], driving[POINTS][known], int(known[:initial].sum()), scale)
    return {POINTS: points, PRESENT: driving[PRESENT]}


def retarget_points(source: Tensor, driving: Tensor, initial: int, scale: float = 1.0) -> Tensor:
    """Points of the source's face as the driving face moves, (T, 468, 2).

    Args:
        source: (468, 2), in [-1, 1].
        driving: (T, 468, 2).
        initial: the driving frame at which the source's pose is met.
        scale: of the face's way through the picture.
    """
    weights = torch.from_numpy(shipped_space().stable).to(source.device, torch.float64)
    own, faces = _complex(source)[None], _complex(driving)
    first = faces[initial : initial + 1]
    moved = _similarity(first, faces, weights)
    shapes = _centred(faces, weights) / moved
    fitting = _similarity(first, own, weights)
    reference = _reference(shapes, _centred(own, weights) / fitting, initial)
    shape = _centred(own, weights) + fitting * (shapes - shapes[reference])
    way = (_middle(faces, weights) - _middle(first, weights)) * scale + _middle(own, weights)
    return _uncrossed(_real(way + moved * shape)).to(source.dtype)


def _reference(shapes: Tensor, own: Tensor, initial: int) -> int:
    """The frame with mouth and lids most like the source's, and the head turned as in the initial frame."""
    width = (own[0, EYE_CORNERS[1]] - own[0, EYE_CORNERS[0]]).abs()
    mouth = (_gap(shapes, *INNER_LIPS) - _gap(own, *INNER_LIPS)).abs()
    lids = torch.stack([(_gap(shapes, *pair) - _gap(own, *pair)).abs() for pair in LID_PAIRS]).mean(dim=0)
    turn = (shapes[:, _NOSE] - shapes[initial, _NOSE]).abs()
    return int(((mouth + lids + turn) / width).argmin())


def _gap(shapes: Tensor, upper: int, lower: int) -> Tensor:
    return (shapes[:, upper] - shapes[:, lower]).abs()


def _uncrossed(points: Tensor) -> Tensor:
    """Points (T, 468, 2) whose lips and lids do not pass through each other."""
    down = points[:, CHIN] - points[:, FOREHEAD]
    down = down / down.norm(dim=-1, keepdim=True).clamp(min=_TINY)
    gaps = ((points[:, _LOWER] - points[:, _UPPER]) * down[:, None]).sum(dim=-1, keepdim=True)
    shift = gaps.clamp(max=0) / 2 * down[:, None]
    out = points.clone()
    out[:, _UPPER] += shift
    out[:, _LOWER] -= shift
    return out


def _similarity(start: Tensor, end: Tensor, weights: Tensor) -> Tensor:
    """Turn and size that take faces to others best, (N, 1) complex numbers."""
    before, after = _centred(start, weights), _centred(end, weights)
    size = (weights * before.abs().square()).sum(dim=1, keepdim=True).clamp(min=_TINY)
    return (weights * before.conj() * after).sum(dim=1, keepdim=True) / size


def _middle(faces: Tensor, weights: Tensor) -> Tensor:
    return (weights * faces).sum(dim=1, keepdim=True) / weights.sum()


def _centred(faces: Tensor, weights: Tensor) -> Tensor:
    return faces - _middle(faces, weights)


def _complex(points: Tensor) -> Tensor:
    return torch.view_as_complex(points.double().contiguous())


def _real(points: Tensor) -> Tensor:
    return torch.view_as_real(points)


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
