"""Video of the face that drives (``--face3dvis``): reconstructed from the driving video, or moved by a voice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ...errors import WeightsError
from ...face.crop.crop import Crop
from ...face.crop.framing import face_crop
from ...face.track.track import Track
from ...face3d.reconstruction import FRAME, Reconstructor, open_reconstructor
from ...face3d.surface.preview import FaceDrawer, open_drawer
from ...types import Motion
from ..drivers import DrivingMotion
from ..frames import Frame, chunked, to_frames
from ..motions import ROWS
from ..plan.finished import face_video_path
from ..progress import SILENT, Progress
from ..read.coefficients import in_crop, with_motion
from ..read.source import Person
from ..read.video import CutFrames, picture_size
from .compose import grid
from .render import PersonMotion, write

CHUNK = 16  # frames that are reconstructed at once


def write_face_video(
    person: Person,
    moving: PersonMotion,
    output: Path,
    *,
    root: Path,
    quality: str = "high",
    progress: Progress = SILENT,
) -> str:
    """Write a video of the face that drives, as coefficients describe it.

    Args:
        person: of the source.
        moving: its motion, as it is drawn.
        output: of the animation.
        root: folder of the weights that the user adds.

    Returns:
        What the user should know: where the video is, or why there is none.
    """
    path = face_video_path(output)
    drawn = _made(person, moving.motion, root) if moving.driving.for_source else _seen(moving.driving, root)
    if isinstance(drawn, str):
        return drawn
    frames, label = drawn
    count = len(moving.driving.motion)
    write(progress.track(frames, "face3d", count), path, fps=moving.driving.motion.fps, quality=quality)
    return label.format(path=path)


def _made(person: Person, motion: Motion, root: Path) -> tuple[Iterator[Frame], str] | str:
    """(the source and beside it its face as a voice moves it, note); or why there are none."""
    if person.row is None:
        return "no face is drawn (--face3dvis): the model takes no face coefficients"
    try:
        drawer = open_drawer(motion.space, root=root)
    except WeightsError as error:
        return f"no face is drawn (--face3dvis): {error}"
    source = to_frames(person.read.image)[0]
    rows = with_motion(person.row, motion.values[ROWS][:, :70].numpy())
    drawn = (grid([[source, drawer.draw(row, size=len(source))]]) for row in rows)
    return drawn, f"the face that the voice moves is in {{path}} (space {motion.space})"


def _seen(driving: DrivingMotion, root: Path) -> tuple[Iterator[Frame], str] | str:
    """(the driving video, cut to its face, and beside it the reconstructed face, note); or why there are none."""
    track = driving.track
    if track is None:
        return f"{driving.path}: no face was found in it, so there is none to reconstruct (--face3dvis)"
    reconstructor, drawer = open_space(root)
    if reconstructor.space == "mesh" and track.mesh is None:
        return f"{driving.path}: '{track.backend}' gives no mesh, so no face is drawn (--landmarks=mesh does)"
    crop = face_crop(track.union, (FRAME, FRAME), picture_size(driving.path))
    return _watched(driving, track, crop, reconstructor, drawer), (
        f"the reconstructed face is in {{path}} ({reconstructor.label})"
    )


def _watched(
    driving: DrivingMotion, track: Track, crop: Crop, reconstructor: Reconstructor, drawer: FaceDrawer
) -> Iterator[Frame]:
    """Driving frames beside their faces, read again so that no frame is kept."""
    with CutFrames(driving.path, crop, fps=driving.fps, frame_limit=len(driving.motion)) as frames:
        yield from draw_faces(iter(frames), track, crop, reconstructor, drawer)


def open_space(root: Path) -> tuple[Reconstructor, FaceDrawer]:
    """Open what reconstructs and what draws; the mesh space where the files of the other are not all there."""
    reconstructor = open_reconstructor("auto", root=root)
    try:
        return reconstructor, open_drawer(reconstructor.space, root=root)
    except WeightsError:
        return open_reconstructor("mesh", root=root), open_drawer("mesh", root=root)


def draw_faces(
    frames: Iterator[Frame], track: Track, crop: Crop, reconstructor: Reconstructor, drawer: FaceDrawer
) -> Iterator[Frame]:
    """Draw each frame and its reconstructed face side by side; the frame alone where the face is not tracked.

    Args:
        frames: cut by `crop`, from the first frame of the video on.
        track: the face, in pixels of the full frames.
    """
    faces = {number: in_crop(track.face(number - track.start), crop) for number in track.followed.tolist()}
    reconstructor = reconstructor.for_clip(list(faces.values()), FRAME)
    number = 0
    for batch in chunked(frames, CHUNK):
        tracked = [index for index in range(len(batch)) if number + index in faces]
        rows = reconstructor.rows([batch[index] for index in tracked], [faces[number + index] for index in tracked])
        row_of = dict(zip(tracked, rows, strict=True))
        for index, frame in enumerate(batch):
            face = drawer.draw(row_of[index]) if index in row_of else np.zeros_like(frame)
            yield grid([[frame, face]])
        number += len(batch)
