"""Choice among several faces: either it is clear, and said in a note, or the user is asked."""

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
VISIBLE = 1 / 3  # part of the points of an eye or the mouth that must lie inside the picture
CUT_NOTE = 0.1  # part of the face's side that may lie outside before a note says so
EYES_AND_MOUTH = (slice(36, 42), slice(42, 48), slice(48, 68))  # of the 68 landmarks
EDGES = ("left", "upper", "right", "lower")


def validate_face(face: Face, picture_size: tuple[int, int], where: object, notify: Callable[[str], None]) -> None:
    """Refuse a face of which too little can be seen, and note one that is small or cut.

    Args:
        picture_size: (height, width) in pixels.
        where: the file, for errors.
        notify: takes sentences that the user should read.

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
    missing = cutting_edge(face, picture_size)
    if missing:
        raise CutFaceError(
            f"the {missing} edge cuts off {_parts(face)} of the face",
            where=where,
            cure="Use a picture that shows the whole face.",
        )
    for edge, outside in _outside(face.box, picture_size).items():
        if outside > CUT_NOTE * side:
            notify(f"{where}: the {edge} edge cuts off {outside / side:.0%} of the face")
    if side < SMALL:
        notify(f"{where}: the face is only {side:.0f} pixels large; the result will be soft")


def cutting_edge(face: Face, picture_size: tuple[int, int]) -> str | None:
    """Edge of a picture of (height, width) behind which an eye or the mouth lies; None if all are inside."""
    if face.landmarks is None and face.five is None:
        return next((edge for edge, out in _outside(face.box, picture_size).items() if out > face.box.side / 3), None)
    height, width = picture_size
    for part in _eyes_and_mouth(face):
        x, y = part.T
        beyond = np.stack([-0.5 - x, -0.5 - y, x - (width - 0.5), y - (height - 0.5)])
        if (beyond.max(axis=0) <= 0).mean() < VISIBLE:
            return EDGES[int(beyond.mean(axis=1).argmax())]
    return None


def _parts(face: Face) -> str:
    return "a large part" if face.landmarks is None and face.five is None else "an eye or the mouth"


def _eyes_and_mouth(face: Face) -> Iterator[NDArray[np.floating]]:
    """Points of each eye and of the mouth, each (n, 2)."""
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
CHOICES = ("largest", "left", "right", "all")

Notify = Callable[[str], None]
Item = TypeVar("Item", Face, Track)


def ignore(note: str) -> None:
    """Take a note for the user and drop it."""


def select_face(
    faces: Sequence[Face],
    choice: str | None,
    picture_size: tuple[int, int],
    where: object,
    *,
    flag: str = "--face",
    notify: Notify = ignore,
) -> Face:
    """Choose one face.

    Args:
        faces: all faces of the picture, in any order; they are numbered from left to right.
        choice: ``"largest"``, ``"left"``, ``"right"`` or a number from 0; None: the only face, or one that is at least
            twice as large as the next.
        picture_size: (height, width) in pixels.
        where: the file, for errors.
        flag: the flag that the choice came from, for errors.
        notify: takes sentences that the user should read.

    Raises:
        NoFaceError: if there is no face, or not that many.
        SeveralFacesError: if there are several and the choice is None, or ``"all"``.
        SmallFaceError, CutFaceError: if too little of it can be seen.
        ConfigError: if the choice is none of these.
    """
    if choice == "all" and len(faces) > 1:
        raise SeveralFacesError(
            f"{_listed(left_to_right(faces), _place)}, and only one of them can be used here",
            where=where,
            cure=f"Choose one with {flag}.",
        )
    face = _choose(left_to_right(faces), choice, where, flag, notify, _size_of_face, _place)
    validate_face(face, picture_size, where, notify)
    return face


def select_faces(
    faces: Sequence[Face],
    choice: str | None,
    picture_size: tuple[int, int],
    where: object,
    *,
    flag: str = "--face",
    notify: Notify = ignore,
) -> list[Face]:
    """Choose faces, from left to right, as :func:`select_face` does; ``"all"`` gives all that can be used.

    Raises:
        FaceError: as :func:`select_face`; with ``"all"`` only if none of the faces can be used.
    """
    if choice != "all":
        return [select_face(faces, choice, picture_size, where, flag=flag, notify=notify)]
    if not faces:
        raise NoFaceError("no face was found", where=where, cure=_OTHER_PICTURE)
    usable, refused = [], []
    for number, face in enumerate(left_to_right(faces)):
        try:
            validate_face(face, picture_size, where, lambda note, n=number: notify(f"face {n}: {note}"))  # type: ignore[misc]
            usable.append(face)
        except FaceError as error:
            refused.append(error)
            notify(f"face {number} is left out: {error.what}")
    if not usable:
        raise refused[0]
    return usable


def select_track(
    tracks: Sequence[Track],
    choice: str | None,
    picture_size: tuple[int, int],
    where: object,
    *,
    flag: str = "--driving_face",
    notify: Notify = ignore,
) -> Track:
    """Choose one face of a video, as :func:`select_face`.

    A number is that of the track. How large a face is counts together with how long it is seen.

    Raises:
        FaceError, ConfigError: as :func:`select_face`.
    """
    if choice == "all" and len(tracks) > 1:
        raise SeveralFacesError(
            f"{_listed(tracks, _span)}, and only one of them can be used here",
            where=where,
            cure=f"Choose one with {flag}.",
        )
    track = _choose(tracks, choice, where, flag, notify, _size_of_track, _span)
    validate_face(_typical(track), picture_size, where, notify)
    return track


def left_to_right(faces: Sequence[Face]) -> list[Face]:
    """Faces by the middle of their box; the order in which they are numbered."""
    return sorted(faces, key=lambda face: face.box.center)


_OTHER_PICTURE = "Use a picture that shows a face from the front, large enough and not covered."


def _choose(
    items: Sequence[Item],
    choice: str | None,
    where: object,
    flag: str,
    notify: Notify,
    size: Callable[[Item], float],
    describe: Callable[[Item], str],
) -> Item:
    number = _number(choice, flag)
    if not items:
        raise NoFaceError("no face was found", where=where, cure=_OTHER_PICTURE)
    if number is not None:
        if number >= len(items):
            what = f"there is no face number {number}; {_listed(items, describe)}"
            raise NoFaceError(what, where=where, cure=f"Choose {flag} from 0 to {len(items) - 1}.")
        return items[number]
    if choice in ("left", "right"):
        return (min if choice == "left" else max)(items, key=_across)
    by_size = sorted(items, key=size, reverse=True)
    if choice is None and len(items) > 1:
        if size(by_size[0]) < CLEARLY_LARGER * size(by_size[1]):
            raise SeveralFacesError(
                _listed(items, describe), where=where, cure=f"Choose one with {flag} largest, left, right or a number."
            )
        notify(f"{where}: {len(items)} faces; took the largest by far ({describe(by_size[0])}); {flag} chooses another")
    return by_size[0]


def _number(choice: str | None, flag: str) -> int | None:
    """Return the number in a choice, None for the words."""
    if choice is None or choice in CHOICES:
        return None
    if choice.isascii() and choice.isdecimal():
        return int(choice)
    raise ConfigError(
        f"'{choice}' is no choice of a face",
        where=flag,
        cure=did_you_mean(choice, CHOICES) + " Or give a number from 0, counted from the left.",
    )


def _listed(items: Sequence[Item], describe: Callable[[Item], str]) -> str:
    """ "3 faces (0: at ..., 1: ...)"."""
    return f"{len(items)} faces ({', '.join(f'{number}: {describe(item)}' for number, item in enumerate(items))})"


def _place(face: Face) -> str:
    x, y = face.box.center
    return f"at {x:.0f},{y:.0f}, {face.box.side:.0f} pixels"


def _span(track: Track) -> str:
    x, y = track.union.center
    return f"frames {track.start}-{track.frames[-1]}, at {x:.0f},{y:.0f}, {track.side:.0f} pixels"


def _across(item: Face | Track) -> float:
    return (item.box if isinstance(item, Face) else item.union).center[0]


def _size_of_face(face: Face) -> float:
    return face.box.side


def _size_of_track(track: Track) -> float:
    return track.side * len(track.followed)


def _typical(track: Track) -> Face:
    """The track's face at its median place and size, of the frame that comes nearest to it."""
    middle = np.median(track.boxes, axis=0)
    return track.face(int(np.abs(track.boxes - middle).sum(axis=1).argmin()))
