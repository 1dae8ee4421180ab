"""Smoothing of head poses over time."""

from __future__ import annotations

import torch
from torch import Tensor

WINDOW, ORDER = 13, 2


def smooth_poses(poses: Tensor) -> Tensor:
    """Fit a parabola around each frame (Savitzky and Golay, 1964), over 13 frames or, in a shorter clip, what it has.

    Args:
        poses: (T, C).

    Returns:
        (T, C), new memory; the same numbers where fewer than 3 frames leave nothing to fit.
    """
    from scipy.signal import savgol_filter

    window = min(WINDOW, (len(poses) - 1) // 2 * 2 + 1)
    if window <= ORDER:
        return poses.clone()
    smoothed = savgol_filter(poses.cpu().double().numpy(), window, ORDER, axis=0)
    return torch.from_numpy(smoothed).to(poses)
