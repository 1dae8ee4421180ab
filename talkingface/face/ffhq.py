"""The square that the FFHQ data set is aligned by (Karras et al., A Style-Based Generator Architecture, 2019, app. C).

It follows eyes and mouth, so it is turned with the head: its sides are twice the distance of the eyes or 1.8 times
that from eyes to mouth, whichever is more, to each side of a middle a little below the eyes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..errors import FaceError
from .crop import Crop
from .sample import Matrix

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
    """The square of a face.

    Args:
        landmarks: (68, 2).

    Raises:
        FaceError: if the points do not have eyes and a mouth at different places.
    """
    points = np.asarray(landmarks, np.float64)
    left, right = points[LEFT_EYE].mean(0), points[RIGHT_EYE].mean(0)
    eyes, mouth = (left + right) / 2, points[MOUTH_CORNERS].mean(0)
    between, below = right - left, mouth - eyes
    # Both say where the right of the face is: the line of the eyes, and that to the mouth turned by a quarter.
    across = between + np.array([below[1], -below[0]])
    length = float(np.hypot(*across))
    if not np.isfinite(length) or length < 1e-6:
        raise FaceError("the landmarks have eyes and mouth at one place", cure="Give other landmarks.")
    across = across / length * max(2.0 * float(np.hypot(*between)), 1.8 * float(np.hypot(*below)))
    return FaceSquare(eyes + 0.1 * below, across, np.array([-across[1], across[0]]))


def ffhq_crop(landmarks: NDArray[np.floating], size: int, picture_size: tuple[int, int] | None = None) -> Crop:
    """The FFHQ alignment of a face, as a crop of (size, size); see :func:`face_square`.

    It may jut out of the picture. The data set fills that by reflection that blurs outwards, ``border="blur"`` of
    :meth:`Crop.cut`; published recipes without padding leave it ``"black"``.
    """
    return face_square(landmarks).crop(size, picture_size)
