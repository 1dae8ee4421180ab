"""What drives: the motion of a video, or a saved one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import MediaError
from ..face.crop import Crop
from ..face.track import Track
from ..motion.file import load_motion_file, save_motion
from ..types import Motion
from . import steps
from .cut import CutFrames
from .finder import Finder
from .frames import Frame
from .framing import Size, face_scale
from .model import LoadedModel
from .motions import at_rate, check_motion
from .progress import SILENT, Progress
from .roles import has_frames

if TYPE_CHECKING:
    from ..config.schema import Settings


SEEN = 0.9  # of the frames: a face that is tracked in fewer is worth a note


@dataclass(frozen=True)
class Driven:
    """The motion of a driver; the same for every source.

    Attributes:
        path: of the video, gif, folder, picture or motion file.
        motion: one entry per frame.
        crop: the part of the frames that was looked at; None for a motion file, which has none.
        fps: the rate at which the frames are read; None is their own.
        notes: what the user should know, for example about a truncated tail.
        elapsed_s: how long it took.
        track: the face in the full frames; None where there is none, or no frames.
    """

    path: Path
    motion: Motion
    crop: Crop | None
    fps: Fraction | None
    notes: tuple[str, ...]
    elapsed_s: float
    track: Track | None = None

    def frames(self, size: Size, count: int) -> Iterator[Frame]:
        """``count`` driving frames, read again; the last one is held where there are fewer.

        Args:
            size: (height, width) of what comes out.
        """
        if self.crop is None:
            return
        last: Frame | None = None
        with CutFrames(self.path, self.crop.resized(size), fps=self.fps, frame_limit=count) as frames:
            for last in frames:
                yield last
                count -= 1
        yield from repeat(last, count) if last is not None else ()


def drive(
    model: LoadedModel,
    finder: Finder,
    path: Path,
    settings: Settings,
    progress: Progress = SILENT,
    *,
    fps: Fraction | None = None,
) -> Driven:
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
        return Driven(path, motion, None, fps, notes, time.perf_counter() - start)
    steps.check_drivable(model.driver, path)
    told: list[str] = []
    sight = finder.driving(path, model.driver.size, told.append, fps=fps, progress=progress)
    with CutFrames(path, sight.crop, fps=fps, frame_limit=settings.frame_limit) as frames:
        tracked = progress.track(frames, "drive", frames.reader.frames)
        motion = steps.drive(model.driver, tracked, frames.reader.fps, chunk=settings.batch_size, device=model.device)
    if len(motion) == 0:
        raise MediaError("no frame could be read", where=path)
    notes = (*told, *unseen(path, sight.track, len(motion)), *frames.reader.warnings)
    return Driven(path, motion, sight.crop, fps, notes, time.perf_counter() - start, sight.track)


def unseen(path: Path, track: Track | None, length: int) -> tuple[str, ...]:
    """A note where the face is missing from more than a tenth of the frames: there something else drives."""
    if track is None or len(track) >= SEEN * length:
        return ()
    seen = f"frames {track.start} to {track.frames[-1]} of {length}"
    return (f"{path}: the face is seen in {seen}; what drives elsewhere is no face (--frame_limit ends earlier)",)


def load_driving(
    path: Path, model: LoadedModel, settings: Settings, fps: Fraction | None
) -> tuple[Motion, tuple[str, ...]]:
    """(the motion of a file, on the model's device and at the rate wanted, notes)."""
    saved = load_motion_file(path)
    check_motion(saved.motion, model.renderer, path)
    values = {name: value.to(model.device) for name, value in saved.motion.values.items()}
    motion = at_rate(replace(saved.motion, values=values), fps or saved.motion.fps)
    made = saved.extra.get("face_scale")
    notes = []
    if isinstance(made, int | float) and made != _framing(settings)["face_scale"]:
        notes.append(f"{path}: was made with another --preprocess, so that movements come out larger or smaller")
    return motion[: settings.frame_limit], tuple(notes)


def save_driving(path: Path, driven: Driven, model: LoadedModel, settings: Settings) -> None:
    """Write the motion of a driver, as it is before it is fitted to a source."""
    path.parent.mkdir(parents=True, exist_ok=True)
    extra: dict[str, Any] = {"driving": driven.path.name, "weights": model.weights, **_framing(settings)}
    if driven.crop is not None:
        extra |= {"crop": driven.crop.matrix.tolist(), "crop_size": list(driven.crop.size)}
    save_motion(path, driven.motion, extra)


def _framing(settings: Settings) -> dict[str, Any]:
    """How large faces are in the frames that the model was shown, 0 where all of the picture is."""
    whole = settings.preprocess == "resize" or not settings.if_align
    return {"face_scale": 0 if whole else face_scale(settings.preprocess)}
