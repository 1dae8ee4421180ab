"""A face analyser for drawn frames: its faces are discs of pure colours, which it really looks for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from talkingface.face.detect.analyser import FaceAnalyser
from talkingface.face.face import Box, Face, largest_first
from talkingface.media.image import Picture

SIZE = (120, 200)
NEAR = 12  # pixels that a disc may move from frame to frame and still be followed


def frame(*discs: tuple[float, float, float], background: int | Picture = 60, size: tuple[int, int] = SIZE) -> Picture:
    """A picture with discs (x, y, radius) in it, white on a background."""
    y, x = np.mgrid[: size[0], : size[1]]
    picture = np.empty((*size, 3), np.uint8)
    picture[:] = background
    for left, top, radius in discs:
        picture[(x - left) ** 2 + (y - top) ** 2 <= radius**2] = 255
    return picture


class Discs(FaceAnalyser):
    """Finds white discs. Counts its looks, and is blind to frames that it is told to miss.

    Attributes:
        looks: how often the whole picture was searched.
    """

    name = "discs"

    def __init__(self) -> None:
        self.looks = 0

    def faces(self, picture: Picture) -> list[Face]:
        self.looks += 1
        return largest_first(self._found(picture))

    def follow(self, picture: Picture, previous: Sequence[Face]) -> list[Face | None]:
        found = self._found(picture)
        return [self._nearest(found, face) for face in previous]

    def _nearest(self, found: list[Face], face: Face) -> Face | None:
        away = [(float(np.hypot(*np.subtract(one.box.center, face.box.center))), one) for one in found]
        near = [pair for pair in away if pair[0] <= NEAR]
        return min(near, key=lambda pair: pair[0])[1] if near else None

    def _found(self, picture: Picture) -> list[Face]:
        parts, _ = ndimage.label((picture == 255).all(axis=2))
        return [_face(*where) for where in ndimage.find_objects(parts)]


def _face(rows: slice, columns: slice) -> Face:
    box = Box(columns.start - 0.5, rows.start - 0.5, columns.stop - 0.5, rows.stop - 0.5)
    around = np.linspace(0, 2 * np.pi, 68, endpoint=False)
    rim = np.stack([np.cos(around) * box.width / 2, np.sin(around) * box.height / 2], axis=1) + box.center
    return Face(box, 0.9, rim.astype(np.float32), None, Discs.name)
