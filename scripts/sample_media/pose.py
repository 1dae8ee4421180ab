"""Turn the head of a front view: a depth map, a rotation in space, and the picture resampled.

The displacement fades out from the head into the backdrop and down the neck, so that one layer is enough and
nothing tears; it is kept gentle enough (slope below 1) for its inverse to exist.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import map_coordinates

from .face import CANVAS, Array, Face, grid, sample, smoothstep

_STRIDE = 4  # the displacement is smooth: it is worked out at every fourth pixel
_ITERATIONS = 24
_CAMERA = 5.0  # distance of the camera from the face, in face widths


@dataclass(frozen=True)
class Pose:
    """Pose of the head.

    Attributes:
        yaw, pitch, roll: radians; positive turns the nose to the picture's right, down, and the head clockwise.
        shift: (x, y) in face widths.
        zoom: 1 keeps the size of the whole picture.
    """

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)
    zoom: float = 1.0


class HeadMover:
    """Draws one face in many poses; depth and fade are worked out once."""

    def __init__(self, face: Face) -> None:
        x, y = grid()
        self._x, self._y = x[::_STRIDE, ::_STRIDE], y[::_STRIDE, ::_STRIDE]
        self._depth = _depth(face, self._x, self._y)
        self._fade = _fade(face, self._x, self._y)
        self._width = face.width
        # The head turns on the neck: below the chin's height, behind the plane of the ears.
        self._pivot = np.array([face.head_center[0], face.chin[:, 1].max(), -0.2 * face.width])

    def __call__(self, image: Array, pose: Pose, size: int) -> Array:
        """Draw a (512, 512, 3) front view in a pose: (size, size, 3), same range; ``size`` divides 512."""
        offset_x, offset_y = self._displacement(pose)
        middle = (CANVAS - 1) / 2
        goal_x, goal_y = (middle + (axis - middle) / pose.zoom for axis in (self._x, self._y))
        from_x, from_y = goal_x.copy(), goal_y.copy()
        for _ in range(_ITERATIONS):
            where = (from_y / _STRIDE, from_x / _STRIDE)
            from_x = goal_x - map_coordinates(offset_x, where, order=1, mode="nearest")
            from_y = goal_y - map_coordinates(offset_y, where, order=1, mode="nearest")
        return sample(image, _resize(from_x, size), _resize(from_y, size))

    def _displacement(self, pose: Pose) -> tuple[Array, Array]:
        """Movement of each point of the front view, in canvas pixels."""
        points = np.stack([self._x, self._y, self._depth], axis=-1) - self._pivot
        turned = points @ _rotation(pose).T
        still, moved = self._project(points), self._project(turned)
        offset = (moved - still + np.array(pose.shift) * self._width) * self._fade[..., None]
        return offset[..., 0], offset[..., 1]

    def _project(self, points: Array) -> Array:
        distance = _CAMERA * self._width
        return points[..., :2] * (distance / (distance - points[..., 2:]))


def _rotation(pose: Pose) -> Array:
    """(3, 3), turns points (x right, y down, z towards the camera): yaw, then pitch, then roll."""
    (sy, sp, sr), (cy, cp, cr) = (f(np.array([pose.yaw, pose.pitch, pose.roll])) for f in (np.sin, np.cos))
    yaw = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    pitch = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
    roll = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return roll @ pitch @ yaw


def _depth(face: Face, x: Array, y: Array) -> Array:
    """Height of the face above the plane of the ears, in canvas pixels."""
    w = face.width
    eyes_y = np.mean([eye.upper[0, 1] for eye in face.eyes])
    across = (x - face.head_center[0]) / (1.02 * face.head_radii[0])
    down = (y - eyes_y - 0.1 * w) / (1.2 * w)
    skull = 0.72 * w * np.clip(1 - across**2 - down**2, 0, None)
    nose = 0.12 * w * _bump(x, y, face.nose_tip, 0.085 * w, 0.1 * w)
    bridge = 0.05 * w * _bump(x, y, face.nose_tip - (0, 0.2 * w), 0.08 * w, 0.14 * w)
    sockets = sum(_bump(x, y, np.array([eye.center_x, eyes_y]), 0.12 * w, 0.09 * w) for eye in face.eyes)
    return skull + nose + bridge - 0.03 * w * sockets


def _bump(x: Array, y: Array, center: Array, spread_x: float, spread_y: float) -> Array:
    return np.exp(-(((x - center[0]) / spread_x) ** 2 + ((y - center[1]) / spread_y) ** 2) / 2)


def _fade(face: Face, x: Array, y: Array) -> Array:
    """1 on the head, 0 on the body and in the far backdrop."""
    (cx, cy), (rx, ry) = face.head_center, face.head_radii
    reach = np.hypot((x - cx) / rx, (y - cy) / ry)
    across = np.abs(x - cx) / face.width
    jaw = face.chin[:, 1].max() - 0.5 * face.width * (across**2 / (0.3 + across))
    return smoothstep(1.65, 0.98, reach) * smoothstep(0.65, -0.05, (y - jaw) / face.width)


def _resize(coarse: Array, size: int) -> Array:
    """Values at every fourth canvas pixel, brought to the middles of (size, size) larger or smaller pixels."""
    index = ((np.arange(size) + 0.5) * CANVAS / size - 0.5) / _STRIDE
    padded = np.pad(coarse, ((0, 1), (0, 1)), mode="reflect", reflect_type="odd")
    return map_coordinates(padded, np.meshgrid(index, index, indexing="ij"), order=1)
