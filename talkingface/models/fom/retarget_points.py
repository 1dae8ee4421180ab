"""Fits the movement of a driving face's points to another face.

A face moves as a whole (shift, turn in the picture, size) and changes its shape. Both are taken from the driving face:
the whole since the initial frame, as keypoints are; the shape since the frame of its video in which mouth and lids are
most like the source's, so that a video that begins in the middle of a word does not pull shut lips through each other.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ...face3d.mesh_space import INNER_LIPS, LID_PAIRS, shipped_space
from ...face3d.mesh_topology import CHIN, EYE_CORNERS, FOREHEAD, LOWER_LIDS, LOWER_LIPS, UPPER_LIDS, UPPER_LIPS

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
