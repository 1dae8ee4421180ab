"""Motions from drivers: whether they fit a renderer, and bringing them to a rate and a length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import torch
from torch import Tensor

from ..errors import MotionError
from ..models.base import Renderer
from ..motion.kinds import check_drawn, of_coefficients
from ..motion.tracks import spread_angles
from ..types import Motion

ROWS = "coefficients"
"""Name of the one value of a motion of coefficients."""


def check_motion(motion: Motion, renderer: Renderer, where: object) -> None:
    """Refuse a motion that the renderer cannot draw; errors as :func:`~talkingface.motion.kinds.check_drawn`."""
    check_drawn(motion.kind, motion.space, renderer.takes, renderer.space, where)


def check_layout(motion: Motion, own: Motion, where: object) -> None:
    """Refuse a motion whose values are not laid out as the model's own.

    Args:
        own: a motion that the model's driver made.

    Raises:
        MotionError: names or shapes differ.
    """
    found, wanted = ({name: tuple(value.shape[1:]) for name, value in some.values.items()} for some in (motion, own))
    if found != wanted:
        raise MotionError(f"holds {found} for each frame, and this model wants {wanted}", where=where)


def check_rows(motion: Motion, where: object) -> None:
    """Refuse a motion of coefficients whose rows have another width than its kind says.

    Raises:
        MotionError: it does not hold rows as wide as its kind says.
    """
    found = {name: tuple(value.shape[1:]) for name, value in motion.values.items() if name != "angles"}
    wanted = {ROWS: (int(motion.kind.rpartition(".")[2]),)}
    if found != wanted:
        raise MotionError(f"holds {found} for each frame, and '{motion.kind}' has {wanted}", where=where)


def as_taken(motion: Motion, takes: str) -> Motion:
    """Drop the crop columns of coefficients where a renderer takes ``"3dmm.70"``."""
    if not (motion.kind == "3dmm.73" and takes == "3dmm.70"):
        return motion
    return replace(motion, kind=takes, values={**motion.values, ROWS: motion.values[ROWS][:, :70]})


def at_rate(motion: Motion, fps: Fraction) -> Motion:
    """Resample a motion to another rate.

    Coefficients go in a straight line from frame to frame. Of other kinds each frame is the one shown at its time, as
    when videos are resampled.
    """
    if fps == motion.fps:
        return motion
    count = max(1, round(len(motion) * fps / motion.fps))
    moved = _between if of_coefficients(motion.kind) else _nearest
    values = {name: moved(value, count, motion.fps / fps) for name, value in motion.values.items()}
    return replace(motion, fps=fps, values=values)


def _nearest(value: Tensor, count: int, step: Fraction) -> Tensor:
    frames = [min(round(frame * step), len(value) - 1) for frame in range(count)]
    return value[torch.tensor(frames, device=value.device)]


def _between(value: Tensor, count: int, step: Fraction) -> Tensor:
    """Interpolate values (T, ...) at whole multiples of a step, in frames; exact, so that an hour does not drift."""
    whole, rest = np.divmod(np.arange(count, dtype=np.int64) * step.numerator, step.denominator)
    before = torch.from_numpy(np.minimum(whole, len(value) - 1)).to(value.device)
    after = (before + 1).clamp(max=len(value) - 1)
    share = torch.from_numpy((rest / step.denominator).astype(np.float32)).to(value.device)
    return torch.lerp(value[before], value[after], share.view(-1, *[1] * (value.dim() - 1)))


def with_angles(motion: Motion, yaw: Sequence[float], pitch: Sequence[float], roll: Sequence[float]) -> Motion:
    """Add the head angles that the user asks for, spread over the frames of a motion.

    Args:
        yaw, pitch, roll: key angles in degrees; empty: as the motion has it.
    """
    if not (yaw or pitch or roll):
        return motion
    unasked = torch.full((len(motion),), torch.nan)
    columns = [spread_angles(keys, len(motion)) if keys else unasked for keys in (yaw, pitch, roll)]
    return replace(motion, values={**motion.values, "angles": torch.stack(columns, dim=1)})


def held(motion: Motion, length: int) -> Motion:
    """Extend a motion to ``length`` frames, holding its last one, or cut it to them."""
    if length <= len(motion):
        return motion[:length]
    values = {
        name: torch.cat([value, value[-1:].expand(length - len(motion), *value.shape[1:])])
        for name, value in motion.values.items()
    }
    return replace(motion, values=values)
