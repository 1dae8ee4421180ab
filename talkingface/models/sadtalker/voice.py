"""What the audio networks listen to: a voice, or none."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from ...errors import MediaError
from .mel import BANDS, SAMPLE_RATE_HZ, WINDOW_COLUMNS, frame_count, mel_windows


class Voice(Protocol):
    """A source of mel windows, at 25 frames a second."""

    @property
    def frames(self) -> int:
        """Video frames that it lasts, at least one."""

    def windows(self, start: int, stop: int) -> Tensor:
        """(stop - start, 1, 80, 16), float32: the windows of some of its frames."""


class Speech:
    """A recording. Windows are computed when they are asked for, so that an hour needs no more memory than its wave.

    Args:
        wave: (samples,), mono at 16 kHz, full scale -1..1; no level is changed.
        frames: how many it lasts, with silence behind the wave or its end cut off; what it fills by default.
        where: file, for the message.

    Raises:
        MediaError: if it is shorter than one frame, 0.04 s.
    """

    def __init__(self, wave: Tensor, frames: int | None = None, *, where: object = None) -> None:
        self.frames = frame_count(len(wave)) if frames is None else frames
        if not self.frames:
            lasts = f"the sound lasts {len(wave) / SAMPLE_RATE_HZ:.3f} s, less than one frame"
            raise MediaError(lasts, where=where, cure="Give a longer recording.")
        self.wave = wave

    def windows(self, start: int, stop: int) -> Tensor:
        return mel_windows(self.wave, start, stop, frames=self.frames)


class NoVoice:
    """The idle mode: nobody speaks.

    The windows are zero as in the published program, half-way between silence (-4) and the loudest sound.
    """

    def __init__(self, frames: int) -> None:
        self.frames = frames

    def windows(self, start: int, stop: int) -> Tensor:
        return torch.zeros(stop - start, 1, BANDS, WINDOW_COLUMNS)
