"""Crops: parts of a picture at a network's size, each an affine map that can be inverted.

A crop is cut out, goes through a network, and comes back to where it was. Whole numbers are pixel centres on both
sides, so the middle of the crop's first pixel is (0, 0) and its outer edges are at -0.5 and size - 0.5.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from ...errors import ShapeError
from ...media.image import Picture, check_picture
from ...types import Square
from ..face import Box
from .sampling import Border, Matrix, sample

WHOLE = 1e-6  # a crop whose edges are this near to whole pixels (in pixels) is cut without interpolation
BLUR, FADE = 0.05, 0.05  # radius, and distance from the picture at which blur is full; shares of the crop's side


@dataclass(frozen=True, eq=False)
class Crop:
    """A part of a picture, upright or turned, and the size it is cut at.

    Attributes:
        matrix: (3, 3), affine, takes points of the crop to points of the picture.
        size: (height, width) of the crop in its own pixels.
        outside: share of the crop that lies outside the picture that it was made for, from 0 to 1.
    """

    matrix: Matrix
    size: tuple[int, int]
    outside: float = 0.0

    def __post_init__(self) -> None:
        if self.matrix.shape != (3, 3) or not np.isfinite(self.matrix).all() or min(self.size) < 1:
            raise ShapeError(f"a crop wants a finite (3, 3) matrix and a size, got {self.matrix} and {self.size}")
        if abs(np.linalg.det(self.matrix)) < 1e-12 or not np.allclose(self.matrix[2], (0, 0, 1)):
            raise ShapeError(f"the matrix of a crop is affine and can be inverted, got {self.matrix.tolist()}")

    @classmethod
    def of_box(cls, box: Box, size: tuple[int, int], picture_size: tuple[int, int] | None = None) -> Crop:
        """The box, stretched to the size.

        Args:
            picture_size: (height, width) of the picture, from which ``outside`` is counted; None leaves it at 0.
        """
        x, y = box.width / size[1], box.height / size[0]
        matrix = np.array([[x, 0.0, box.left + x / 2], [0.0, y, box.top + y / 2], [0.0, 0.0, 1.0]])
        crop = cls(matrix, size)
        return crop if picture_size is None else replace(crop, outside=crop.share_outside(picture_size))

    @classmethod
    def whole(cls, picture_size: tuple[int, int], size: tuple[int, int] | None = None) -> Crop:
        """The whole picture of (height, width), stretched to the size; None keeps its own."""
        height, width = picture_size
        return cls.of_box(Box(-0.5, -0.5, width - 0.5, height - 0.5), size or picture_size)

    @cached_property
    def inverse(self) -> Matrix:
        """(3, 3), takes points of the picture to points of the crop."""
        return np.asarray(np.linalg.inv(self.matrix), np.float64)

    @property
    def scale(self) -> float:
        """Pixels of the picture for one of the crop, as a length; above 1 the crop is a reduction."""
        return float(np.sqrt(abs(np.linalg.det(self.matrix[:2, :2]))))

    @property
    def is_upright(self) -> bool:
        """True if it is neither turned nor mirrored nor skewed."""
        (a, b), (c, d) = self.matrix[:2, :2]
        return bool(max(abs(b), abs(c)) * max(self.size) < WHOLE and a > 0 and d > 0)

    @property
    def corners(self) -> Matrix:
        """(4, 2), the outer corners in the picture: upper left, upper right, lower right, lower left of the crop."""
        right, bottom = self.size[1] - 0.5, self.size[0] - 0.5
        return self.to_picture(np.array([[-0.5, -0.5], [right, -0.5], [right, bottom], [-0.5, bottom]]))

    @property
    def box(self) -> Box:
        """The smallest upright box of the picture that holds the crop."""
        return Box.around(self.corners)

    @property
    def square(self) -> Square | None:
        """The crop as whole pixels, for readers that crop while they decode; None where it is not an upright square
        of whole pixels. It may leave the picture."""
        pixels = self._pixels()
        if pixels is None or pixels[2] - pixels[0] != pixels[3] - pixels[1]:
            return None
        return Square(pixels[0], pixels[1], pixels[2] - pixels[0])

    def to_picture(self, points: NDArray[np.floating]) -> Matrix:
        """Points of the picture for points (..., 2) of the crop."""
        return np.asarray(points, np.float64) @ self.matrix[:2, :2].T + self.matrix[:2, 2]

    def to_crop(self, points: NDArray[np.floating]) -> Matrix:
        """Points of the crop for points (..., 2) of the picture."""
        return np.asarray(points, np.float64) @ self.inverse[:2, :2].T + self.inverse[:2, 2]

    def resized(self, size: tuple[int, int]) -> Crop:
        """The same part of the picture, cut at another size (height, width)."""
        inner = Crop.of_box(Box(-0.5, -0.5, self.size[1] - 0.5, self.size[0] - 0.5), size)
        return Crop(self.matrix @ inner.matrix, size, self.outside)

    def share_outside(self, picture_size: tuple[int, int]) -> float:
        """Share of the crop's pixels whose middle lies outside a picture of (height, width), from 0 to 1."""
        y, x = np.indices(self.size, dtype=np.float64)
        points = self.to_picture(np.stack([x, y], axis=-1)) + 0.5
        inside = (points >= 0) & (points <= (picture_size[1], picture_size[0]))
        return 1.0 - float(inside.all(-1).mean())

    def cut(self, picture: Picture, *, border: Border = "edge") -> Picture:
        """Cut the crop out of a picture.

        Reductions average over the area they leave out. Upright crops of whole pixels are cut first and scaled then,
        as :func:`talkingface.media.image.resize` does; where they have the crop's size, pixels come out untouched.

        Args:
            picture: (H, W, 3), uint8.
            border: what lies outside the picture: ``"black"``, its ``"edge"`` pixels repeated, ``"reflect"``, or
                ``"blur"``, which reflects and blurs the more the further out.

        Returns:
            (height, width, 3) of ``size``; may be a view of the picture.

        Raises:
            ShapeError: if this is no picture, or the crop would have more than ``MAX_PIXELS`` pixels.
        """
        check_picture(picture)
        part = sample(picture, self.matrix, self.size, border, self._pixels())
        return self._blurred_outside(part, picture.shape[:2]) if border == "blur" else part

    def _blurred_outside(self, part: Picture, picture_size: tuple[int, int]) -> Picture:
        """A crop whose mirrored parts fade into a blurred copy, so that they are not taken for a second face."""
        y, x = np.indices(self.size, dtype=np.float64)
        points = self.to_picture(np.stack([x, y], axis=-1)) + 0.5
        outside = np.maximum(-points, points - (picture_size[1], picture_size[0])).max(-1).clip(0) / self.scale
        if not outside.any():
            return part
        side = min(self.size)
        blurred = np.asarray(Image.fromarray(part).filter(ImageFilter.GaussianBlur(BLUR * side)))
        share = np.minimum(1.0, outside / (FADE * side))[..., None]
        return np.rint(part + share * (blurred.astype(np.float64) - part)).astype(np.uint8)

    def _pixels(self) -> tuple[int, int, int, int] | None:
        """Left, top, right, bottom in whole pixels (right and bottom excluded), or None."""
        if not self.is_upright:
            return None
        edges = np.array([*self.corners[0], *self.corners[2]]) + 0.5
        whole = np.rint(edges)
        if np.abs(edges - whole).max() > WHOLE or (whole[2:] <= whole[:2]).any():
            return None
        left, top, right, bottom = (int(edge) for edge in whole)
        return left, top, right, bottom


def square_crop(
    box: Box, size: int | tuple[int, int], picture_size: tuple[int, int], *, scale: float = 1.5, whole: bool = True
) -> Crop:
    """The square around a face for first-order motion models, moved inside the picture where it fits.

    Args:
        box: of the face; for a video the union of its boxes, so that one crop serves all frames.
        size: side of the crop, or its (height, width); then the part is as wide or high as it takes for no distortion.
        picture_size: (height, width).
        scale: side of the square over the longer side of the box. 1.5 is what the compact weights were trained on.
        whole: round to whole pixels of the picture, so that nothing is interpolated needlessly.

    Returns:
        The crop. Where the square is larger than the picture it holds all of that side and juts out; ``outside`` says
        by how much.
    """
    height, width = (size, size) if isinstance(size, int) else size
    step = box.side * scale / min(height, width)
    across, down = width * step, height * step
    if whole:
        across, down = max(1.0, np.rint(across)), max(1.0, np.rint(down))
    (x, y) = box.center
    left = _moved_inside(x - across / 2, across, picture_size[1], whole)
    top = _moved_inside(y - down / 2, down, picture_size[0], whole)
    return Crop.of_box(Box(left, top, left + across, top + down), (height, width), picture_size)


def _moved_inside(start: float, length: float, available: int, whole: bool) -> float:
    """Start of an interval, moved the least way so that it lies in -0.5 .. available - 0.5, or holds all of that."""
    start = float(np.rint(start + 0.5)) - 0.5 if whole else start
    slack = available - length
    return float(np.clip(start, min(0.0, slack) - 0.5, max(0.0, slack) - 0.5))
