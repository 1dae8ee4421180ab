"""What drives: the motion of a video, or a saved one."""

from __future__ import annotations

import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import MediaError
from ..face.track import Track
from ..motion.file import load_motion_file, save_motion
from ..types import Motion
from . import steps
from .coefficients import LOOKED_AT, CoefficientReader
from .cut import CutFrames
from .driven import Driven, Recorded
from .finder import Finder, Sight
from .framing import face_scale
from .model import LoadedModel
from .motions import at_rate, check_motion, check_rows, of_coefficients
from .progress import SILENT, Progress
from .roles import has_frames

if TYPE_CHECKING:
    from ..config.schema import Settings


SEEN = 0.9  # of the frames: a face that is tracked in fewer is worth a note


def drive(
    model: LoadedModel,
    finder: Finder,
    path: Path,
    settings: Settings,
    progress: Progress = SILENT,
    *,
    fps: Fraction | None = None,
) -> Recorded:
    """The motion of a driving video, gif, folder of frames or picture, or of a motion file.

    Args:
        fps: the rate wanted; None is that of ``--fps``, or the file's own.

    Raises:
        FaceError, MediaError, MotionError, ConfigError: it cannot drive this model.
    """
    start = time.perf_counter()
    fps = fps or settings.fps
    if not has_frames(path):
        motion, notes = load_driving(path, model, settings, fps)
        return Recorded(path=path, motion=motion, fps=fps, notes=notes, elapsed_s=time.perf_counter() - start)
    told: list[str] = []
    if model.driver is not None:
        steps.check_drivable(model.driver, path)
    size = LOOKED_AT if model.driver is None else model.driver.size
    sight = finder.driving(path, size, told.append, fps=fps, progress=progress)
    if model.reader is not None:
        motion, warnings = read_motion(model.reader, path, sight, settings, progress, fps=fps)
    else:
        motion, warnings = watch(model, path, sight, settings, progress, fps=fps)
    return Recorded(
        path=path,
        motion=motion,
        crop=sight.crop,
        fps=fps,
        notes=(*told, *unseen(path, sight.track, len(motion), held=model.reader is not None), *warnings),
        elapsed_s=time.perf_counter() - start,
        track=sight.track,
    )


def watch(
    model: LoadedModel, path: Path, sight: Sight, settings: Settings, progress: Progress, *, fps: Fraction | None
) -> tuple[Motion, tuple[str, ...]]:
    """(what the model's own driver sees in a video, warnings about the video)."""
    assert model.driver is not None  # noqa: S101 (the caller asked; narrows the type)
    with CutFrames(path, sight.crop, fps=fps, frame_limit=settings.frame_limit) as frames:
        tracked = progress.track(frames, "drive", frames.reader.frames)
        motion = steps.drive(model.driver, tracked, frames.reader.fps, chunk=settings.batch_size, device=model.device)
    if len(motion) == 0:
        raise MediaError("no frame could be read", where=path)
    return motion, tuple(frames.reader.warnings)


def read_motion(
    reader: CoefficientReader,
    path: Path,
    sight: Sight,
    settings: Settings,
    progress: Progress,
    *,
    fps: Fraction | None,
) -> tuple[Motion, tuple[str, ...]]:
    """(the coefficients of a video, of kind ``"3dmm.73"``, warnings about the video)."""
    assert sight.track is not None  # noqa: S101 (a finder for coefficients gives one, or raises)
    limit = settings.frame_limit
    read = reader.of_video(path, sight.crop, sight.track, fps=fps, frame_limit=limit, progress=progress)
    return read.motion(reader.space), read.warnings


def unseen(path: Path, track: Track | None, length: int, *, held: bool = False) -> tuple[str, ...]:
    """A note where the face is missing from more than a tenth of the frames.

    Args:
        held: whether its last place is held there; otherwise something else drives.
    """
    if track is None or len(track) >= SEEN * length:
        return ()
    seen = f"frames {track.start} to {track.frames[-1]} of {length}"
    elsewhere = "elsewhere its nearest pose is held" if held else "what drives elsewhere is no face"
    return (f"{path}: the face is seen in {seen}; {elsewhere} (--frame_limit ends earlier)",)


def load_driving(
    path: Path, model: LoadedModel, settings: Settings, fps: Fraction | None
) -> tuple[Motion, tuple[str, ...]]:
    """(the motion of a file, at the rate wanted, notes); coefficients on the CPU, others on the model's device."""
    saved = load_motion_file(path)
    check_motion(saved.motion, model.renderer, path)
    motion = saved.motion
    if of_coefficients(motion.kind):
        check_rows(motion, path)
    else:
        motion = replace(motion, values={name: value.to(model.device) for name, value in motion.values.items()})
    made = saved.extra.get("face_scale")
    notes = []
    if isinstance(made, int | float) and made != _framing(settings)["face_scale"]:
        notes.append(f"{path}: was made with another --preprocess, so that movements come out larger or smaller")
    return at_rate(motion, fps or motion.fps)[: settings.frame_limit], tuple(notes)


def save_driving(path: Path, driven: Driven, motion: Motion, model: LoadedModel, settings: Settings) -> None:
    """Write the motion of a driver, as it is before it is fitted to a source."""
    path.parent.mkdir(parents=True, exist_ok=True)
    extra: dict[str, Any] = {"driving": driven.path.name, "weights": model.weights, **_framing(settings)}
    if isinstance(driven, Recorded) and driven.crop is not None:
        extra |= {"crop": driven.crop.matrix.tolist(), "crop_size": list(driven.crop.size)}
    save_motion(path, motion, extra)


def _framing(settings: Settings) -> dict[str, Any]:
    """How large faces are in the frames that the model was shown, 0 where all of the picture is."""
    whole = settings.preprocess == "resize" or not settings.if_align
    return {"face_scale": 0 if whole else face_scale(settings.preprocess)}
