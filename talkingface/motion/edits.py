"""Edits of coefficient rows: fitting the crop to the source, moving the face alone, tracks made by hand.

The behaviour is StyleHEAT's (Yin et al., ECCV 2022) and PIRenderer's (Ren et al., ICCV 2021).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor

from .columns import ROW_73, Columns


def spread_angles(keys: Sequence[float], frames: int) -> Tensor:
    """Turn from one key angle to the next, at the same speed all the way.

    The numbers are the published ones: every key but the last is met, the last one to within one step.

    Args:
        keys: one or more angles in degrees. One alone stays; equal neighbours count once.
        frames: of the clip.

    Returns:
        (frames,), degrees.

    Raises:
        ValueError: if there is no angle.
    """
    if not keys:
        raise ValueError("no angle is given")
    way = sum(abs(after - before) for before, after in pairwise(keys))
    if way == 0 or frames < 2:
        return torch.full((frames,), float(keys[0]))
    speed = way / (frames - 1)
    legs = [
        np.arange(before, after, speed if after > before else -speed)
        for before, after in pairwise(keys)
        if after != before
    ]
    track = np.concatenate(legs)[:frames]
    return torch.from_numpy(np.pad(track, (0, frames - len(track)), mode="edge")).float()


EXPRESSION_WEIGHT, ANGLE_WEIGHT = 0.3, 0.7

_SIDEWAYS, _NOD, _TILT = math.pi / 10, math.pi / 10, math.pi / 8
_DEPTH = 0.45

HEAD_POSES: Mapping[str, tuple[float, ...]] = MappingProxyType(
    {
        "rotation_center": (0, 0, 0, 0, 0, _DEPTH),
        "rotation_left_x": (0, 0, _SIDEWAYS, 0, 0, _DEPTH),
        "rotation_right_x": (0, 0, -_SIDEWAYS, 0, 0, _DEPTH),
        "rotation_left_y": (_NOD, 0, 0, 0, 0, _DEPTH),
        "rotation_right_y": (-_NOD, 0, 0, 0, 0, _DEPTH),
        "rotation_left_z": (0, _TILT, 0, 0, 0, _DEPTH),
        "rotation_right_z": (0, -_TILT, 0, 0, 0, _DEPTH),
    }
)
"""Three angles and a translation of the space ``"bfm"`` for each pose of the published intuitive edit, by its names."""

ROTATION_ORDER = tuple(
    name for axis in "xyz" for side in ("left", "right") for name in (f"rotation_{side}_{axis}", "rotation_center")
)
EXPRESSION_ORDER = ("center", "mouth", "center", "eyebrow", "center", "eyes", "center")


def nearest_frame(source: Tensor, targets: Tensor, columns: Columns = ROW_73) -> int:
    """The frame of a motion in which the face is most like the source's, its angles counting most.

    Args:
        source: (1, C).
        targets: (T, C).
    """
    expression = (targets[:, columns.expression] - source[:, columns.expression]).abs().mean(1)
    angles = (targets[:, columns.angles] - source[:, columns.angles]).abs().mean(1)
    return int((EXPRESSION_WEIGHT * expression + ANGLE_WEIGHT * angles).argmin())


def crop_scale_ratio(source: Tensor, targets: Tensor, columns: Columns = ROW_73) -> Tensor:
    """How much larger the source is in its crop than the driving face where the two are most alike.

    Args:
        source: (1, C).
        targets: (T, C).

    Returns:
        (1,).
    """
    scale = columns.crop.start
    return source[:, scale] / targets[nearest_frame(source, targets, columns), scale]


def fit_crop_scale(source: Tensor, targets: Tensor, columns: Columns = ROW_73) -> Tensor:
    """The motion with its crop scale times `crop_scale_ratio`, so that another person's face keeps the source's size.

    Returns:
        (T, C), new memory.
    """
    fitted = targets.clone()
    fitted[:, columns.crop.start] *= crop_scale_ratio(source, targets, columns)
    return fitted


def expression_only(source: Tensor, targets: Tensor, columns: Columns = ROW_73) -> Tensor:
    """The driving expression with everything else (angles, translation, crop) as in the source: the head stays still.

    Args:
        source: (C,) or of a shape that broadcasts to the targets'.
        targets: (..., C).

    Returns:
        (..., C), new memory.
    """
    still = source.expand_as(targets).clone()
    still[..., columns.expression] = targets[..., columns.expression]
    return still


def turned(rows: Tensor, asked: Tensor, columns: Columns = ROW_73) -> Tensor:
    """Rows with the user's angles in place of their own.

    Args:
        rows: (T, C).
        asked: (T, 3), yaw, pitch, roll in degrees; NaN where none is asked for.

    Returns:
        (T, C), new memory.
    """
    wanted = torch.deg2rad(asked[:, [1, 0, 2]]).to(rows)
    moved = rows.clone()
    moved[:, columns.angles] = torch.where(wanted.isnan(), rows[:, columns.angles], wanted)
    return moved


def glide(start: Tensor, targets: Iterable[Tensor], frames: int = 10) -> Tensor:
    """Go in a straight line from one row to the next.

    Args:
        start: (C,).
        targets: each (C,), met in the last frame of its leg.
        frames: of each leg; the first of a leg repeats where the one before it ended.

    Returns:
        (legs * frames, C).
    """
    legs, current = [], start
    steps = torch.arange(frames, dtype=start.dtype, device=start.device)[:, None]
    for target in targets:
        legs.append((target - current) * steps / (frames - 1) + current)
        current = legs[-1][-1]
    return torch.cat(legs)


def rotation_track(frames: int = 10, *, dtype: torch.dtype = torch.float32) -> Tensor:
    """The head turned each way and back again, in the space ``"bfm"``.

    Returns:
        (12 * frames, 6): angles and translation.
    """
    poses = {name: torch.tensor(values, dtype=dtype) for name, values in HEAD_POSES.items()}
    return glide(poses["rotation_center"], [poses[name] for name in ROTATION_ORDER], frames)


def expression_track(start: Tensor, expressions: Mapping[str, Tensor], frames: int = 10) -> Tensor:
    """From one expression to another and back again, in the order ``EXPRESSION_ORDER``.

    Args:
        start: (C,), where to begin.
        expressions: ``center``, ``mouth``, ``eyebrow``, ``eyes``, each (C,).

    Returns:
        (7 * frames, C).
    """
    return glide(start, [expressions[name] for name in EXPRESSION_ORDER], frames)
