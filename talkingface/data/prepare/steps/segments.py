"""Which parts of a video become clips, and what they are called."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ....face.crop.crop import Crop
from ....face.face import Box
from ....face.track.segments import CropRules, crops_of, stretches
from ....face.track.track import Track


@dataclass(frozen=True)
class Segment:
    """A part of a video that becomes a clip.

    Attributes:
        name: of the clip.
        start, stop: frames of the video, the last one not included.
        crop: what is cut out of them.
    """

    name: str
    start: int
    stop: int
    crop: Crop


def segments_of(
    tracks: Sequence[Track], name: str, rules: CropRules, max_frames: int, picture_size: tuple[int, int]
) -> tuple[list[Segment], list[str]]:
    """The clips of some tracks, and a sentence about each stretch that is left out.

    As in the published preparation, a clip ends where the face overlaps its place at the clip's beginning too little,
    and when it has ``max_frames``. The number behind its name counts the stretches that are left out too, so that
    other limits do not give another clip the same name.
    """
    parts = sorted((part for track in tracks for part in _parts(track, rules.iou, max_frames)), key=_place)
    segments, refused = [], []
    for number, part in enumerate(parts):
        crops, reasons = crops_of([part], rules, picture_size)
        segments += [Segment(f"{name}#{number:03d}", found.start, found.stop, crop) for found, crop in crops]
        refused += [f"{name}#{number:03d}, {reason.partition(', ')[2]}" for reason in reasons]
    return segments, refused


def overlap_with(track: Track, frames: NDArray[np.int64], boxes: NDArray[np.float64]) -> float:
    """Mean overlap of a track with boxes that are given for some frames, over the frames that both have; 0 to 1."""
    places = {int(frame): box for frame, box in zip(frames, boxes, strict=True)}
    common = [(track.boxes[index], places[frame]) for index, frame in enumerate(track.frames) if frame in places]
    return float(np.mean([Box(*map(float, one)).iou(Box(*map(float, other))) for one, other in common] or [0.0]))


def _parts(track: Track, iou: float, max_frames: int) -> Iterator[Track]:
    """The track cut into stretches of at most ``max_frames``, each measured from its own beginning."""
    rest = track
    while len(rest):
        stop = min(next(stretches(rest, iou)).stop - rest.start, max_frames)
        yield _cut(rest, 0, stop)
        rest = _cut(rest, stop, len(rest))


def _cut(track: Track, start: int, stop: int) -> Track:
    """Frames ``start`` to ``stop`` of a track; its boxes and scores are all that is needed here."""
    part = slice(start, stop)
    return replace(
        track,
        start=track.start + start,
        boxes=track.boxes[part],
        scores=track.scores[part],
        landmarks=None,
        mesh=None,
        five=None,
    )


def _place(track: Track) -> tuple[int, int]:
    return track.start, track.number
