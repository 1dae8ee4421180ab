"""The window of a spectrum that StyleHEAT's audio warper hears for a video frame."""

from __future__ import annotations

import torch
from torch import Tensor

from talkingface.errors import ConfigError

FPS, COLUMNS_PER_SECOND = 25, 80
FRAMES_BEFORE = {80: 12, 48: 7, 32: 4, 16: 2}  # columns of a window -> video frames between its start and its frame


def window_starts(frames: Tensor, columns: int) -> Tensor:
    """First columns of the windows of video frames; windows that would begin before the sound begin with it.

    Args:
        frames: integers, any shape.
        columns: of a window.

    Raises:
        ConfigError: if no window of that length is known.
    """
    if columns not in FRAMES_BEFORE:
        raise ConfigError(f"a window of {columns} columns", cure=f"Take one of {sorted(FRAMES_BEFORE)}.")
    return (frames - FRAMES_BEFORE[columns]).clamp(min=0) * COLUMNS_PER_SECOND // FPS


def audio_windows(spectrum: Tensor, frames: Tensor, columns: int = 32) -> Tensor:
    """Windows of video frames at 25 frames per second.

    Args:
        spectrum: (length, bands), 80 columns per second.
        frames: (N,), integers.

    Returns:
        (N, bands, columns). Behind the end of the sound its last column is repeated.
    """
    places = window_starts(frames, columns)[:, None] + torch.arange(columns, device=frames.device)
    return spectrum[places.clamp(max=len(spectrum) - 1)].transpose(1, 2)
