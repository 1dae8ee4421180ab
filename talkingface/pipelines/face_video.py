"""``--face3dvis``: the face of the driving video as it was reconstructed, or that a voice moves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import WeightsError
from ..face.crop.crop import Crop
from ..face.crop.framing import face_crop
from ..face.track.track import Track
from ..face3d.reconstruction import FRAME, Reconstructor, open_reconstructor
from ..face3d.surface.preview import FaceDrawer, open_drawer
from ..paths import default_checkpoint_root
from ..types import Motion
from . import steps
from .coefficients import in_crop, with_motion
from .compose import grid
from .cut import CutFrames, picture_size
from .driven import Driven, Recorded
from .frames import Frame, chunked, to_frames
from .motions import ROWS
from .progress import SILENT, Progress
from .scene import Person

if TYPE_CHECKING:
    from ..config.schema import Settings

CHUNK = 16  # frames that are reconstructed at once


def face_video_path(output: Path) -> Path:
    """``result.mp4`` -> ``result_face3d.mp4``, in the same folder."""
    stem = output.stem if output.suffix else output.name
    return output.with_name(f"{stem}_face3d.mp4")


def write_face_video(
    driven: Driven, person: Person, motion: Motion, output: Path, settings: Settings, progress: Progress = SILENT
) -> str:
    """Write a video of the face that drives, as coefficients describe it.

    Args:
        driven: what drives the person.
        person: of the source.
        motion: as it is drawn on the person.
        output: of the animation.

    Returns:
        What the user should know: where it is, or why there is none.
    """
    if isinstance(driven, Recorded):
        return write_watched(driven, output, settings, progress)
    return write_spoken(driven, person, motion, output, settings, progress)


def write_spoken(
    driven: Driven, person: Person, motion: Motion, output: Path, settings: Settings, progress: Progress = SILENT
) -> str:
    """Write the source, and beside it its face as the voice moves it; arguments as for :func:`write_face_video`."""
    assert person.row is not None  # noqa: S101 (a voice goes with a model of coefficients)
    try:
        drawer = open_drawer(motion.space, root=settings.checkpoint_root or default_checkpoint_root())
    except WeightsError as error:
        return f"no face is drawn (--face3dvis): {error}"
    path = face_video_path(output)
    source = to_frames(person.seen.image)[0]
    rows = with_motion(person.row, motion.values[ROWS][:, :70].numpy())
    drawn = (grid([[source, drawer.draw(row, size=len(source))]]) for row in rows)
    steps.write(progress.track(drawn, "face3d", len(rows)), path, fps=driven.rate, quality=settings.quality)
    return f"the face that the voice moves is in {path} (space {motion.space})"


def write_watched(driven: Recorded, output: Path, settings: Settings, progress: Progress = SILENT) -> str:
    """Write the driving video, cut to its face, and beside it the face that its coefficients describe.

    Args:
        driven: read again, so that no frame is kept.
        output: of the animation.

    Returns:
        As :func:`write_face_video`.
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
