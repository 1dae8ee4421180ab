"""The parts of a picture that SadTalker's modes work on: ``--preprocess crop|extcrop|resize|full|extfull``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from .crop import Crop, square_crop
from .face import Box
from .ffhq import face_square
from .framing import Framing, frame_face

XSIZE = 512  # pixels that the published program sizes its first cut for


@dataclass(frozen=True)
class Mode:
    """What a mode shows the network, and what becomes of the result.

    Attributes:
        part: ``"inner"`` rectangle of the face, the ``"outer"`` one with its margin, or the ``"whole"`` picture.
        pastes_back: whether the result goes back into the whole picture.
    """

    part: str
    pastes_back: bool


MODES = {
    "crop": Mode("inner", False),
    "extcrop": Mode("outer", False),
    "resize": Mode("whole", False),
    "full": Mode("inner", True),
    "extfull": Mode("outer", True),
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
    """The part of a picture that a mode shows the network.

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
