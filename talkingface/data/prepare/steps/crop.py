"""Step ``crop``: clips of one face each, cut out of a raw video, at one size and frame rate, with sound."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ....errors import DataError, NoFaceError
from ....face.crop.crop import Crop, square_crop
from ....face.face import Box
from ....face.track.segments import CropRules, crops_of, split_track
from ....face.track.track import Track, TrackSettings, track_faces
from ....media.image import Picture
from ....media.video import VideoReader, open_video
from ....media.writer import Writer, open_writer
from ....part_files import sync
from ....paths import inside
from ..items import Video, VideoPart
from ..step import Step, StepResult, TemporaryError
from ..tools import PrepareTools
from .vox import FPS, read_annotation


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


_SAME_FACE = 0.3  # smallest mean overlap (IoU) of a track with the annotated boxes to be the annotated face
_REFUSALS_KEPT = 20


@dataclass(frozen=True)
class CropVideo(Step[Video]):
    """Tracks the faces of a video and writes a clip for each segment in which one stays near its place.

    Attributes:
        clips: output folder, with subfolders ``train`` and ``test``.
        tools: the landmark backend.
        rules: size of the clips, margin around a face, smallest length and size, end of a clip.
        max_frames: longer clips are split.
        fps: frames per second of the clips.
        format: ``".mp4"``, or ``".png"`` for folders of pictures (without sound).
        dataset_version: version of VoxCeleb, for its annotations.
    """

    clips: Path
    tools: PrepareTools
    rules: CropRules
    max_frames: int = 1024
    fps: Fraction = Fraction(25)
    format: Literal[".mp4", ".png"] = ".mp4"
    dataset_version: int = 1

    name = "crop"

    def folder(self) -> Path:
        return self.clips

    def inputs(self, item: Video) -> list[Path]:
        if not item.path.is_file():
            raise TemporaryError("the video is not there", where=item.path)
        return [item.path, *(part.annotation for part in item.parts if part.annotation is not None)]

    def outcome_settings(self) -> dict[str, Any]:
        values = {name: getattr(self, name) for name in ("max_frames", "fps", "format")}
        return {**values, "rules": asdict(self.rules), "backend": self.tools.landmarks, "version": self.dataset_version}

    def check(self) -> None:
        """Open the landmark backend, to raise its errors before the first item."""
        self.tools.analyser()

    def perform(self, item: Video) -> StepResult:
        reader = open_video(item.path, fps=self.fps)
        plan = self._plan(item, reader)
        if not plan.segments:
            raise _no_clip(item, plan)
        written = self._write(item, reader, plan.segments)
        facts = {
            "clips": [{"name": clip.stem if self.format == ".mp4" else clip.name, "frames": n} for clip, n in written],
            "refused": plan.refused[:_REFUSALS_KEPT],
            "warnings": reader.warnings[:5],
        }
        return StepResult([clip for clip, _ in written], facts)

    def target(self, item: Video, name: str) -> Path:
        """File, or folder of pictures, of a clip."""
        ending = self.format if self.format == ".mp4" else ""
        return inside(self.clips, item.split, f"{name}{ending}")

    def _plan(self, item: Video, reader: VideoReader) -> CropPlan:
        plan = CropPlan()
        with reader:
            frames = _Frames(reader)
            for part in sorted(item.parts or [VideoPart(item.name)], key=lambda part: (part.start_s or 0.0, part.name)):
                self._plan_part(part, reader, frames, plan)
            plan.frames = frames.position
        return plan

    def _plan_part(self, part: VideoPart, reader: VideoReader, frames: _Frames, plan: CropPlan) -> None:
        """Add the clips of one part, by its fixed box, its annotation or all detected faces."""
        start, stop = self._frames_of(part, reader)
        picture_size = (reader.height, reader.width)
        if part.box is not None and stop is not None:
            box = _scaled(part.box, part.frame_height, reader.height)
            plan.segments.append(
                Segment(part.name, start, stop, square_crop(box, self.rules.size, picture_size, scale=1))
            )
            return
        settings = TrackSettings(keep_mesh=False)
        tracks = track_faces(frames.between(start, stop), self.tools.analyser(), settings)
        plan.tracks += len(tracks)
        tracks = [replace(track, start=track.start + start) for track in tracks]
        if part.annotation is not None:
            known = read_annotation(part.annotation, self.dataset_version, reader.width, reader.height)
            numbers = np.rint(known.frames * float(self.fps / FPS)).astype(np.int64)
            tracks = [
                track for track in tracks if overlap_with(track, numbers, known.boxes * reader.height) >= _SAME_FACE
            ]
            if not tracks:
                plan.refused.append(f"{part.name} shows no face where the annotation has one")
        segments, refused = segments_of(tracks, part.name, self.rules, self.max_frames, picture_size)
        plan.segments += segments
        plan.refused += refused

    def _frames_of(self, part: VideoPart, reader: VideoReader) -> tuple[int, int | None]:
        """First frame of a part and the one after its last; None for the end of the video."""
        if part.annotation is not None:
            known = read_annotation(part.annotation, self.dataset_version, reader.width, reader.height)
            return int(known.frames.min() * self.fps / FPS), int(known.frames.max() * self.fps / FPS) + 1
        start = round((part.start_s or 0.0) * self.fps)
        return start, None if part.end_s is None else max(start + 1, round(part.end_s * self.fps))

    def _write(self, item: Video, reader: VideoReader, segments: Sequence[Segment]) -> list[tuple[Path, int]]:
        """Write all clips in one pass; returns (path, number of frames) of each."""
        waiting = sorted(segments, key=lambda segment: segment.start)
        running: list[_OpenClip] = []
        written: list[tuple[Path, int]] = []
        with reader, ExitStack() as stack:
            for index, frame in enumerate(islice(reader, max(segment.stop for segment in segments))):
                while waiting and waiting[0].start == index:
                    running.append(self._open(item, waiting.pop(0), stack))
                for clip in running:
                    clip.writer.write(clip.segment.crop.cut(frame))
                written += [clip.finish() for clip in running if clip.segment.stop == index + 1]
                running = [clip for clip in running if clip.segment.stop > index + 1]
            # The video is shorter than the list says: an incomplete clip is kept if it is long enough.
            written += [clip.finish() for clip in running if clip.writer.frames >= self.rules.min_frames]
        if not written:
            raise DataError("the video ends before any of its parts is complete", where=item.path)
        return sorted(written)

    def _open(self, item: Video, segment: Segment, stack: ExitStack) -> _OpenClip:
        writer = open_writer(
            self.target(item, segment.name),
            fps=self.fps,
            audio=item.path if self.format == ".mp4" else None,
            audio_start_s=segment.start / self.fps,
            audio_duration_s=(segment.stop - segment.start) / self.fps,
        )
        clip = _OpenClip(segment, writer)
        stack.callback(clip.abandon)
        return clip


@dataclass
class CropPlan:
    """Clips of a video before they are written.

    Attributes:
        segments: segments to write.
        refused: a sentence about each segment that is left out.
        tracks: number of tracked faces.
        frames: number of frames read.
    """

    segments: list[Segment] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    tracks: int = 0
    frames: int = 0


@dataclass
class _OpenClip:
    """A clip in writing."""

    segment: Segment
    writer: Writer
    finished: bool = False

    def finish(self) -> tuple[Path, int]:
        path = self.writer.finish()
        self.finished = True
        for file in sorted(path.iterdir()) if path.is_dir() else [path]:
            sync(file)
        return path, self.writer.frames

    def abandon(self) -> None:
        if not self.finished:
            self.writer.abort()


class _Frames:
    """Frames of a video for one part after another; decoded once as long as the parts do not overlap.

    Attributes:
        position: number of the next frame.
    """

    def __init__(self, reader: VideoReader) -> None:
        self._reader = reader
        self._running: Iterator[Picture] | None = None
        self.position = 0

    def between(self, start: int, stop: int | None) -> Iterator[Picture]:
        """Yield frames (H, W, 3) from ``start`` up to ``stop`` (not included; None: to the end)."""
        if self._running is None or self.position > start:
            self._running, self.position = iter(self._reader), 0
        for frame in islice(self._running, None if stop is None else stop - self.position):
            self.position += 1
            if self.position > start:
                yield frame


def _no_clip(item: Video, plan: CropPlan) -> DataError | NoFaceError:
    """Error for a video without any clip."""
    if plan.refused:
        shown = "; ".join(plan.refused[:3]) + (f"; and {len(plan.refused) - 3} more" if len(plan.refused) > 3 else "")
        return DataError(f"nothing of it makes a clip: {shown}", where=item.path)
    return NoFaceError(f"no face in {plan.frames} frames", where=item.path)


def _scaled(box: tuple[float, float, float, float], frame_height: int | None, height: int) -> Box:
    """Scale a box of a list, given by pixel borders, to a picture of another height, with pixel centres at integers."""
    factor = height / frame_height if frame_height else 1.0
    left, top, right, bottom = (edge * factor - 0.5 for edge in box)
    return Box(left, top, right, bottom)
