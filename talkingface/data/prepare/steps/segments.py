"""Segments of a video that become clips, and their names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ....face.crop.crop import Crop
from ....face.face import Box
from ....face.track.segments import CropRules, crops_of, split_track
from ....face.track.track import Track


@dataclass(frozen=True)
class Segment:
    """A segment of a video that becomes a clip.

    Attributes:
        name: name of the clip.
        start, stop: range of frames of the video; ``stop`` is not included.
        crop: region that is cut out of them.
    """

    name: str
    start: int
    stop: int
    crop: Crop


def segments_of(
    tracks: Sequence[Track], name: str, rules: CropRules, max_frames: int, picture_size: tuple[int, int]
) -> tuple[list[Segment], list[str]]:
    """Split tracks into clips.

    As in the published preparation, a clip ends where the box of the face overlaps its first box too little, and when
    it has ``max_frames``. The number in its name also counts the segments that are left out, so that other limits do
    not give another clip the same name.

    Args:
        tracks: tracks of a video, or of a part of it.
        name: name of the video or part; the clips are ``<name>#000``, ``<name>#001``, ...
        rules: limits and size of the clips.
        max_frames: longest clip.
        picture_size: (height, width) of the video in pixels.

    Returns:
        The clips, and a sentence about each segment that is left out.
    """
    parts = sorted((part for track in tracks for part in _parts(track, rules.iou, max_frames)), key=_place)
    segments, refused = [], []
    for number, part in enumerate(parts):
        crops, reasons = crops_of([part], rules, picture_size)
        segments += [Segment(f"{name}#{number:03d}", piece.start, piece.stop, crop) for piece, crop in crops]
        refused += [f"{name}#{number:03d}, {reason.partition(', ')[2]}" for reason in reasons]
    return segments, refused


def overlap_with(track: Track, frames: NDArray[np.int64], boxes: NDArray[np.float64]) -> float:
    """Mean overlap (IoU, 0 to 1) of a track with given boxes, over the frames that both have.

    Args:
        track: the track.
        frames: (T,), frame numbers of the boxes.
        boxes: (T, 4), left, top, right, bottom in pixels.
    """
    given = {int(frame): Box(*map(float, box)) for frame, box in zip(frames, boxes, strict=True)}
    pairs = [(Box(*map(float, track.boxes[index])), frame) for index, frame in enumerate(track.frames)]
    return float(np.mean([box.iou(given[frame]) for box, frame in pairs if frame in given] or [0.0]))


def _parts(track: Track, iou: float, max_frames: int) -> Iterator[Track]:
    """Split a track into segments of at most ``max_frames``; overlap is measured from the first box of each."""
    rest = track
    while len(rest):
        stop = min(next(split_track(rest, iou)).stop - rest.start, max_frames)
        yield _cut(rest, 0, stop)
        rest = _cut(rest, stop, len(rest))


def _cut(track: Track, start: int, stop: int) -> Track:
    """Frames ``start`` to ``stop`` of a track, with boxes and scores only, as the rest is not needed here."""
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
