"""``--face3dvis``: the face of the driving video as it was reconstructed, beside the video."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import WeightsError
from ..face.crop import Crop
from ..face.face import Box, Face
from ..face.track import Track
from ..face3d.draw_rows import FaceDrawer, open_drawer
from ..face3d.reconstruct import FRAME, Reconstructor, open_reconstructor
from ..paths import default_checkpoint_root
from . import steps
from .compose import grid
from .cut import CutFrames, picture_size
from .driving import Driven
from .frames import Frame, chunked
from .framing import face_crop
from .progress import SILENT, Progress

if TYPE_CHECKING:
    from ..config.schema import Settings

CHUNK = 16  # frames that are reconstructed at once


def face_video_path(output: Path) -> Path:
    """``result.mp4`` -> ``result_face3d.mp4``, in the same folder."""
    stem = output.stem if output.suffix else output.name
    return output.with_name(f"{stem}_face3d.mp4")


def write_face_video(driven: Driven, output: Path, settings: Settings, progress: Progress = SILENT) -> str:
    """Write the driving video, cut to its face, and beside it the face that its coefficients describe.

    Args:
        driven: read again, so that no frame is kept.
        output: of the animation.

    Returns:
        What the user should know: where it is, or why there is none.
    """
    track = driven.track
    if track is None:
        return f"{driven.path}: no face was found in it, so there is none to reconstruct (--face3dvis)"
    reconstructor, drawer = open_space(settings)
    if reconstructor.space == "mesh" and track.mesh is None:
        return f"{driven.path}: '{track.backend}' gives no mesh, so no face is drawn (--landmarks=mesh does)"
    path = face_video_path(output)
    crop = face_crop(track.union, (FRAME, FRAME), picture_size(driven.path))
    with CutFrames(driven.path, crop, fps=driven.fps, frame_limit=len(driven.motion)) as frames:
        counted = progress.track(frames, "face3d", len(driven.motion))
        drawn = draw_faces(counted, track, crop, reconstructor, drawer)
        steps.write(drawn, path, fps=driven.motion.fps, quality=settings.quality)
    return f"the reconstructed face is in {path} ({reconstructor.label})"


def open_space(settings: Settings) -> tuple[Reconstructor, FaceDrawer]:
    """What reconstructs and what draws; the mesh space where the files of the other are not all there."""
    root = settings.checkpoint_root or default_checkpoint_root()
    reconstructor = open_reconstructor("auto", root=root)
    try:
        return reconstructor, open_drawer(reconstructor.space, root=root)
    except WeightsError:
        return open_reconstructor("mesh", root=root), open_drawer("mesh", root=root)


def draw_faces(
    frames: Iterator[Frame], track: Track, crop: Crop, reconstructor: Reconstructor, drawer: FaceDrawer
) -> Iterator[Frame]:
    """Each frame and its reconstructed face side by side; only the frame where the face is not tracked.

    Args:
        frames: cut by `crop`, from the first frame of the video on.
        track: the face, in pixels of the full frames.
    """
    faces = {number: in_crop(track.face(index), crop) for index, number in enumerate(track.frames)}
    reconstructor = reconstructor.for_clip(list(faces.values()), FRAME)
    number = 0
    for batch in chunked(frames, CHUNK):
        seen = [one for one in range(len(batch)) if number + one in faces]
        rows = reconstructor.rows([batch[one] for one in seen], [faces[number + one] for one in seen])
        drawn = dict(zip(seen, rows, strict=True))
        for one, frame in enumerate(batch):
            face = drawer.draw(drawn[one]) if one in drawn else np.zeros_like(frame)
            yield grid([[frame, face]])
        number += len(batch)


def in_crop(face: Face, crop: Crop) -> Face:
    """A face of a picture in the pixels of an upright crop of it."""
    corners = crop.to_crop(np.array([[face.box.left, face.box.top], [face.box.right, face.box.bottom]]))

    def moved(points: np.ndarray | None) -> np.ndarray | None:
        return None if points is None else crop.to_crop(points).astype(np.float32)

    mesh = None
    if face.mesh is not None:
        flat, depth = crop.to_crop(face.mesh[:, :2]), face.mesh[:, 2:] / crop.scale
        mesh = np.concatenate([flat, depth], axis=1).astype(np.float32)
    return Face(Box.around(corners), face.score, moved(face.landmarks), mesh, face.backend, moved(face.five))
