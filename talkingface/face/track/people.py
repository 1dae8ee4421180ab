"""Pieces of one person: tracks that a gap or a cut separates are joined where they show the same face.

A person that slides out of the picture, is cut away from, or jumps at a cut is one person; another who takes the place
is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise, takewhile

import numpy as np
from numpy.typing import NDArray

from .look import SAME, likeness
from .select import cutting_edge
from .track import Floats, Track


def people(tracks: Sequence[Track]) -> list[Track]:
    """Join the tracks that show the same person; those of two faces that are seen at once stay two.

    Args:
        tracks: of one video, in the order of their numbers, with looks.

    Returns:
        A track for each person, numbered in the order in which they appear. A joined one holds the nearest face in the
        gaps between its pieces.
    """
    groups: list[list[Track]] = []
    for track in tracks:
        alike = [(_likeness(track, group), group) for group in groups if _apart(track, group)]
        best, group = max(alike, key=lambda pair: pair[0], default=(-np.inf, None))
        if group is not None and best >= SAME:
            group.append(track)
        else:
            groups.append([track])
    return [replace(_joined(group), number=number) for number, group in enumerate(groups)]


def without_cut_ends(track: Track, picture_size: tuple[int, int]) -> Track:
    """Count the frames at the ends of each piece as unseen in which the picture's edge cuts off an eye or the mouth.

    A face that slides out of the picture would otherwise be held half outside, where no network draws it well.

    Args:
        picture_size: (height, width) in pixels.
    """
    cut: set[int] = set()
    for piece in track.pieces:
        for frames in (piece, piece[::-1]):
            faces = ((frame, track.face(frame - track.start)) for frame in frames)
            cut.update(frame for frame, _ in takewhile(lambda pair: cutting_edge(pair[1], picture_size), faces))
    followed = [frame for frame in track.followed.tolist() if frame not in cut]
    if not cut or not followed:
        return track
    edges = [track.start - 1, *followed, track.frames.stop]
    return replace(track, gaps=tuple(range(one + 1, two) for one, two in pairwise(edges) if two - one > 1))


def _likeness(track: Track, group: Sequence[Track]) -> float:
    """Likeness of a track and the piece of a group that is most like it; -inf where looks were not kept."""
    pairs = [(track.looks, other.looks) for other in group]
    return max(-np.inf if one is None or two is None else likeness(one, two) for one, two in pairs)


def _apart(track: Track, group: Sequence[Track]) -> bool:
    """True if a track has no frame in common with those of a group."""
    return all(track.start > other.frames[-1] or other.start > track.frames[-1] for other in group)


def _joined(pieces: Sequence[Track]) -> Track:
    """One track of several that follow each other."""
    if len(pieces) == 1:
        return pieces[0]
    pieces = sorted(pieces, key=lambda piece: piece.start)
    start, stop = pieces[0].start, pieces[-1].frames.stop
    gaps = tuple(range(one.frames.stop, two.start) for one, two in pairwise(pieces))
    known = np.concatenate([np.asarray(piece.frames) for piece in pieces])
    nearest = nearest_of(known, np.arange(start, stop))

    def values(name: str) -> Floats | None:
        parts = [getattr(piece, name) for piece in pieces]
        return None if any(part is None for part in parts) else np.concatenate(parts)[nearest]

    boxes, scores = values("boxes"), values("scores")
    assert boxes is not None and scores is not None  # noqa: S101 (every track has them; narrows the types)
    for gap in gaps:
        scores[gap.start - start : gap.stop - start] = 0
    looks = None if pieces[0].looks is None else np.concatenate([p.looks for p in pieces if p.looks is not None])
    gaps = tuple(gap for gap in gaps if gap)
    points = {name: values(name) for name in ("landmarks", "mesh", "five")}
    return replace(pieces[0], boxes=boxes, scores=scores, looks=looks, gaps=gaps, **points)  # type: ignore[arg-type]


def nearest_of(known: NDArray[np.integer], wanted: NDArray[np.integer]) -> NDArray[np.intp]:
    """Index of the known frame that is nearest to each wanted one, of two equally near ones the earlier.

    Args:
        known: (n,), at least one, ascending.
    """
    after = np.searchsorted(known, wanted).clip(1, max(len(known) - 1, 1))
    before, after = after - 1, after.clip(max=len(known) - 1)
    return np.where(np.abs(known[after] - wanted) < np.abs(wanted - known[before]), after, before)
