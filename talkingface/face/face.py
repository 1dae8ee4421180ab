"""Data of one face in a picture: its box, its landmarks and the backend that found them.

Points are (x, y) in pixels, and whole numbers are the centres of pixels: the middle of the top left pixel is (0, 0).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float32]
LEFT_EYE_CORNER, RIGHT_EYE_CORNER = 36, 45  # the outer ones among the 68 landmarks, left as seen in the picture


@dataclass(frozen=True)
class Box:
    """An upright rectangle. Its edges are in the coordinates of points, so a whole picture is -0.5 .. width - 0.5.

    Attributes:
        left, top, right, bottom: edges in pixels; they may lie outside the picture.
    """

    left: float
    top: float
    right: float
    bottom: float

    @classmethod
    def around(cls, points: NDArray[np.floating]) -> Box:
        """The smallest box that holds the points.

        Args:
            points: (n, C) with C >= 2: x, y; further columns are ignored.
        """
        (left, top), (right, bottom) = points[:, :2].min(0), points[:, :2].max(0)
        return cls(float(left), float(top), float(right), float(bottom))

    @classmethod
    def of_picture(cls, picture: NDArray[np.generic]) -> Box:
        """All of a picture (H, W, 3)."""
        height, width = picture.shape[:2]
        return cls(-0.5, -0.5, width - 0.5, height - 0.5)

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def side(self) -> float:
        """The longer of the two sides."""
        return max(self.width, self.height)

    @property
    def center(self) -> tuple[float, float]:
        """(x, y) of the middle."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    @property
    def area(self) -> float:
        """In square pixels; 0 where the edges are the wrong way round."""
        return max(0.0, self.width) * max(0.0, self.height)

    def overlap(self, other: Box) -> float:
        """Area in common, in square pixels."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(0.0, width) * max(0.0, height)

    def iou(self, other: Box) -> float:
        """Area in common over area in all, from 0 (apart) to 1 (the same)."""
        common = self.overlap(other)
        whole = self.area + other.area - common
        return common / whole if whole > 0 else 0.0

    def enlarged(self, factor: float) -> Box:
        """The box with both sides times ``factor``, around the same middle."""
        (x, y), across, down = self.center, self.width * factor / 2, self.height * factor / 2
        return Box(x - across, y - down, x + across, y + down)


@dataclass(frozen=True, eq=False)
class Face:
    """One face.

    Attributes:
        box: tight around the face as the backend sees it; the mesh's holds all its points, chin to upper forehead.
        score: confidence of the backend, from 0 to 1.
        landmarks: (68, 2), the usual 68 points (jaw, brows, nose, eyes, mouth); None where only a box is known.
            Backends place jaw and brows differently, so a network trained on one backend's points needs that one.
        mesh: (468, 3), points of the face mesh; z in pixels too, smaller is nearer to the camera; None where the
            backend has no mesh.
        backend: name of the backend that found it: ``"mesh"``, ``"retinaface"``, ``"face_alignment"`` or ``"given"``.
        five: (5, 2), eyes (left in the picture first), nose tip, mouth corners; only where a file gave just those.
    """

    box: Box
    score: float
    landmarks: Points | None
    mesh: Points | None
    backend: str
    five: Points | None = None

    @property
    def roll(self) -> float | None:
        """Rotation of the head in the picture plane, clockwise, in radians; None without landmarks."""
        if self.landmarks is None:
            return None
        across, down = self.landmarks[RIGHT_EYE_CORNER] - self.landmarks[LEFT_EYE_CORNER]
        return math.atan2(float(down), float(across))


def largest_first(faces: list[Face]) -> list[Face]:
    """Faces by the longer side of their box, the largest first; equal ones from left to right."""
    return sorted(faces, key=lambda face: (-face.box.side, face.box.left, face.box.top))


def similarity(points: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn, scale and shift that take points nearest to those wanted (least squares), without mirroring.

    Args:
        points, wanted: (n, 2), x and y; the points do not all lie in one place.

    Returns:
        (3, 3), takes (x, y, 1) to where it is wanted.
    """
    old, new = points @ (1, 1j), wanted @ (1, 1j)
    old_mean, new_mean = old.mean(), new.mean()
    factor = np.vdot(old - old_mean, new - new_mean) / np.vdot(old - old_mean, old - old_mean).real
    shift = new_mean - factor * old_mean
    a, b = factor.real, factor.imag
    return np.array([[a, -b, shift.real], [b, a, shift.imag], [0.0, 0.0, 1.0]])
