"""Motions that come from elsewhere: do they fit, and how they are brought to a rate and a length."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import torch

from ..errors import MotionError
from ..models.base import Renderer
from ..types import Motion


def check_motion(motion: Motion, renderer: Renderer, where: object) -> None:
    """Refuse a motion that the renderer cannot draw.

    Raises:
        MotionError: it is of another kind, or its numbers mean something else.
    """
    if motion.kind != renderer.takes:
        raise MotionError(
            f"holds a motion of kind '{motion.kind}', and this model draws '{renderer.takes}'",
            where=where,
            cure="Choose the --model and --checkpoint that it was made with.",
        )
    if motion.space != renderer.space:
        raise MotionError(
            f"its numbers are of the space '{motion.space}', and these weights draw '{renderer.space}'",
            where=where,
            cure="Choose the --checkpoint that it was made with, or make it again from the video.",
        )


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


def at_rate(motion: Motion, fps: Fraction) -> Motion:
    """A motion at another rate; each frame is the one shown at its time, as when videos are resampled."""
    if fps == motion.fps:
        return motion
    count = max(1, round(len(motion) * fps / motion.fps))
    frames = [min(round(frame * motion.fps / fps), len(motion) - 1) for frame in range(count)]
    values = {name: value[torch.tensor(frames, device=value.device)] for name, value in motion.values.items()}
    return replace(motion, fps=fps, values=values)


def held(motion: Motion, length: int) -> Motion:
    """A motion of ``length`` frames: the last one is held where there are fewer."""
    if length <= len(motion):
        return motion[:length]
    values = {
        name: torch.cat([value, value[-1:].expand(length - len(motion), *value.shape[1:])])
        for name, value in motion.values.items()
    }
    return replace(motion, values=values)
