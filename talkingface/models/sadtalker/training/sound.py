"""Mel windows of a training batch, and random changes of them: other voices and pauses."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ...samples import AudioWindow
from ..voice.mel import BANDS, mel_windows

MARGIN = 3
"""Moments of sound before and behind those of the windows: a window reaches 0.11 s back and 0.15 s ahead."""


def sound_of(around: str, first: int, moments: int) -> AudioWindow:
    """Part of an item with the sound of the windows of some moments.

    Args:
        around: as `AudioWindow.around`.
        first: of the moments.
        moments: their number.
    """
    return AudioWindow(around, first - MARGIN, first + moments + MARGIN)


def windows_of(sound: Tensor, moments: int) -> Tensor:
    """Mel windows (N, moments, 80, 16) of sounds (N, samples) that `sound_of` asked for."""
    return torch.stack([mel_windows(wave, MARGIN, MARGIN + moments)[:, 0] for wave in sound])


_LOUDER = 0.5  # standard deviations in units of the windows, of which 8 are 100 dB
_BRIGHTER = 0.35
_ROOM = 0.6
_HIGHER = 3  # bands that a voice is moved by at most, to both sides
_NOISY, _QUIETEST, _LOUDEST, _ROUGH = 0.4, -3.5, -0.5, 0.25
_BLOTTED, _WIDEST = 0.3, 12
_SHARP = 4.0  # sharpness of the maximum of voice and noise: nearly the sum of their powers
_LIMIT = 4.0
_SILENT, _HUM = -4.0, -2.5
_SHORTEST, _LONGEST = 0.3, 0.9  # of an item, that a pause lasts


def another_voice(windows: Tensor) -> Tensor:
    """Change windows of speech: louder or softer, darker or brighter, higher or lower, in noise, a band missing.

    Args:
        windows: (N, T, 80, 16), -4..4; all windows of an item are changed alike.

    Returns:
        New memory of the same shape. Random numbers are those of torch.
    """
    return torch.stack([_another(item) for item in windows])


def _another(item: Tensor) -> Tensor:
    colour = _LOUDER * torch.randn(()) + _curve(_BRIGHTER)
    moved = item.roll(int(torch.randint(-_HIGHER, _HIGHER + 1, ())), dims=-2) + colour[:, None].to(item)
    if torch.rand(()) < _NOISY:
        level = _curve(_ROOM) + torch.empty(()).uniform_(_QUIETEST, _LOUDEST)
        noise = level[:, None].to(item) + _ROUGH * torch.randn_like(item)
        moved = torch.logaddexp(moved * _SHARP, noise * _SHARP) / _SHARP
    moved = moved.clamp(-_LIMIT, _LIMIT)
    if torch.rand(()) < _BLOTTED:
        first, width = int(torch.randint(0, BANDS - 10, ())), int(torch.randint(3, _WIDEST, ()))
        moved[:, first : first + width] = moved.mean()
    return moved


def _curve(deviation: float) -> Tensor:
    """(80,), a smooth random change over the bands."""
    knots = deviation * torch.randn(1, 1, 4)
    return F.interpolate(knots, size=BANDS, mode="linear", align_corners=True)[0, 0]


@dataclass(frozen=True)
class Pauses:
    """Windows with pauses, and the places of these.

    Attributes:
        windows: (N, T, 80, 16), silent or nearly so in the pauses.
        shares: (N, T, 1), 1 within a pause, 0 outside, rising and falling over a few moments.
    """

    windows: Tensor
    shares: Tensor


def with_pauses(windows: Tensor, part: float) -> Pauses:
    """Put a pause into some items.

    Args:
        windows: (N, T, 80, 16).
        part: of the items.
    """
    out, shares = windows.clone(), windows.new_zeros(*windows.shape[:2], 1)
    moments = windows.shape[1]
    for item in range(len(windows)):
        if torch.rand(()) >= part:
            continue
        length = round(moments * float(torch.empty(()).uniform_(_SHORTEST, _LONGEST)))
        start = int(torch.randint(-length // 2, moments - length // 2, ()))
        pause = slice(max(start, 0), max(start + length, 0))
        hum = torch.empty(()).uniform_(_SILENT, _HUM) if torch.rand(()) < 0.5 else torch.tensor(_SILENT)
        rough = 0.15 * torch.randn_like(out[item, pause]) * (hum > _SILENT)
        out[item, pause] = (hum + rough).clamp(-_LIMIT, _LIMIT)
        shares[item, pause] = 1
    smooth = F.avg_pool1d(F.pad(shares.transpose(1, 2), (3, 3), mode="replicate"), 7, 1)
    return Pauses(out, smooth.transpose(1, 2))
