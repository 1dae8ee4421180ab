"""Driver of saved motions."""

from __future__ import annotations

import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from ...motion.file import load_motion_file
from ...motion.kinds import of_coefficients
from ...types import Motion
from ..model import LoadedModel
from ..motions import at_rate, check_motion, check_rows
from ..plan.options import VideoOptions
from .base import Driver, DriverContext, DriverKey, DrivingMotion, RecordedDriver


class MotionFileDriver(RecordedDriver):
    """Motion of a ``.motion`` or ``.npy`` file."""

    @classmethod
    def open(cls, key: DriverKey, context: DriverContext, fps: Fraction | None) -> Driver:
        began = time.perf_counter()
        options = replace(context.video, fps=fps)
        motion, notes = read_motion_file(key.path, context.model, options)
        return cls(key, DrivingMotion(key.path, motion, notes, fps=options.fps), time.perf_counter() - began)


def read_motion_file(path: Path, model: LoadedModel, options: VideoOptions) -> tuple[Motion, tuple[str, ...]]:
    """Read a motion that the model can draw, at the rate and length wanted.

    Returns:
        (the motion: coefficients on the CPU, others on the model's device; notes).

    Raises:
        MotionError: it is damaged, or of another kind or space.
    """
    saved = load_motion_file(path)
    motion = saved.motion
    check_motion(motion, model.renderer, path)
    if of_coefficients(motion.kind):
        check_rows(motion, path)
    else:
        motion = replace(motion, values={name: value.to(model.device) for name, value in motion.values.items()})
    scale = saved.extra.get("face_scale")
    notes = []
    if isinstance(scale, int | float) and scale != options.face_scale:
        notes.append(f"{path}: was made with another --preprocess, so that movements come out larger or smaller")
    return at_rate(motion, options.fps or motion.fps)[: options.frame_limit], tuple(notes)
