"""Segments of a video over which a face stays near one place, so that one crop serves all their frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..crop.crop import Crop, square_crop
from ..face import Box
from .track import Track

STAYS = 1.5  # a region of up to so many sides of the face does not count as moving


@dataclass(frozen=True)
class FaceSegment:
    """Consecutive frames and the region that one face keeps to.

    Attributes:
        number: of the face's track.
        start, stop: frames of the video, the last one not included.
        box: around the face in all of them, in pixels.
    """

    number: int
    start: int
    stop: int
    box: Box

    def __len__(self) -> int:
        return self.stop - self.start

    def __str__(self) -> str:
        return f"face {self.number}, frames {self.start}-{self.stop - 1}"


@dataclass(frozen=True)
class CropRules:
    """Conditions on a segment to become a crop, and the size it gets.

    Attributes:
        min_frames: shortest segment of a video.
        min_size: smallest longer side of the region, in pixels of the video.
        increase: part of the region that is added on each side.
        iou: overlap with the face's first box below which a new segment begins.
        size: (height, width) of the crops.
    """

    min_frames: int = 150
    min_size: int = 64
    increase: float = 0.1
    iou: float = 0.25
    size: tuple[int, int] = (256, 256)


def split_track(track: Track, iou: float) -> Iterator[FaceSegment]:
    """Cut a track where the face no longer overlaps its place at the segment's beginning by ``iou``."""
    begin = 0
    for index in range(1, len(track) + 1):
        if index == len(track) or _box(track, begin).iou(_box(track, index)) < iou:
            part = track.boxes[begin:index]
            union = Box(*map(float, (*part[:, :2].min(axis=0), *part[:, 2:].max(axis=0))))
            yield FaceSegment(track.number, track.start + begin, track.start + index, union)
            begin = index


def crops_of(
    tracks: Sequence[Track], rules: CropRules, picture_size: tuple[int, int]
) -> tuple[list[tuple[FaceSegment, Crop]], list[str]]:
    """Segments of a video with their crops, and a sentence about each segment that is left out.

    Args:
        picture_size: (height, width) of the video.
    """
    crops, refused = [], []
    for track in tracks:
        for segment in split_track(track, rules.iou):
            reason = _refusal(segment, track, rules, picture_size)
            if reason:
                refused.append(f"{segment}: {reason}")
            else:
                crops.append((segment, crop_of(segment.box, rules, picture_size)))
    return crops, refused


def _refusal(segment: FaceSegment, track: Track, rules: CropRules, picture_size: tuple[int, int]) -> str:
    """Reasons to leave a segment out, and all settings that have to change to accept it; empty if it is accepted."""
    reasons, cures = [], []
    if len(segment) < rules.min_frames:
        reasons.append(f"shorter than --min_frames={rules.min_frames}")
        cures.append(f"--min_frames={len(segment)}")
    if segment.box.side < rules.min_size:
        reasons.append(f"only {segment.box.side:.0f} pixels large, below --min_size={rules.min_size}")
        cures.append(f"--min_size={int(segment.box.side)}")
    room = _room(rules.size, picture_size)
    if _roams(segment, track, room):
        reasons.append(f"the face moves over {segment.box.side:.0f} pixels, and a crop holds at most {room:.0f} here")
        cures = _shorter_parts(segment, track, rules, room)
    verb = "accepts" if len(cures) == 1 else "accept"
    return f"{' and '.join(reasons)}; {' '.join(cures)} {verb} it" if reasons else ""


def _roams(segment: FaceSegment, track: Track, room: float) -> bool:
    """True if a face moves so far that no crop holds all its places. One that merely fills the picture does not."""
    return segment.box.side > max(room, STAYS * track.side)


def _shorter_parts(segment: FaceSegment, track: Track, rules: CropRules, room: float) -> list[str]:
    """The settings that cut the segment into parts of which the longest is accepted."""
    for iou in np.round(np.arange(rules.iou, 1.0, 0.05), 2):
        finer = [part for part in split_track(track, float(iou)) if not _roams(part, track, room)]
        inside = [part for part in finer if part.start < segment.stop and part.stop > segment.start]
        if inside:
            longest = max(inside, key=len)
            changed = [f"--iou={iou:.2f}"]
            changed += [f"--min_frames={len(longest)}"] if len(longest) < rules.min_frames else []
            return changed + ([f"--min_size={int(longest.box.side)}"] if longest.box.side < rules.min_size else [])
    raise AssertionError("a part of one frame stays where it is")


def crop_of(box: Box, rules: CropRules, picture_size: tuple[int, int]) -> Crop:
    """The crop around a region, with as much of the wanted margin as the picture has room for."""
    room = _room(rules.size, picture_size)
    scale = min(1 + 2 * rules.increase, max(1.0, room / box.side))
    return square_crop(Box(*_within(box, room)), rules.size, picture_size, scale=scale)


def _room(size: tuple[int, int], picture_size: tuple[int, int]) -> float:
    """Longest side that a region may have if a crop of this shape around it is to lie inside the picture."""
    return min(length / part for length, part in zip(picture_size, size, strict=True)) * min(size)


def _within(box: Box, room: float) -> tuple[float, float, float, float]:
    """The box's edges, around the same middle and at most so long."""
    (x, y), across, down = box.center, min(box.width, room) / 2, min(box.height, room) / 2
    return x - across, y - down, x + across, y + down


def _box(track: Track, index: int) -> Box:
    return Box(*map(float, track.boxes[index]))
