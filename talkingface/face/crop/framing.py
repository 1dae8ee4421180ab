"""Part of a picture that the model gets, and size of the result: geometry only."""

from __future__ import annotations

import numpy as np

from ...errors import CutFaceError, FaceError, UnknownNameError, did_you_mean
from ...types import Square
from ..face import Box, Face
from .crop import Crop, square_crop
from .published import ffhq_crop, sadtalker_crop

Size = tuple[int, int]

FACE_SCALE = 1.5  # side of the crop over the longer side of the face: the framing of the training clips
EXTENDED_SCALE = 2.2  # with --preprocess=extcrop and extfull: head and shoulders
LEAST_SCALE = 1.1  # where the picture has no more room; below it chin or forehead would be cut
ALIKE = 0.85  # overlap (IoU) of a crop with the central square from which on the square is taken
FULL_SIDE = 1920  # pixels of the longer side of a video of the full picture


FRAMINGS = ("face", "sadtalker", "ffhq")
PREFERRED = {"sadtalker": "retinaface"}
"""Framing -> the landmark backend whose points it was made for, where it is there."""


def framed(framing: str, face: Face, size: Size, picture_size: Size, preprocess: str | None) -> Crop:
    """The part of a picture that a renderer gets of a face.

    Args:
        framing: ``"face"``: see :func:`face_crop`; ``"sadtalker"``: the rectangle that the published weights were
            trained with, widened where it would be squeezed; ``"ffhq"``: turned with the face, as StyleGAN's pictures.
        face: in pixels of the picture.
        size: (height, width) of the crop.
        picture_size: (height, width).
        preprocess: the word of the flag; its ext forms show more, except of ``"ffhq"``, which has one framing.

    Raises:
        UnknownNameError: there is no such framing.
        FaceError: the face has no landmarks, and the framing goes by them.
    """
    if framing not in FRAMINGS:
        raise UnknownNameError(f"no framing {framing!r}", cure=did_you_mean(framing, FRAMINGS))
    if framing == "face":
        return face_crop(face.box, size, picture_size, face_scale(preprocess))
    if face.landmarks is None:
        what = f"a face found by '{face.backend}' is a box, and these weights want a crop by its landmarks"
        raise FaceError(what, where="--landmarks", cure="Use --landmarks=mesh.")
    if framing == "ffhq":
        return ffhq_crop(face.landmarks, size[0], picture_size)
    mode = "extcrop" if preprocess in ("extcrop", "extfull") else "crop"
    return sadtalker_crop(mode, size, picture_size, face.landmarks)


def face_scale(preprocess: str | None) -> float:
    """Side of the crop over the longer side of the face, for a word of ``--preprocess``."""
    return EXTENDED_SCALE if preprocess in ("extcrop", "extfull") else FACE_SCALE


def face_crop(box: Box, size: Size, picture_size: Size, scale: float = FACE_SCALE) -> Crop:
    """The part around a face, undistorted, within the picture as far as the face allows.

    Where there is no room for it at this scale it shows less around the face, and only where the face would be cut it
    juts out. A crop that is nearly the central square becomes that square, so that clips that are
    cut already stay untouched.

    Args:
        box: of the face; of a video the union of its boxes.
        size: (height, width) of the crop.
        picture_size: (height, width).
    """
    room = min(picture_size[0] / size[0], picture_size[1] / size[1]) * min(size) / max(box.side, 1.0)
    crop = square_crop(box, size, picture_size, scale=max(min(scale, room), min(scale, LEAST_SCALE)))
    central = central_crop(picture_size, size)
    return central if crop.box.iou(central.box) >= ALIKE else crop


def subject_box(square: Square) -> Box:
    """The face in a square that a model found by itself, framed as in training."""
    edges = Box(square.left - 0.5, square.top - 0.5, square.left + square.side - 0.5, square.top + square.side - 0.5)
    return edges.enlarged(1 / FACE_SCALE)


def check_inside(box: Box, crop: Crop, where: object) -> None:
    """Refuse a face that is cut off by a crop which was not chosen for it.

    Raises:
        CutFaceError: less than three quarters of the face are inside.
    """
    if box.overlap(crop.box) < 0.75 * box.area:
        what = "the face lies outside the central square, or is cut off by it"
        raise CutFaceError(what, where=where, cure="Leave --no-if_align out.")


def central_crop(picture_size: Size, size: Size) -> Crop:
    """The largest part in the middle that has the shape of ``size``."""
    height, width = picture_size
    step = min(height / size[0], width / size[1])
    down, across = max(1, int(size[0] * step + 1e-6)), max(1, int(size[1] * step + 1e-6))
    left, top = (width - across) // 2 - 0.5, (height - down) // 2 - 0.5
    return Crop.of_box(Box(left, top, left + across, top + down), size, picture_size)


def whole_crop(picture_size: Size, size: Size) -> Crop:
    """The whole picture in the middle of a crop of ``size``, undistorted; the rest lies outside the picture."""
    height, width = picture_size
    step = max(height / size[0], width / size[1])
    x, y = (width - 1) / 2, (height - 1) / 2
    across, down = size[1] * step / 2, size[0] * step / 2
    return Crop.of_box(Box(x - across, y - down, x + across, y + down), size, picture_size)


def picture_part(picture_size: Size, size: Size) -> tuple[slice, slice]:
    """(rows, columns) of a crop made by :func:`whole_crop` that show the picture: even in number, at least two."""
    height, width = picture_size
    step = max(height / size[0], width / size[1])
    return _middle(height / step, size[0]), _middle(width / step, size[1])


def full_size(picture_size: Size, *, limit: int | None = FULL_SIDE) -> Size:
    """(height, width) of a result that shows the full picture: its own, or reduced to ``limit`` on the longer side."""
    factor = 1.0 if limit is None else min(1.0, limit / max(picture_size))
    height, width = (max(1, round(side * factor)) for side in picture_size)
    return height, width


def moved_to(crop: Crop, old: Size, new: Size) -> Crop:
    """The same crop of the picture after that was scaled from (height, width) ``old`` to ``new``."""
    y, x = new[0] / old[0], new[1] / old[1]
    scaling = np.array([[x, 0.0, (x - 1) / 2], [0.0, y, (y - 1) / 2], [0.0, 0.0, 1.0]])
    return Crop(scaling @ crop.matrix, crop.size, crop.outside)


def within(crop: Crop, picture_size: Size) -> Square | None:
    """The crop as a square of whole pixels, if it is one and lies within the picture."""
    square = crop.square
    if square is None or min(square.left, square.top) < 0:
        return None
    bottom, right = square.top + square.side, square.left + square.side
    return square if bottom <= picture_size[0] and right <= picture_size[1] else None


def _middle(length: float, available: int) -> slice:
    even = min(max(2, 2 * round(length / 2)), available)
    start = (available - even) // 2
    return slice(start, start + even)
