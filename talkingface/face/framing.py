"""How published programs frame a face: FFHQ's square, put into an upright rectangle with a margin.

StyleHEAT and SadTalker share the first steps: a large picture is shrunk by a whole number, then the upright rectangle
around the turned square is cut with a margin of a tenth of its side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .ffhq import FaceSquare
from .sample import Matrix

MARGIN, LEAST_MARGIN = 0.1, 3  # share of the square's side, and pixels


@dataclass(frozen=True, eq=False)
class Framing:
    """Where the face is in the picture that was shrunk and cut.

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
