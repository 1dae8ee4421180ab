"""The parts of a picture that SadTalker's modes work on: ``--preprocess crop|extcrop|resize|full|extfull``."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...errors import ConfigError, FaceError
from ..face import Box
from .crop import Crop, square_crop
from .sampling import Matrix

MARGIN, LEAST_MARGIN = 0.1, 3  # share of the square's side, and pixels


@dataclass(frozen=True, eq=False)
class Framing:
    """A picture, shrunk and cut, and the face square in it.

    Attributes:
        shrink: whole factor that the picture is made smaller by.
        size: (height, width) of the shrunk picture.
        outer: left, top, right, bottom of the cut, in pixels of the shrunk picture, the last two excluded.
        corners: (4, 2), of the square in the cut; order of :attr:`FaceSquare.corners`.
    """

    shrink: int
    size: tuple[int, int]
    outer: tuple[int, int, int, int]
    corners: Matrix

    @property
    def cut_size(self) -> tuple[int, int]:
        """(height, width) of the cut."""
        left, top, right, bottom = self.outer
        return bottom - top, right - left


def frame_face(square: FaceSquare, picture_size: tuple[int, int], wanted: int) -> Framing:
    """The rectangle around a face.

    Args:
        picture_size: (height, width).
        wanted: side of the result in pixels; the picture is shrunk where the square is at least four times that.
    """
    shrink = max(1, int(square.side / wanted * 0.5))
    height, width = (round(side / shrink) for side in picture_size) if shrink > 1 else picture_size
    corners, side = square.corners / shrink, square.side / shrink
    margin = max(int(np.rint(side * MARGIN)), LEAST_MARGIN)
    left, top = np.floor(corners.min(0)).astype(int) - margin
    right, bottom = np.ceil(corners.max(0)).astype(int) + margin
    outer = max(int(left), 0), max(int(top), 0), min(int(right), width), min(int(bottom), height)
    return Framing(shrink, (height, width), outer, corners - outer[:2])


LEFT_EYE, RIGHT_EYE = slice(36, 42), slice(42, 48)  # in the picture, of the 68 points
MOUTH_CORNERS = [48, 54]


@dataclass(frozen=True, eq=False)
class FaceSquare:
    """A square turned with the face, in picture points.

    Attributes:
        center: (2,), its middle.
        across, down: (2,), from the middle to the middle of its right and of its lower side.
    """

    center: Matrix
    across: Matrix
    down: Matrix

    @property
    def side(self) -> float:
        """In pixels."""
        return 2 * float(np.hypot(*self.across))

    @property
    def corners(self) -> Matrix:
        """(4, 2): upper left, lower left, lower right, upper right as the face sees them."""
        c, x, y = self.center, self.across, self.down
        return np.stack([c - x - y, c - x + y, c + x + y, c + x - y])

    def crop(self, size: int, picture_size: tuple[int, int] | None = None) -> Crop:
        """The square as a crop of (size, size).

        Args:
            picture_size: (height, width), to count what lies outside.
        """
        step_x, step_y = 2 * self.across / size, 2 * self.down / size
        first = self.center - self.across - self.down + (step_x + step_y) / 2
        matrix = np.vstack([np.column_stack([step_x, step_y, first]), (0.0, 0.0, 1.0)])
        crop = Crop(matrix, (size, size))
        return crop if picture_size is None else replace(crop, outside=crop.share_outside(picture_size))


def face_square(landmarks: NDArray[np.floating]) -> FaceSquare:
    """The FFHQ square of a face.

    Args:
        landmarks: (68, 2).

    Raises:
        FaceError: if the points do not have eyes and a mouth at different places.
    """
    points = np.asarray(landmarks, np.float64)
    left, right = points[LEFT_EYE].mean(0), points[RIGHT_EYE].mean(0)
    eyes, mouth = (left + right) / 2, points[MOUTH_CORNERS].mean(0)
    between, below = right - left, mouth - eyes
    # Both point to the right of the face: the line of the eyes, and the one to the mouth turned by a quarter.
    across = between + np.array([below[1], -below[0]])
    length = float(np.hypot(*across))
    if not np.isfinite(length) or length < 1e-6:
        raise FaceError("the landmarks have eyes and mouth at one place", cure="Give other landmarks.")
    across = across / length * max(2.0 * float(np.hypot(*between)), 1.8 * float(np.hypot(*below)))
    return FaceSquare(eyes + 0.1 * below, across, np.array([-across[1], across[0]]))


def ffhq_crop(landmarks: NDArray[np.floating], size: int, picture_size: tuple[int, int] | None = None) -> Crop:
    """The FFHQ alignment of a face (landmarks (68, 2), in pixels) as a crop of (size, size); see :func:`face_square`.

    It may jut out of the picture. The data set fills that by reflection that blurs outwards, ``border="blur"`` of
    :meth:`Crop.cut`; published recipes without padding leave it ``"black"``.
    """
    return face_square(landmarks).crop(size, picture_size)


XSIZE = 512  # pixels that the published program sizes its first cut for


@dataclass(frozen=True)
class CropMode:
    """A value of ``--preprocess``: the part that the network gets, and use of the result.

    Attributes:
        part: ``"inner"`` rectangle of the face, the ``"outer"`` one with its margin, or the ``"whole"`` picture.
        pastes_back: the result goes back into the whole picture.
    """

    part: str
    pastes_back: bool


MODES = {
    "crop": CropMode("inner", False),
    "extcrop": CropMode("outer", False),
    "resize": CropMode("whole", False),
    "full": CropMode("inner", True),
    "extfull": CropMode("outer", True),
}


@dataclass(frozen=True, eq=False)
class Rectangle:
    """The two rectangles of a face as the published program has them.

    Attributes:
        framing: shrinking and the outer rectangle.
        inner: left, top, right, bottom of the inner one, within the outer one, in pixel edges from its corner.
    """

    framing: Framing
    inner: tuple[float, float, float, float]

    @property
    def box(self) -> tuple[int, int, int, int]:
        """The inner rectangle in whole pixels of the shrunk picture: left, top, right, bottom (both excluded)."""
        x, y = self.framing.outer[:2]
        left, top, right, bottom = (int(edge) for edge in self.inner)
        return x + left, y + top, x + right, y + bottom


def published_rectangle(
    landmarks: NDArray[np.floating], picture_size: tuple[int, int], wanted: int = XSIZE, *, fault: bool = True
) -> Rectangle:
    """The rectangles around a face.

    Args:
        landmarks: (68, 2).
        picture_size: (height, width).
        fault: cut the lower end off where it lies lower than the cut is wide, as the published program does.
    """
    framing = frame_face(face_square(landmarks), picture_size, wanted)
    height, width = framing.cut_size
    (x, y) = (framing.corners + 0.5).T
    inner = (
        max(float(min(x[0], x[1])), 0.0),
        max(float(min(y[0], y[3])), 0.0),
        min(float(max(x[2], x[3])), float(width)),
        min(float(max(y[1], y[2])), float(width if fault else height)),
    )
    return Rectangle(framing, inner)


def sadtalker_crop(
    mode: str,
    size: tuple[int, int],
    picture_size: tuple[int, int],
    landmarks: NDArray[np.floating] | None = None,
    *,
    published: bool = False,
) -> Crop:
    """The part of a picture that a mode gives the network.

    Ours is never squeezed: the rectangle is widened to the network's shape and moved inside the picture where it
    fits, and in mode ``"resize"`` the whole picture lies in the middle of a larger part. The published one is the
    rectangle itself, stretched to size, and it loses the lower end of the face in pictures higher than wide.

    Args:
        mode: one of ``MODES``.
        size: (height, width) of the crop.
        picture_size: (height, width).
        landmarks: (68, 2); mode ``"resize"`` needs none.
        published: what the published program does, faults included.

    Raises:
        ConfigError: if there is no such mode, or it needs landmarks.
    """
    if mode not in MODES:
        raise ConfigError(f"unknown mode '{mode}'", where="--preprocess", cure=f"Choose one of: {', '.join(MODES)}.")
    if MODES[mode].part == "whole":
        return Crop.whole(picture_size, size) if published else _contained(picture_size, size)
    if landmarks is None:
        raise ConfigError(f"mode '{mode}' needs landmarks", where="--preprocess", cure="Mode 'resize' needs none.")
    rectangle = published_rectangle(landmarks, picture_size, fault=published)
    shrink = rectangle.framing.shrink
    edges = rectangle.box if MODES[mode].part == "inner" else rectangle.framing.outer
    left, top, right, bottom = (edge * shrink - 0.5 for edge in edges)
    box = Box(left, top, right, bottom)
    return Crop.of_box(box, size, picture_size) if published else square_crop(box, size, picture_size, scale=1.0)


def _contained(picture_size: tuple[int, int], size: tuple[int, int]) -> Crop:
    """The smallest part of the crop's shape that holds the whole picture."""
    step = max(picture_size[0] / size[0], picture_size[1] / size[1])
    (x, y), across, down = ((picture_size[1] - 1) / 2, (picture_size[0] - 1) / 2), step * size[1], step * size[0]
    return Crop.of_box(Box(x - across / 2, y - down / 2, x + across / 2, y + down / 2), size, picture_size)
