"""Tracks: the faces of a video over time, each with its number. Frames stream through; only numbers are kept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from ...media.image import Picture
from ..detect.analyser import FaceAnalyser
from ..face import Box, Face
from .follow import Follower, Trail
from .scenes import scenes

# Of the face's side. Measured: points of clean clips jitter by 0.001, noisy ones by 0.003. At 0.003 talking mouths
# keep 98 % of their movement and blinks 97 % of their depth, while a still face jitters a third as much; at 0.006, 96
# and 92 %. Boxes hold no blinks.
JITTER, BOX_JITTER = 0.003, 0.01
BLOCK = 32  # points
NEAR = 1.0  # frames over which the distance of the two paths is averaged


def smooth(
    values: NDArray[np.floating], sides: NDArray[np.floating], frames: float, jitter: float = JITTER
) -> NDArray[np.float32]:
    """Smooth paths of points.

    Args:
        values: (T, N, C) pixels: N points over T frames.
        sides: (T,) side of the face in pixels; distances count relative to it.
        frames: standard deviation of the strong smoothing, in frames; 0 leaves the values as they are.
        jitter: distance of the two paths, as part of the side, at which both count the same.

    Returns:
        (T, N, C).
    """
    if frames <= 0 or len(values) < 3:
        return values.astype(np.float32)
    smoothed = np.empty(values.shape, np.float32)
    # Each point is smoothed by itself; a few at a time in double precision take little memory.
    for start in range(0, values.shape[1], BLOCK):
        part = slice(start, start + BLOCK)
        smoothed[:, part] = _smooth(values[:, part].astype(np.float64), sides, frames, jitter)
    return smoothed


def _smooth(
    measured: NDArray[np.float64], sides: NDArray[np.floating], frames: float, jitter: float
) -> NDArray[np.float64]:
    calm = _mean_path(measured, frames)
    apart = ((calm - measured) ** 2).sum(axis=2) / np.square(np.maximum(sides, 1.0))[:, None]
    apart = gaussian_filter1d(apart, NEAR, axis=0, mode="nearest")
    weight = 1 / (1 + apart / jitter**2)
    smoothed: NDArray[np.float64] = measured + weight[..., None] * (calm - measured)
    return smoothed


def smooth_boxes(boxes: NDArray[np.floating], frames: float) -> NDArray[np.float32]:
    """Smooth boxes (T, 4): left, top, right, bottom; edges move as two points would."""
    sides = np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
    return smooth(boxes.reshape(-1, 2, 2), sides, frames, BOX_JITTER).reshape(-1, 4)


def fill_gaps(values: NDArray[np.floating], known: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Values (T, ...) with the unknown frames on straight lines between the known ones around them."""
    if known.all():
        return values.astype(np.float32, copy=False)
    frames = np.flatnonzero(known)
    wanted = np.arange(len(values))
    after = np.searchsorted(frames, wanted).clip(1, max(len(frames) - 1, 1))
    low, high = frames[after - 1], frames[after.clip(max=len(frames) - 1)]
    share = ((wanted - low) / np.maximum(high - low, 1)).clip(0, 1).reshape(-1, *[1] * (values.ndim - 1))
    return ((1 - share) * values[low] + share * values[high]).astype(np.float32)


def _mean_path(values: NDArray[np.float64], frames: float) -> NDArray[np.float64]:
    """Gaussian means over time. Beyond its ends the path goes on as its mirror image, so that even motion stays."""
    reach = int(np.ceil(3 * frames))
    padded = np.pad(values, ((reach, reach), (0, 0), (0, 0)), mode="reflect", reflect_type="odd")
    return gaussian_filter1d(padded, frames, axis=0, truncate=3.0)[reach : reach + len(values)]


Floats = NDArray[np.float32]


@dataclass(frozen=True)
class TrackSettings:
    """Settings of the tracking.

    Attributes:
        detect_every: frames between detections of new faces while known ones are followed.
        longest_gap: frames that a face may be lost and keep its number.
        smoothing: standard deviation of the smoothing of points in frames; 0 for none.
        box_smoothing: the same for boxes.
        split_scenes: a cut to another scene ends all tracks.
        keep_mesh: tracks hold the face mesh (5.6 kB a frame) where the backend has one.
        keep_looks: tracks hold what the face looks like, by which people are told apart.
    """

    detect_every: int = 10
    longest_gap: int = 10
    smoothing: float = 1.5
    box_smoothing: float = 4.0
    split_scenes: bool = True
    keep_mesh: bool = True
    keep_looks: bool = False


@dataclass(frozen=True, eq=False)
class Track:
    """One face over consecutive frames of a video.

    Attributes:
        number: counted from 0 in the order in which faces appear, those of one frame from left to right.
        start: number of the first frame.
        boxes: (T, 4) left, top, right, bottom in pixels, as :class:`Box`; smoothed.
        landmarks: (T, 68, 2) in pixels, smoothed; None where the backend gives only boxes.
        scores: (T,) confidence of the backend, from 0 to 1; 0 where the face was lost and is interpolated.
        mesh: (T, 468, 3) in pixels, smoothed; None where the backend has no mesh.
        backend: name of the backend that found it.
        five: (T, 5, 2) eyes, nose and mouth corners; only where a file gave just those.
        looks: (n, C) what the face looks like in some frames, see :mod:`.look`; None where that was not kept.
        gaps: frames of the video in which the face is not seen well, ascending; between the pieces of a joined track
            the nearest face is held.
    """

    number: int
    start: int
    boxes: Floats
    landmarks: Floats | None
    scores: Floats
    mesh: Floats | None = None
    backend: str = ""
    five: Floats | None = None
    looks: Floats | None = None
    gaps: tuple[range, ...] = ()

    def __len__(self) -> int:
        return len(self.boxes)

    @property
    def frames(self) -> range:
        """Numbers of its frames in the video."""
        return range(self.start, self.start + len(self))

    @property
    def followed(self) -> NDArray[np.intp]:
        """Numbers of the frames of the video in which the face is followed, ascending: all but those in gaps."""
        return np.array([frame for frame in self.frames if not any(frame in gap for gap in self.gaps)], np.intp)

    @property
    def pieces(self) -> list[range]:
        """Numbers of its frames in the video, without the gaps."""
        edges = [self.start, *(edge for gap in self.gaps for edge in (gap.start, gap.stop)), self.frames.stop]
        return [range(start, stop) for start, stop in zip(edges[::2], edges[1::2], strict=True) if start < stop]

    def face(self, index: int) -> Face:
        """The face in the track's own frame ``index`` (0 is the video's frame ``start``)."""
        parts = (part if part is None else part[index] for part in (self.landmarks, self.mesh, self.five))
        landmarks, mesh, five = parts
        return Face(Box(*map(float, self.boxes[index])), float(self.scores[index]), landmarks, mesh, self.backend, five)

    @property
    def union(self) -> Box:
        """The smallest box that holds the face in all frames in which it is seen."""
        boxes = self.boxes[self.followed - self.start]
        return Box(*map(float, (*boxes[:, :2].min(0), *boxes[:, 2:].max(0))))

    @property
    def side(self) -> float:
        """Side of the face in pixels: the median over its frames."""
        return float(np.median((self.boxes[:, 2:] - self.boxes[:, :2]).max(axis=1)))


def track_faces(
    frames: Iterable[Picture], analyser: FaceAnalyser, settings: TrackSettings | None = None
) -> list[Track]:
    """Find and follow all faces of a video (or of one picture: a track of one frame each).

    A cut to another scene ends all tracks; the faces after it get new numbers.

    Args:
        frames: (H, W, 3) RGB uint8 each, read once.
        analyser: the backend.

    Returns:
        The tracks in the order of their numbers; none where there is no face.
    """
    tracker = FaceTracker(analyser, settings)
    for picture, new_scene in scenes(frames):
        tracker.step(picture, new_scene)
    return tracker.finish()


class FaceTracker:
    """Finds and follows faces in frames that come one by one, as `track_faces` does."""

    def __init__(self, analyser: FaceAnalyser, settings: TrackSettings | None = None) -> None:
        self._settings, self._backend = settings or TrackSettings(), analyser.name
        s = self._settings
        self._follower = Follower(analyser, s.detect_every, s.longest_gap, s.keep_mesh, keep_looks=s.keep_looks)

    def step(self, picture: Picture, new_scene: bool = False) -> None:
        """Take the next frame, (H, W, 3) RGB uint8; ``new_scene``: a cut lies before it."""
        self._follower.step(picture, new_scene and self._settings.split_scenes)

    @property
    def present(self) -> list[Face]:
        """The faces of the frame that was taken last, as the backend sees them."""
        return self._follower.present

    def finish(self) -> list[Track]:
        """The tracks in the order of their numbers; no frames come after it."""
        tracks = [_track(trail, self._backend, self._settings) for trail in self._follower.finish()]
        tracks.sort(key=lambda track: (track.start, float(track.boxes[0, 0]), float(track.boxes[0, 1])))
        return [replace(track, number=number) for number, track in enumerate(tracks)]


def _track(trail: Trail, backend: str, settings: TrackSettings) -> Track:
    known = np.array([face is not None for face in trail.faces])
    boxes = _filled([None if face is None else _edges(face.box) for face in trail.faces], known)
    assert boxes is not None  # noqa: S101 (every face has a box; narrows the type)
    sides = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)

    def points(name: str) -> Floats | None:
        values = _filled([None if face is None else getattr(face, name) for face in trail.faces], known)
        return None if values is None else smooth(values, sides, settings.smoothing)

    return Track(
        number=0,
        start=trail.start,
        boxes=smooth_boxes(boxes, settings.box_smoothing),
        landmarks=points("landmarks"),
        scores=np.array([face.score if face else 0.0 for face in trail.faces], np.float32),
        mesh=points("mesh"),
        backend=next((face.backend for face in trail.faces if face), backend),
        five=points("five"),
        looks=trail.looks.result() if trail.looks is not None else None,
    )


def _edges(box: Box) -> Floats:
    return np.array([box.left, box.top, box.right, box.bottom], np.float32)


def _filled(values: list[Floats | None], known: NDArray[np.bool_]) -> Floats | None:
    """(T, ...) with gaps filled; None where any detected face lacks the value."""
    present = [value for value, there in zip(values, known, strict=True) if there]
    if any(value is None for value in present):
        return None
    blank = np.zeros_like(present[0])
    return fill_gaps(np.stack([blank if value is None else value for value in values]), known)
