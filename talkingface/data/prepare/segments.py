"""Which parts of a video become clips: stretches over which a face stays near one place, long and large enough."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...face.face import Box
from ...face.track import Track


@dataclass(frozen=True)
class Limits:
    """What a clip must be; the names are those of the settings.

    Attributes:
        min_frames, max_frames: length in frames.
        min_size: longer side of the face's boxes together, in pixels of the video.
        iou: overlap with the face's first place, below which a clip ends.
    """

    min_frames: int
    max_frames: int
    min_size: int
    iou: float

    def refusal(self, frames: int, side: float) -> str:
        """Why such a stretch is left out, with the setting that would take it; empty if it is taken."""
        if frames < self.min_frames:
            return f"has only {frames} frames (--min_frames={frames} takes it)"
        if side < self.min_size:
            return f"the face has only {side:.0f} pixels (--min_size={int(side)} takes it)"
        return ""


@dataclass(frozen=True)
class Segment:
    """A stretch of frames and the region that the face keeps to.

    Attributes:
        name: of the clip.
        start, stop: frames of the video, the last one not included.
        box: around the face in all of them, in pixels.
    """

    name: str
    start: int
    stop: int
    box: Box

    def __len__(self) -> int:
        return self.stop - self.start


def stretches(track: Track, limits: Limits) -> Iterator[tuple[int, int, Box]]:
    """(start, stop, box) of the parts of a track, cut as the published preparation does.

    A part ends where the face overlaps its place at the part's beginning too little, or when it is long enough.
    """
    begin = 0
    for index in range(1, len(track) + 1):
        ends = index == len(track) or index - begin >= limits.max_frames
        if ends or _box(track.boxes[begin]).iou(_box(track.boxes[index])) < limits.iou:
            part = track.boxes[begin:index]
            union = Box(*map(float, (*part[:, :2].min(axis=0), *part[:, 2:].max(axis=0))))
            yield track.start + begin, track.start + index, union
            begin = index


def segments_of(tracks: Sequence[Track], name: str, limits: Limits) -> tuple[list[Segment], list[str]]:
    """The clips of some tracks, and a sentence about each stretch that is left out.

    The number behind a clip's name counts the stretches that are left out too, so that other limits do not give
    another clip the same name.
    """
    found = sorted((part for track in tracks for part in stretches(track, limits)), key=lambda part: part[:2])
    segments, refused = [], []
    for number, (start, stop, box) in enumerate(found):
        reason = limits.refusal(stop - start, box.side)
        if reason:
            refused.append(f"{name}#{number:03d} (frames {start} to {stop - 1}) {reason}")
        else:
            segments.append(Segment(f"{name}#{number:03d}", start, stop, box))
    return segments, refused


def overlap_with(track: Track, frames: NDArray[np.int64], boxes: NDArray[np.float64]) -> float:
    """Mean overlap of a track with boxes that are given for some frames, over the frames that both have; 0 to 1."""
    places = {int(frame): box for frame, box in zip(frames, boxes, strict=True)}
    common = [(track.boxes[index], places[frame]) for index, frame in enumerate(track.frames) if frame in places]
    return float(np.mean([_box(one).iou(_box(other)) for one, other in common])) if common else 0.0


def _box(edges: NDArray[np.floating]) -> Box:
    return Box(*map(float, edges))
