"""Windows of frames around a frame: the input of networks that take past and future frames too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import MotionError

if TYPE_CHECKING:
    from torch import Tensor

Values = TypeVar("Values", "NDArray[Any]", "Tensor")

RADIUS = 13
"""Frames on either side in PIRenderer, SadTalker and StyleHEAT: a window has 27."""


def window_indices(frames: Sequence[int] | NDArray[np.integer], length: int, radius: int = RADIUS) -> NDArray[np.int64]:
    """Numbers of the frames in each window; those before the first or behind the last frame are that frame.

    Args:
        frames: (n,), the middles.
        length: frames of the motion.

    Returns:
        (n, 2 radius + 1).

    Raises:
        MotionError: if a middle is no frame of the motion.
    """
    middles = np.asarray(frames, dtype=np.int64).reshape(-1)
    outside = middles[(middles < 0) | (middles >= length)]
    if len(outside):
        raise MotionError(f"there is no frame {outside[0]} in a motion of {length} frames")
    return np.clip(middles[:, None] + np.arange(-radius, radius + 1), 0, length - 1)


def windows(values: Values, frames: Sequence[int] | NDArray[np.integer] | None = None, radius: int = RADIUS) -> Values:
    """The windows around some frames, as the networks take them: coefficients down, frames across.

    Args:
        values: (T, C), an array or a tensor.
        frames: (n,), the middles; None takes every frame.

    Returns:
        (n, C, 2 radius + 1), new memory of the same type.

    Raises:
        MotionError: if a middle is no frame of the motion.
    """
    middles = np.arange(len(values)) if frames is None else frames
    indices = window_indices(middles, len(values), radius)
    if isinstance(values, np.ndarray):
        return np.ascontiguousarray(values[indices].transpose(0, 2, 1))
    import torch

    return values[torch.from_numpy(indices).to(values.device)].transpose(1, 2).contiguous()
