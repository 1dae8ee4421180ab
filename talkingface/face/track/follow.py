"""Faces followed through the frames of a video: each face of a frame is matched to one of the frame before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from ...media.image import Picture
from ..detect.analyser import FaceAnalyser
from ..face import Box, Face
from .look import LookRecorder

SAME = 0.5  # overlap (IoU) of two detections of one face in one frame
NEAR = 0.8  # a lost face is searched for this many sides of its last place
GROWTH = 2.0  # and it is at most this many times larger or smaller
DRIFTED = 0.5  # a followed face that overlaps its detection by less than this has slipped off
IDLE_LIMIT = 5  # frames between detections while there is no face at all


class Trail:
    """A face over the frames so far.

    Attributes:
        start: number of its first frame.
        faces: one for each frame from there on; None where it was lost.
        last: its last detection.
        lost: frames since then.
        looks: what it looks like; None where nobody asks.
    """

    def __init__(self, start: int, first: Face, keep_mesh: bool, *, looks: LookRecorder | None = None) -> None:
        self.start, self.looks = start, looks
        self.faces: list[Face | None] = [None]
        self.last, self.lost = first, 0
        self._keep_mesh = keep_mesh
        self.replace(first)

    def add(self, face: Face | None) -> None:
        """Append a frame."""
        self.faces.append(None)
        self.lost += 1
        if face is not None:
            self.replace(face)

    def replace(self, face: Face) -> None:
        """Set the face of the frame that was appended last."""
        self.faces[-1] = face if self._keep_mesh else replace(face, mesh=None)
        self.last, self.lost = face, 0

    def end(self) -> None:
        """Drop the frames after its last detection."""
        if self.lost:
            del self.faces[-self.lost :]
            self.lost = 0


class Follower:
    """Follows all faces, frame by frame.

    Attributes:
        trails: all so far, those that ended included.
    """

    def __init__(
        self,
        analyser: FaceAnalyser,
        detect_every: int,
        longest_gap: int,
        keep_mesh: bool = True,
        *,
        keep_looks: bool = False,
    ) -> None:
        self._analyser, self._keep_looks = analyser, keep_looks
        self._detect_every, self._longest_gap, self._keep_mesh = detect_every, longest_gap, keep_mesh
        self.trails: list[Trail] = []
        self._live: list[Trail] = []
        self._frame = -1
        self._next_detection = 0
        self._idle = 0

    def step(self, picture: Picture, new_scene: bool) -> None:
        """Take the next frame, (H, W, 3) RGB uint8; ``new_scene``: a cut lies before it, which ends all trails."""
        self._frame += 1
        if new_scene:
            self._end(self._live)
            self._next_detection, self._idle = self._frame, 0
        self._follow(picture)
        if self._frame >= self._next_detection or any(trail.lost for trail in self._live):
            self._detect(picture)
        self._end([trail for trail in self._live if trail.lost > self._longest_gap])
        for trail in self._live:
            if trail.looks is not None and not trail.lost:
                trail.looks.add(picture, trail.last)

    @property
    def present(self) -> list[Face]:
        """The faces of the last frame."""
        return [trail.last for trail in self._live if not trail.lost]

    def finish(self) -> list[Trail]:
        """End all trails and return them."""
        self._end(self._live)
        return self.trails

    def _end(self, trails: Sequence[Trail]) -> None:
        for trail in list(trails):
            trail.end()
            self._live.remove(trail)

    def _follow(self, picture: Picture) -> None:
        tracked = [trail for trail in self._live if not trail.lost]
        faces = self._analyser.follow(picture, [trail.last for trail in tracked]) if tracked else []
        kept = without_duplicates(faces, [trail.last for trail in tracked])
        followed = dict(zip(map(id, tracked), kept, strict=True))
        for trail in self._live:
            trail.add(followed.get(id(trail)))

    def _detect(self, picture: Picture) -> None:
        faces = self._analyser.faces(picture)
        pairs = assign([trail.last for trail in self._live], faces)
        for trail_number, face_number in pairs:
            trail, face = self._live[trail_number], faces[face_number]
            if trail.lost or trail.last.box.iou(face.box) < DRIFTED:
                trail.replace(face)
        taken = {face for _, face in pairs}
        present = [face.box for face in self.present]
        for number, face in enumerate(faces):
            if number not in taken and not any(_same(face.box, box) for box in present):
                self._begin(face)
        self._plan_next_detection()

    def _begin(self, face: Face) -> None:
        trail = Trail(self._frame, face, self._keep_mesh, looks=LookRecorder() if self._keep_looks else None)
        self._live.append(trail)
        self.trails.append(trail)

    def _plan_next_detection(self) -> None:
        """Detection takes long, so it becomes rarer while there is no face."""
        self._idle = 0 if self._live else min(self._idle + 1, IDLE_LIMIT)
        self._next_detection = self._frame + (self._detect_every if self._live else self._idle)


def without_duplicates(faces: Sequence[Face | None], before: Sequence[Face]) -> list[Face | None]:
    """Followed faces, None for those that slipped onto another one: two trails never show the same face.

    Of two on one face, the one stays that moved least (by overlap with where it was before).
    """
    kept: list[Face | None] = list(faces)
    for first in range(len(kept)):
        for second in range(first + 1, len(kept)):
            face, other = kept[first], kept[second]
            if face is not None and other is not None and _same(face.box, other.box):
                moved_less = face.box.iou(before[first].box) >= other.box.iou(before[second].box)
                kept[second if moved_less else first] = None
    return kept


def assign(before: Sequence[Face], faces: Sequence[Face]) -> list[tuple[int, int]]:
    """Pairs (index in ``before``, index in ``faces``) that may be the same face; their total distance is smallest."""
    if not before or not faces:
        return []
    likeness = np.array([[_likeness(old.box, new.box) for new in faces] for old in before])
    pairs = zip(*linear_sum_assignment(-likeness), strict=True)
    return [(int(old), int(new)) for old, new in pairs if likeness[old, new] > 0]


def _likeness(old: Box, new: Box) -> float:
    """1 for the same place and size, 0 for what cannot be the same face."""
    sides = max(old.side, new.side), max(min(old.side, new.side), 1e-6)
    away = np.hypot(old.center[0] - new.center[0], old.center[1] - new.center[1]) / sides[0]
    if away > NEAR or sides[0] / sides[1] > GROWTH:
        return 0.0
    return float((1 - away / (NEAR + 1)) * sides[1] / sides[0])


def _same(box: Box, other: Box) -> bool:
    """True if two boxes in one frame are of one face: much alike, or one nearly inside the other."""
    smaller = min(box.area, other.area)
    return box.iou(other) > SAME or (smaller > 0 and box.overlap(other) / smaller > 0.8)
