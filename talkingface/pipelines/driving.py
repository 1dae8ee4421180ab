"""What drives: the motion of a video, or a saved one."""

from __future__ import annotations

import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import MediaError
from ..face.crop.framing import face_scale
from ..motion.file import load_motion_file, save_motion
from ..types import Motion
from . import steps
from .cut import CutFrames
from .driven import Driven, Recorded
from .extraction import extract
from .finder import Finder
from .model import LoadedModel
from .motions import at_rate, check_motion, check_rows, of_coefficients
from .progress import SILENT, Progress
from .roles import has_frames
from .sighting import Sighting, sighted

if TYPE_CHECKING:
    from ..config.schema import Settings


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
        found = Sighting(*load_driving(path, model, settings, fps))
    elif model.reader is not None:
        found = extract(model.reader, finder, path, settings, progress, fps=fps, limit=settings.frame_limit)
    else:
        found = watch(model, finder, path, settings, progress, fps=fps)
    return Recorded(
        path=path,
        motion=found.motion,
        crop=found.crop,
        fps=fps,
        notes=found.notes,
        elapsed_s=time.perf_counter() - start,
        face=found.face,
        start=found.start,
        track=found.track,
    )


def watch(
    model: LoadedModel, finder: Finder, path: Path, settings: Settings, progress: Progress, *, fps: Fraction | None
) -> Sighting:
    """What the model's own driver sees in a video."""
    assert model.driver is not None  # noqa: S101 (without one there is a reader; narrows the type)
    steps.check_drivable(model.driver, path)
    told: list[str] = []
    limit = settings.frame_limit
    sight = finder.driving(path, model.driver.size, told.append, fps=fps, limit=limit, progress=progress)
    with CutFrames(path, sight.crop, fps=fps, frame_limit=limit) as frames:
        tracked = progress.track(frames, "drive", frames.reader.frames)
        motion = steps.drive(model.driver, tracked, frames.reader.fps, chunk=settings.batch_size, device=model.device)
    if len(motion) == 0:
        raise MediaError("no frame could be read", where=path)
    return sighted(path, motion, sight.crop, sight.track, told, tuple(frames.reader.warnings))


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
