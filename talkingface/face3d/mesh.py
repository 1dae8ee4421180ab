"""Head pose: turning, scale and place of a known shape, estimated for many frames at once.

Coordinates are those of Deep3DFaceRecon: x to the right as seen, y up, z towards the camera. A point of the head
appears at ``scale * R point + shift`` with ``R = Rz Ry Rx`` (`pose.rotation`). A positive pitch looks down, a positive
yaw turns the nose to the right as seen, a positive roll turns the head counter-clockwise as seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ShapeError

INNER_LIPS = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95)
OUTER_LIPS = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146)
LEFT_EYE = (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246)
RIGHT_EYE = (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466)

UPPER_LIDS = (246, 161, 160, 159, 158, 157, 173, 466, 388, 387, 386, 385, 384, 398)
LOWER_LIDS = (7, 163, 144, 145, 153, 154, 155, 249, 390, 373, 374, 380, 381, 382)
"""Points of the lids of both eyes that meet when the eyes shut, in pairs."""

UPPER_LIPS = (191, 80, 81, 82, 13, 312, 311, 310, 415)
LOWER_LIPS = (95, 88, 178, 87, 14, 317, 402, 318, 324)
"""Points of the inner lips that meet when the mouth shuts, in pairs."""

EYE_CORNERS = (33, 263)
"""Outer corners of the eyes."""
FOREHEAD, CHIN = 10, 152
"""Top and bottom of the face."""


POINTS = 468
OPENING = 0.08  # of the width of the mouth; enough to part the lips, too little to change the triangles of the chin
_NOSE_TIP = 4
_INSIDE = 0.25  # how far behind the outline the eye inside the head is, in widths of the face
_UPPER_LIP = [78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308]  # inner edge, from corner to corner
_LOWER_LIP = [78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308]
_MOUTH = [*_UPPER_LIP, *_LOWER_LIP[1:-1]]
_EYES = [
    [33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246],
    [263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466],
]
# Around the whole face.
_OUTLINE = [10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377]
_OUTLINE += [152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109]


def mesh_triangles(mean: NDArray[Any]) -> NDArray[np.int64]:
    """Triangles over the face mesh; mouth and eyes are holes.

    Args:
        mean: (468, 3), a face from the front, x right and y down, z to the camera or away from it, in any unit; a mean
            face is best.

    Returns:
        (F, 3), vertices of each triangle, all going round the same way.

    Raises:
        ShapeError: if these are not 468 points.
    """
    from scipy.spatial import Delaunay

    if mean.shape != (POINTS, 3):
        raise ShapeError(f"a face mesh has {POINTS} points, not an array {mean.shape}")
    triangles = Delaunay(_open_mouth(_unroll(np.asarray(mean, np.float64)))).simplices.astype(np.int64)
    rings = (_MOUTH, *_EYES, _OUTLINE)
    inside_one = np.any([np.isin(triangles, ring).all(-1) for ring in rings], axis=0)
    return np.asarray(triangles[~inside_one])


def _unroll(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The face laid flat, (468, 2), by the directions of its points from inside the head.

    From the front alone, points of the cheeks would lie behind each other.
    """
    outline = points[_OUTLINE]
    forward = points[_NOSE_TIP, 2] - outline[:, 2].mean()
    across = points[:, :2] - (outline[:, :2].max(0) + outline[:, :2].min(0)) / 2
    depth = (points[:, 2] - outline[:, 2].mean()) * (1.0 if forward >= 0 else -1.0) + _INSIDE * np.ptp(outline[:, 0])
    aside = np.hypot(across[:, 0], across[:, 1])
    return across * (np.arctan2(aside, depth) / np.maximum(aside, 1e-9))[:, None]


def _open_mouth(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The face with everything below the mouth moved down, so that no triangle joins the lips of a closed mouth."""
    middle = (points[_UPPER_LIP] + points[_LOWER_LIP]) / 2
    x, y = middle[:, 0], middle[:, 1]
    below = points[:, 1] > np.interp(points[:, 0], x, y)
    below[_UPPER_LIP], below[_LOWER_LIP[1:-1]] = False, True
    width = x[-1] - x[0]
    across = (points[:, 0] - (x[0] + x[-1]) / 2) / (width / 2)
    points[:, 1] += np.where(below, OPENING * width * (1 - across**2).clip(min=0), 0.0)
    return points


Floats = NDArray[np.float64]


@dataclass(frozen=True)
class HeadPose:
    """Poses of T frames.

    Attributes:
        angles: (T, 3), pitch, yaw, roll in radians.
        scale: (T,), units of the picture for one unit of the shape.
        shift: (T, 3), where the origin of the shape appears.
    """

    angles: Floats
    scale: Floats
    shift: Floats

    @property
    def matrices(self) -> Floats:
        """(T, 3, 3), to be multiplied with points from the left."""
        return matrices(self.angles)

    def pose(self, shape: Floats) -> Floats:
        """Posed points (T, n, 3) of the shape, (T or 1, n, 3)."""
        return self.scale[:, None, None] * (shape @ self.matrices.swapaxes(1, 2)) + self.shift[:, None]

    def unpose(self, points: Floats) -> Floats:
        """Shape (T, n, 3) of posed points (T, n, 3)."""
        return (points - self.shift[:, None]) @ self.matrices / self.scale[:, None, None]


def matrices(angles: Floats) -> Floats:
    """Rz Ry Rx of (T, 3) pitch, yaw, roll: (T, 3, 3)."""
    (sx, sy, sz), (cx, cy, cz) = np.sin(angles).T, np.cos(angles).T
    rows = [
        [cz * cy, cz * sy * sx - sz * cx, cz * sy * cx + sz * sx],
        [sz * cy, sz * sy * sx + cz * cx, sz * sy * cx - cz * sx],
        [-sy, cy * sx, cy * cx],
    ]
    return np.moveaxis(np.array(rows), 2, 0)


def angles_of(turns: Floats) -> Floats:
    """Pitch, yaw, roll of (T, 3, 3): (T, 3); yaw lies within a quarter turn."""
    pitch = np.arctan2(turns[:, 2, 1], turns[:, 2, 2])
    yaw = np.arcsin(np.clip(-turns[:, 2, 0], -1, 1))
    roll = np.arctan2(turns[:, 1, 0], turns[:, 0, 0])
    return np.stack([pitch, yaw, roll], axis=1)


def find_pose(shape: Floats, points: Floats, weights: Floats) -> HeadPose:
    """Estimate the pose in which a shape is nearest to points, by weighted least squares (Umeyama 1991).

    Args:
        shape: (T or 1, n, 3).
        points: (T, n, 3).
        weights: (n,), how much each point counts.
    """
    weights = weights / weights.sum()
    shape_middle = np.einsum("n,tnc->tc", weights, shape)
    points_middle = np.einsum("n,tnc->tc", weights, points)
    centred = shape - shape_middle[:, None]
    spread = np.einsum("n,tnc,tnc->t", weights, centred, centred)
    products = np.einsum(
        "n,tnc,tnd->tcd", weights, points - points_middle[:, None], np.broadcast_to(centred, points.shape)
    )
    left, singular, right = np.linalg.svd(products)
    hand = np.ones_like(singular)
    hand[:, 2] = np.sign(np.linalg.det(left @ right))
    turns = (left * hand[:, None]) @ right
    scale = (singular * hand).sum(1) / spread
    shift = points_middle - scale[:, None] * np.einsum(
        "tcd,td->tc", turns, np.broadcast_to(shape_middle, points_middle.shape)
    )
    return HeadPose(angles_of(turns), scale, shift)
