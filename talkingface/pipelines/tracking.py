"""The faces of a video, followed in frames of moderate size."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from ..face.crop.framing import Size
from ..face.detect.analyser import FaceAnalyser
from ..face.track.track import Track, TrackSettings, track_faces
from ..media.video import open_video
from .progress import SILENT, Progress

TRACKED_SIDE = 960  # pixels: the longer side of the frames in which faces are tracked


def track_video(
    path: Path,
    size: Size,
    analyser: FaceAnalyser,
    settings: TrackSettings,
    *,
    fps: Fraction | None = None,
    frame_limit: int | None = None,
    count: int | None = None,
    progress: Progress = SILENT,
) -> list[Track]:
    """All tracks of a video, in pixels of its full frames; it is decoded once, and no frame is kept.

    Args:
        path: video, gif, folder of frames or picture.
        size: (height, width) of its frames.
        fps, frame_limit: as for :func:`talkingface.media.video.open_video`.
        count: how many frames there will be, where that is known better than by the file.
    """
    factor = min(1.0, TRACKED_SIDE / max(size))
    small = max(1, round(size[0] * factor)), max(1, round(size[1] * factor))
    with open_video(path, fps=fps, frame_limit=frame_limit, size=small) as reader:
        frames = progress.track(reader, "faces", reader.frames if count is None else count)
        tracks = track_faces(frames, analyser, settings)
    return [enlarged(track, size[1] / small[1], size[0] / small[0]) for track in tracks]


def enlarged(track: Track, x: float, y: float) -> Track:
    """A track in a video that is so many times larger."""
    scale, shift = np.array([x, y], np.float32), np.array([(x - 1) / 2, (y - 1) / 2], np.float32)

    def moved(points: np.ndarray | None) -> np.ndarray | None:
        if points is None:
            return None
        larger = points * scale
        larger += shift
        return larger

    boxes = (track.boxes.reshape(-1, 2, 2) * scale + shift).reshape(-1, 4)
    mesh = None
    if track.mesh is not None:
        mesh = track.mesh * np.append(scale, scale.mean())
        mesh += np.append(shift, np.float32(0))
    return replace(track, boxes=boxes, landmarks=moved(track.landmarks), five=moved(track.five), mesh=mesh)
