"""A face that can be moved: a front view with the curves that the mover needs.

All coordinates are (x, y) in pixels of the canvas (512 x 512), pixel centres at integers, y down.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import map_coordinates

CANVAS = 512
Array = np.ndarray


@dataclass(frozen=True)
class Opening:
    """An eye or a mouth: two edges that share their corners.

    Attributes:
        upper: (n, 2), the edge of the upper lid or lip from corner to corner, x increasing.
        lower: (m, 2), the lower edge, with the same first and last point.
    """

    upper: Array
    lower: Array

    @property
    def center_x(self) -> float:
        return float(self.upper[0, 0] + self.upper[-1, 0]) / 2

    @property
    def half_width(self) -> float:
        return float(self.upper[-1, 0] - self.upper[0, 0]) / 2

    def edges(self, columns: Array) -> tuple[Array, Array]:
        """Heights of both edges in some columns; beyond the corners both run level and the opening is closed."""
        return curve(self.upper)(columns), curve(self.lower)(columns)

    def profile(self, columns: Array, power: float = 1.0) -> Array:
        """1 in the middle of the opening, falling to 0 at its corners and beyond."""
        distance = np.clip(np.abs(columns - self.center_x) / self.half_width, 0, 1)
        return (1 - distance**2) ** power

    def moved(self, point_map: Callable[[Array], Array]) -> Opening:
        """The same opening after the picture was warped by a map of points."""
        return Opening(_left_to_right(point_map(self.upper)), _left_to_right(point_map(self.lower)))


@dataclass(frozen=True)
class Face:
    """A front view and its geometry.

    Attributes:
        image: (512, 512, 3) float32, RGB, [0, 1].
        width: face width at the cheeks; all lengths of the mover are fractions of it.
        eyes: left and right eye as the viewer sees them.
        mouth: inner edges of the lips.
        lip_upper, lip_lower: (n, 2), outer edges of the lips.
        chin: (n, 2), the jaw line.
        nose_tip: (2,).
        nose_base, brow: heights of the nostrils and of the brows.
        head_center, head_radii: (2,) each, the ellipse around head and hair.
        teeth: whether the opened mouth of the front view shows teeth that can be kept.
    """

    image: Array
    width: float
    eyes: tuple[Opening, Opening]
    mouth: Opening
    lip_upper: Array
    lip_lower: Array
    chin: Array
    nose_tip: Array
    nose_base: float
    brow: float
    head_center: Array
    head_radii: Array
    teeth: bool = True


def curve(points: Array) -> Callable[[Array], Array]:
    """Smooth heights through points with increasing x; level beyond the first and the last."""
    through = PchipInterpolator(points[:, 0], points[:, 1])
    return lambda columns: through(np.clip(columns, points[0, 0], points[-1, 0]))


def smoothstep(low: float, high: float, value: Array) -> Array:
    """0 below ``low``, 1 above ``high``, smooth between."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


@cache
def grid() -> tuple[Array, Array]:
    """x and y of all canvas pixels, (512, 512) each, not to be written to."""
    y, x = np.mgrid[0:CANVAS, 0:CANVAS].astype(np.float64)
    return x, y


def sample(image: Array, x: Array, y: Array, order: int = 1) -> Array:
    """Values of (H, W, C) at points; mirrored beyond the edge."""
    channels = [map_coordinates(image[..., c], (y, x), order=order, mode="reflect") for c in range(image.shape[2])]
    return np.stack(channels, axis=-1)


def mirrored(face: Face) -> Face:
    """The face seen in a mirror."""

    def flip(points: Array) -> Array:
        return np.stack([CANVAS - 1 - points[..., 0], points[..., 1]], axis=-1)

    return replace(_with_points(face, flip), image=np.ascontiguousarray(face.image[:, ::-1]))


def reshaped(face: Face, wider: Array, taller: Array) -> Face:
    """Another person's proportions: rows stretched about the head's middle, heights moved.

    Args:
        face: the face to change.
        wider: (n, 2), width factor at canvas heights, as (y, factor).
        taller: (n, 2), increasing new heights of canvas heights, as (y, new y).
    """
    factor, height, back = curve(wider), curve(taller), curve(taller[:, ::-1])
    middle = float(face.head_center[0])

    def move(points: Array) -> Array:
        x = middle + (points[..., 0] - middle) * factor(points[..., 1])
        return np.stack([x, height(points[..., 1])], axis=-1)

    x, y = grid()
    from_y = back(y)
    image = sample(face.image, middle + (x - middle) / factor(from_y), from_y)
    return replace(_with_points(face, move), image=image)


def _with_points(face: Face, point_map: Callable[[Array], Array]) -> Face:
    def height(y: float) -> float:
        return float(point_map(np.array([face.head_center[0], y]))[1])

    eyes = sorted((eye.moved(point_map) for eye in face.eyes), key=lambda eye: eye.center_x)
    return replace(
        face,
        eyes=(eyes[0], eyes[1]),
        mouth=face.mouth.moved(point_map),
        lip_upper=_left_to_right(point_map(face.lip_upper)),
        lip_lower=_left_to_right(point_map(face.lip_lower)),
        chin=_left_to_right(point_map(face.chin)),
        nose_tip=point_map(face.nose_tip),
        nose_base=height(face.nose_base),
        brow=height(face.brow),
        head_center=point_map(face.head_center),
    )


def _left_to_right(points: Array) -> Array:
    return points if points[0, 0] < points[-1, 0] else points[::-1]
