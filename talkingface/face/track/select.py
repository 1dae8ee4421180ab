"""Which of several faces is meant. Nothing is ever chosen in silence: either it is clear, or the user is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ...errors import ConfigError, CutFaceError, FaceError, NoFaceError, SeveralFacesError, SmallFaceError, did_you_mean
from ..face import Box, Face
from .track import Track

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


CLEARLY_LARGER = 2.0  # the largest face is meant where it is so many times larger than the next
WISHES = ("largest", "left", "right", "all")

Tell = Callable[[str], None]
Seen = TypeVar("Seen", Face, Track)


def ignore(note: str) -> None:
    """Take a note for the user and drop it."""


def select_face(
    faces: Sequence[Face],
    wish: str | None,
    picture_size: tuple[int, int],
    where: object,
    *,
    flag: str = "--face",
    tell: Tell = ignore,
) -> Face:
    """The one face that is meant.

    Args:
        faces: all faces of the picture, in any order; they are numbered from left to right.
        wish: ``"largest"``, ``"left"``, ``"right"`` or a number from 0; None: the only face, or one that is at least
            twice as large as the next.
        picture_size: (height, width) in pixels.
        where: the file, for errors.
        flag: the flag that the wish came from, for errors.
        tell: takes sentences that the user should read.

    Raises:
        NoFaceError: if there is none, or not that many.
        SeveralFacesError: if there are several and the wish is None, or ``"all"``.
        SmallFaceError, CutFaceError: if too little of it can be seen.
        ConfigError: if the wish is none of these.
    """
    if wish == "all" and len(faces) > 1:
        raise SeveralFacesError(
            f"{_listed(left_to_right(faces), _place)}, and only one of them can be used here",
            where=where,
            cure=f"Choose one with {flag}.",
        )
    face = _one(left_to_right(faces), wish, where, flag, tell, _size_of_face, _place)
    check_face(face, picture_size, where, tell)
    return face


def select_faces(
    faces: Sequence[Face],
    wish: str | None,
    picture_size: tuple[int, int],
    where: object,
    *,
    flag: str = "--face",
    tell: Tell = ignore,
) -> list[Face]:
    """The faces that are meant, from left to right; as :func:`select_face`, and ``"all"`` gives all that can be used.

    Raises:
        FaceError: as :func:`select_face`; with ``"all"`` only if none of the faces can be used.
    """
    if wish != "all":
        return [select_face(faces, wish, picture_size, where, flag=flag, tell=tell)]
    if not faces:
        raise NoFaceError("no face was found", where=where, cure=_OTHER_PICTURE)
    usable, refused = [], []
    for number, face in enumerate(left_to_right(faces)):
        try:
            check_face(face, picture_size, where, lambda note, n=number: tell(f"face {n}: {note}"))  # type: ignore[misc]
            usable.append(face)
        except FaceError as error:
            refused.append(error)
            tell(f"face {number} is left out: {error.what}")
    if not usable:
        raise refused[0]
    return usable


def select_track(
    tracks: Sequence[Track],
    wish: str | None,
    picture_size: tuple[int, int],
    where: object,
    *,
    flag: str = "--driving_face",
    tell: Tell = ignore,
) -> Track:
    """The one face of a video that is meant, as :func:`select_face`.

    A number is that of the track. How large a face is counts together with how long it is seen.

    Raises:
        FaceError, ConfigError: as :func:`select_face`.
    """
    if wish == "all" and len(tracks) > 1:
        raise SeveralFacesError(
            f"{_listed(tracks, _span)}, and only one of them can be used here",
            where=where,
            cure=f"Choose one with {flag}.",
        )
    track = _one(tracks, wish, where, flag, tell, _size_of_track, _span)
    check_face(_typical(track), picture_size, where, tell)
    return track


def left_to_right(faces: Sequence[Face]) -> list[Face]:
    """Faces by the middle of their box; the order in which they are numbered."""
    return sorted(faces, key=lambda face: face.box.center)


_OTHER_PICTURE = "Use a picture that shows a face from the front, large enough and not covered."


def _one(
    seen: Sequence[Seen],
    wish: str | None,
    where: object,
    flag: str,
    tell: Tell,
    size: Callable[[Seen], float],
    describe: Callable[[Seen], str],
) -> Seen:
    number = _number(wish, flag)
    if not seen:
        raise NoFaceError("no face was found", where=where, cure=_OTHER_PICTURE)
    if number is not None:
        if number >= len(seen):
            what = f"there is no face number {number}; {_listed(seen, describe)}"
            raise NoFaceError(what, where=where, cure=f"Choose {flag} from 0 to {len(seen) - 1}.")
        return seen[number]
    if wish in ("left", "right"):
        return (min if wish == "left" else max)(seen, key=_across)
    by_size = sorted(seen, key=size, reverse=True)
    if wish is None and len(seen) > 1:
        if size(by_size[0]) < CLEARLY_LARGER * size(by_size[1]):
            raise SeveralFacesError(
                _listed(seen, describe), where=where, cure=f"Choose one with {flag} largest, left, right or a number."
            )
        tell(f"{where}: {len(seen)} faces; took the largest by far ({describe(by_size[0])}); {flag} chooses another")
    return by_size[0]


def _number(wish: str | None, flag: str) -> int | None:
    """The number in a wish; None for the words."""
    if wish is None or wish in WISHES:
        return None
    if wish.isascii() and wish.isdecimal():
        return int(wish)
    raise ConfigError(
        f"'{wish}' is no choice of a face",
        where=flag,
        cure=did_you_mean(wish, WISHES) + " Or give a number from 0, counted from the left.",
    )


def _listed(seen: Sequence[Seen], describe: Callable[[Seen], str]) -> str:
    """ "3 faces (0: at ..., 1: ...)"."""
    return f"{len(seen)} faces ({', '.join(f'{number}: {describe(one)}' for number, one in enumerate(seen))})"


def _place(face: Face) -> str:
    x, y = face.box.center
    return f"at {x:.0f},{y:.0f}, {face.box.side:.0f} pixels"


def _span(track: Track) -> str:
    x, y = track.union.center
    return f"frames {track.start}-{track.frames[-1]}, at {x:.0f},{y:.0f}, {track.side:.0f} pixels"


def _across(one: Face | Track) -> float:
    return (one.box if isinstance(one, Face) else one.union).center[0]


def _size_of_face(face: Face) -> float:
    return face.box.side


def _size_of_track(track: Track) -> float:
    return track.side * len(track)


def _typical(track: Track) -> Face:
    """The track's face at its median place and size, of the frame that comes nearest to it."""
    middle = np.median(track.boxes, axis=0)
    return track.face(int(np.abs(track.boxes - middle).sum(axis=1).argmin()))
