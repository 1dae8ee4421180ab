"""Whether enough of a face can be seen to work with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from ..errors import CutFaceError, SmallFaceError
from .face import Box, Face

SMALLEST = 32  # pixels of the face's longer side; below it eyes and mouth are a few pixels
SMALL = 64  # below it the result is noticeably soft
SEEN = 1 / 3  # part of the points of an eye or the mouth that must lie inside the picture
CUT_NOTE = 0.1  # part of the face's side that may lie outside before the user is told
EYES_AND_MOUTH = (slice(36, 42), slice(42, 48), slice(48, 68))  # of the 68 landmarks
EDGES = ("left", "upper", "right", "lower")


def check_face(face: Face, picture_size: tuple[int, int], where: object, tell: Callable[[str], None]) -> None:
    """Refuse a face of which too little can be seen, and tell about one that is small or cut.

    Args:
        picture_size: (height, width) in pixels.
        where: the file, for errors.
        tell: takes sentences that the user should read.

    Raises:
        SmallFaceError: if its side is below 32 pixels.
        CutFaceError: if an eye or the mouth lies outside the picture, or all but a third of it (a face that loses a
            cheek, or half an eye, still moves). Of a face without points: if more than a third of its box does.
    """
    side = face.box.side
    if side < SMALLEST:
        raise SmallFaceError(
            f"the face is only {side:.0f} pixels large; eyes and mouth cannot be seen well enough",
            where=where,
            cure=f"Use a picture in which it has {SMALLEST} pixels or more, better {4 * SMALLEST}.",
        )
    missing = _missing(face, picture_size)
    if missing:
        raise CutFaceError(
            f"the {missing} edge cuts off {_parts(face)} of the face",
            where=where,
            cure="Use a picture that shows the whole face.",
        )
    for edge, outside in _outside(face.box, picture_size).items():
        if outside > CUT_NOTE * side:
            tell(f"{where}: the {edge} edge cuts off {outside / side:.0%} of the face")
    if side < SMALL:
        tell(f"{where}: the face is only {side:.0f} pixels large; the result will be soft")


def _missing(face: Face, picture_size: tuple[int, int]) -> str | None:
    """The edge behind which an eye or the mouth lies; None if all are inside."""
    if face.landmarks is None and face.five is None:
        return next((edge for edge, out in _outside(face.box, picture_size).items() if out > face.box.side / 3), None)
    height, width = picture_size
    for part in _eyes_and_mouth(face):
        x, y = part.T
        beyond = np.stack([-0.5 - x, -0.5 - y, x - (width - 0.5), y - (height - 0.5)])
        if (beyond.max(axis=0) <= 0).mean() < SEEN:
            return EDGES[int(beyond.mean(axis=1).argmax())]
    return None


def _parts(face: Face) -> str:
    return "a large part" if face.landmarks is None and face.five is None else "an eye or the mouth"


def _eyes_and_mouth(face: Face) -> Iterator[NDArray[np.floating]]:
    """Points of each eye and of the mouth, (n, 2)."""
    if face.landmarks is not None:
        yield from (face.landmarks[part] for part in EYES_AND_MOUTH)
    elif face.five is not None:
        yield from (face.five[:1], face.five[1:2], face.five[3:])


def _outside(box: Box, picture_size: tuple[int, int]) -> dict[str, float]:
    """Pixels by which a box goes beyond each edge of the picture."""
    height, width = picture_size
    beyond = (-0.5 - box.left, -0.5 - box.top, box.right - (width - 0.5), box.bottom - (height - 0.5))
    return dict(zip(EDGES, beyond, strict=True))
