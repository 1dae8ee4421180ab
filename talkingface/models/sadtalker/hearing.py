"""Mel windows of a training batch, from the sound that the data hands out."""

from __future__ import annotations

import torch
from torch import Tensor

from ..samples import Sound
from .mel import mel_windows

MARGIN = 3
"""Moments of sound before and behind those that are heard: a window reaches 0.11 s back and 0.15 s ahead."""


def sound_of(around: str, first: int, moments: int) -> Sound:
    """The sound that the windows of some moments are made of.

    Args:
        around: as `Sound.around`.
        first: of the moments.
        moments: how many.
    """
    return Sound(around, first - MARGIN, first + moments + MARGIN)


def heard(sound: Tensor, moments: int) -> Tensor:
    """(N, moments, 80, 16): the windows of sounds (N, samples) that `sound_of` asked for."""
    return torch.stack([mel_windows(wave, MARGIN, MARGIN + moments)[:, 0] for wave in sound])
