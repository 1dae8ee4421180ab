"""Head pose: turning, scale and place of a known shape, estimated for many frames at once.

Coordinates are those of Deep3DFaceRecon: x to the right as seen, y up, z towards the camera. A point of the head
appears at ``scale * R point + shift`` with ``R = Rz Ry Rx`` (`pose.rotation`). A positive pitch looks down, a positive
yaw turns the nose to the right as seen, a positive roll turns the head counter-clockwise as seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
