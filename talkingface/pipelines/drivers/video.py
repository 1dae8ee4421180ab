"""Driver of videos, gifs, folders of frames and pictures: the motion that is read off the frames."""

from __future__ import annotations

import time
from dataclasses import replace
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import MediaError, MotionError
from ...face.track.track import Track
from ..plan.options import VideoOptions
from ..progress import SILENT, Progress
from ..read import coefficient_cache
from ..read.crops import Cropper
from ..read.motion_reader import MotionReader
from .base import Driver, DriverContext, DriverKey, DrivingMotion, RecordedDriver

FOLLOWED = 0.9  # of the frames: a face that is tracked in fewer is worth a note
PIECES = 8  # that a note names
ZOOM = 1.25  # change of a face's side from one frame to the next that only a cut makes
_PACKAGES = ("torch", "numpy", "pillow")


class VideoDriver(RecordedDriver):
    """Motion read off driving frames."""

    @classmethod
    def open(cls, key: DriverKey, context: DriverContext, fps: Fraction | None) -> Driver:
        began = time.perf_counter()
        wanted = replace(context.video, fps=fps)
        driving = read_driving_video(context.model.reader, context.cropper, key.path, wanted, context.progress)
        return cls(key, driving, time.perf_counter() - began)


def read_driving_video(
    reader: MotionReader, cropper: Cropper, path: Path, options: VideoOptions, progress: Progress = SILENT
) -> DrivingMotion:
    """Read the motion of a driving video, or take what an earlier run kept of it.

    Args:
        path: video, gif, folder of frames or picture.
        options: rate and length; whether to read it anew, and to keep the whole track of the face.

    Raises:
        FaceError: no face where one is needed, or too little of it can be seen.
        MediaError: it cannot be read.
        ConfigError: the model takes no such file.
    """
    kept = _place(reader, cropper, path, options)
    notes: list[str] = []
    driving = None if kept is None or options.read_anew else _load(kept, path, notes)
    if driving is not None:
        progress.note(f"{path}: coefficients as found in an earlier run (--if_extract finds them anew)")
        return replace(driving, fps=options.fps)
    driving = _read(reader, cropper, path, options, progress)
    if kept is not None:
        try:
            coefficient_cache.keep(kept, path, driving)
        except (MotionError, OSError) as error:
            notes.append(f"the coefficients of {path} could not be kept for the next run: {error}")
        if not options.keep_track:  # large with its meshes
            driving = replace(driving, track=None)
    return replace(driving, notes=(*driving.notes, *notes))


def _read(
    reader: MotionReader, cropper: Cropper, path: Path, options: VideoOptions, progress: Progress
) -> DrivingMotion:
    """Find the face in a video and read its motion, with notes where it is missing from many frames."""
    reader.check_file(path)
    notes: list[str] = []
    clock: dict[str, Any] = {"fps": options.fps, "progress": progress}
    view = cropper.driving(path, reader.size, notes.append, limit=options.frame_limit, **clock)
    limits: dict[str, Any] = {"frame_limit": options.frame_limit, "chunk": options.chunk}
    motion, warnings = reader.read_video(path, view.crop, view.track, **clock, **limits)
    found: dict[str, Any] = {"crop": view.crop, "fps": options.fps, "track": view.track}
    if view.track is not None:
        notes += missing_face(path, view.track, len(motion))
        notes += () if reader.needs_face else zooming_cuts(path, view.track)
        first = int(view.track.followed[0])
        found |= {"face": view.track.face(first - view.track.start), "start": first}
    return DrivingMotion(path, motion, (*notes, *warnings), **found)


def missing_face(path: Path, track: Track, length: int) -> tuple[str, ...]:
    """Note where the face is missing from more than a tenth of the frames, and in which pieces it is seen.

    Args:
        length: frames of the video.
    """
    pieces = [f"{piece.start} to {piece[-1]}" for piece in track.pieces]
    if len(track.followed) >= FOLLOWED * length and len(pieces) == 1:
        return ()
    shown = ", ".join(pieces[:PIECES]) + (f" and {len(pieces) - PIECES} more pieces" if len(pieces) > PIECES else "")
    ends = " (--frame_limit ends earlier)" if track.frames.stop < length else ""
    return (f"{path}: the face is seen in frames {shown} of {length}; elsewhere its nearest pose is held{ends}",)


def zooming_cuts(path: Path, track: Track) -> tuple[str, ...]:
    """Note the cuts at which the face changes its size, as keypoints grow and shrink with it.

    Coefficients do not: they are read off faces that are brought to one size.
    """
    frames = track.followed
    sides = np.sqrt(np.prod(track.boxes[frames - track.start, 2:] - track.boxes[frames - track.start, :2], axis=1))
    steps = sides[1:] / np.maximum(sides[:-1], 1e-6)
    cuts = np.flatnonzero(np.maximum(steps, 1 / np.maximum(steps, 1e-6)) > ZOOM)
    if not len(cuts):
        return ()
    shown = ", ".join(f"{frames[cut + 1]} ({steps[cut]:.2g} times)" for cut in cuts[:PIECES])
    more = f" and {len(cuts) - PIECES} more" if len(cuts) > PIECES else ""
    what = "the face changes its size at once in frames"
    return (f"{path}: {what} {shown}{more}, and its movements with it; drive with one piece of the video alone",)


def _place(reader: MotionReader, cropper: Cropper, path: Path, options: VideoOptions) -> Path | None:
    """File in which an earlier run kept the motion; None for readers whose motions are not kept."""
    fingerprint = reader.fingerprint()
    if fingerprint is None:
        return None
    clock = {"fps": None if options.fps is None else str(options.fps), "limit": options.frame_limit}
    packages = {name: version(name) for name in _PACKAGES}
    facts = {**cropper.facts(), **clock, "reader": fingerprint, "packages": packages}
    try:
        return coefficient_cache.place(path, facts)
    except OSError as error:
        raise MediaError(f"cannot be read: {error.strerror or error}", where=path) from error


def _load(kept: Path, path: Path, notes: list[str]) -> DrivingMotion | None:
    try:
        return coefficient_cache.load(kept, path)
    except (MotionError, OSError) as error:
        notes.append(f"kept coefficients cannot be used, they are found anew: {error}")
        return None
