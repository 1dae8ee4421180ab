"""Motion made by hand: head angles spread over a clip, and the tracks of StyleHEAT's intuitive edit.

The numbers are those of StyleHEAT (Yin et al., ECCV 2022).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor


def spread_angles(keys: Sequence[float], frames: int) -> Tensor:
    """Head angles that go from one key angle to the next, at the same speed all the way.

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
    distance = sum(abs(after - before) for before, after in pairwise(keys))
    if distance == 0 or frames < 2:
        return torch.full((frames,), float(keys[0]))
    speed = distance / (frames - 1)
    legs = [
        np.arange(before, after, speed if after > before else -speed)
        for before, after in pairwise(keys)
        if after != before
    ]
    track = np.concatenate(legs)[:frames]
    return torch.from_numpy(np.pad(track, (0, frames - len(track)), mode="edge")).float()


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


def glide(start: Tensor, targets: Iterable[Tensor], frames: int = 10) -> Tensor:
    """Rows on straight lines from one target to the next.

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
    """Head poses that turn each way and back again, in the space ``"bfm"``.

    Args:
        frames: of each turn.

    Returns:
        (12 * frames, 6): pitch, yaw, roll in radians and translation.
    """
    poses = {name: torch.tensor(values, dtype=dtype) for name, values in HEAD_POSES.items()}
    return glide(poses["rotation_center"], [poses[name] for name in ROTATION_ORDER], frames)


def expression_track(start: Tensor, expressions: Mapping[str, Tensor], frames: int = 10) -> Tensor:
    """Expressions that go from one to the next and back again, in the order ``EXPRESSION_ORDER``.

    Args:
        start: (C,), where to begin.
        expressions: ``center``, ``mouth``, ``eyebrow``, ``eyes``, each (C,).
        frames: from one to the next.

    Returns:
        (7 * frames, C).
    """
    return glide(start, [expressions[name] for name in EXPRESSION_ORDER], frames)
