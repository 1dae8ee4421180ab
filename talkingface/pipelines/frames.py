"""Between the two forms of a picture: uint8 (H, W, 3) outside, float tensors (n, 3, H, W) in [0, 1] inside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

Frame = np.ndarray
Item = TypeVar("Item")


def to_tensor(frames: Sequence[Frame], device: torch.device | str = "cpu") -> Tensor:
    """Stack n pictures, uint8 (H, W, 3), into (n, 3, H, W) float32 in [0, 1] on ``device``."""
    stacked = torch.from_numpy(np.stack(frames)).to(device)
    return stacked.permute(0, 3, 1, 2).float().div_(255).contiguous()


def to_frames(pictures: Tensor) -> Frame:
    """Pictures (n, 3, H, W) in [0, 1] as uint8 (n, H, W, 3), rounded to the nearest; beyond the range is clipped."""
    levels = pictures.detach().float().clamp(0, 1).mul(255).round_().to(torch.uint8)
    return levels.permute(0, 2, 3, 1).contiguous().cpu().numpy()


def chunked(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Lists of ``size`` items in order; the last may be shorter."""
    stream = iter(items)
    while chunk := list(islice(stream, size)):
        yield chunk


def windows(length: int, size: int, radius: int = 0) -> Iterator[tuple[slice, slice]]:
    """Chunks of a clip with the neighbours that each needs.

    Yields:
        (window, keep): the frames to render, up to ``radius`` more than the chunk on each side and clamped at the
        clip's ends, and which of those pictures belong to the chunk.
    """
    for first in range(0, length, size):
        last = min(first + size, length)
        start, stop = max(first - radius, 0), min(last + radius, length)
        yield slice(start, stop), slice(first - start, last - start)
