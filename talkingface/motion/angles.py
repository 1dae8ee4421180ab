"""Head angles that a user gives, spread over a clip."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor


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
