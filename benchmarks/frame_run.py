"""Frames that were drawn in one way, and the time that it took."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Run:
    """Frames (T, 3, H, W), and the wall and processor seconds (all threads) of each, or of all where that is said."""

    frames: Tensor
    wall_s: float
    processor_s: float


@torch.inference_mode()
def measure(way: Callable[[], Tensor]) -> Run:
    """Run once and take the time of a frame."""
    wall, processor = time.perf_counter(), time.process_time()
    frames = way()
    count = len(frames)
    return Run(frames, (time.perf_counter() - wall) / count, (time.process_time() - processor) / count)


def faster(one: Run, other: Run) -> Run:
    """The shorter times of two runs of the same way."""
    return Run(one.frames, min(one.wall_s, other.wall_s), min(one.processor_s, other.processor_s))
