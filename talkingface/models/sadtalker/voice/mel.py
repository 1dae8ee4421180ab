"""Mel windows of a voice: the input of the audio networks for each video frame.

The numbers are Wav2Lip's (Prajwal et al., ACM Multimedia 2020), which SadTalker took over: 16 kHz sound, 80 mel columns
a second, one window of 16 columns for each of 25 frames a second. The filters are those of Slaney's Auditory Toolbox
(1998). Sums run in float64, as the published ones do; windows come out in float32.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from ....errors import MediaError


class MelSource(Protocol):
    """A source of mel windows, at 25 frames a second."""

    @property
    def frames(self) -> int:
        """Length in video frames, at least one."""

    def windows(self, start: int, stop: int) -> Tensor:
        """Windows (stop - start, 1, 80, 16), float32, of some of its frames."""


class Speech:
    """A recording. Windows are computed when they are asked for, so that an hour needs no more memory than its wave.

    Args:
        wave: (samples,), mono at 16 kHz, full scale -1..1; no level is changed.
        frames: length, with silence behind the wave or its end cut off; by default the frames that it fills.
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

    The windows (n, 1, 80, 16) are zero as published, half-way between silence (-4) and the loudest sound.
    """

    def __init__(self, frames: int) -> None:
        self.frames = frames

    def windows(self, start: int, stop: int) -> Tensor:
        return torch.zeros(stop - start, 1, BANDS, WINDOW_COLUMNS)


SAMPLE_RATE_HZ = 16000
FPS = 25
FRAME_SAMPLES = SAMPLE_RATE_HZ // FPS
BANDS, WINDOW_COLUMNS = 80, 16

_HOP, _FFT = 200, 800
_PREEMPHASIS = 0.97
_LOWEST_HZ, _HIGHEST_HZ = 55.0, 7600.0
_FLOOR_DB, _REFERENCE_DB, _PEAK = -100.0, 20.0, 4.0
_QUIETEST = 10 ** (_FLOOR_DB / 20)


def frame_count(samples: int) -> int:
    """Number of whole video frames in a sound."""
    return samples // FRAME_SAMPLES


def column_count(frames: int) -> int:
    """Number of mel columns of a sound of `frames` video frames; the first is centred on the first sample."""
    return frames * FRAME_SAMPLES // _HOP + 1 if frames else 0


def mel_windows(wave: Tensor, start: int = 0, stop: int | None = None, *, frames: int | None = None) -> Tensor:
    """Windows of some video frames; only the sound around them is read.

    The window of frame i begins at column 3.2 (i - 2), cut towards zero: 0.08 s before the frame and 0.12 s behind it.
    Columns before the first and behind the last are that column.

    Args:
        wave: (samples,), real numbers, mono at 16 kHz, full scale -1..1.
        start, stop: the frames, as of a slice that lies inside the sound; all by default.
        frames: length of the sound, with silence behind the wave or its end cut off; by default those that it fills.

    Returns:
        (stop - start, 1, 80, 16), float32, -4 (100 dB below the reference, or silence) to 4.
    """
    frames = frame_count(len(wave)) if frames is None else frames
    stop = frames if stop is None else stop
    if stop <= start:
        return wave.new_zeros((0, 1, BANDS, WINDOW_COLUMNS), dtype=torch.float32)
    first = torch.arange(start, stop, device=wave.device) - 2
    begins = torch.div(first * 16, 5, rounding_mode="trunc")  # 80 columns to 25 frames
    columns = begins[:, None] + torch.arange(WINDOW_COLUMNS, device=wave.device)
    columns = columns.clamp(0, column_count(frames) - 1)
    lowest = int(columns[0, 0])
    mel = mel_columns(wave, lowest, int(columns[-1, -1]) + 1, frames=frames)
    return mel[:, columns - lowest].transpose(0, 1)[:, None].contiguous()


def mel_columns(wave: Tensor, start: int = 0, stop: int | None = None, *, frames: int | None = None) -> Tensor:
    """Columns of the scaled mel spectrogram.

    Args:
        wave: as for `mel_windows`; a rest that does not fill a video frame is cut off.
        start, stop: the columns, as of a slice; all by default.
        frames: as for `mel_windows`.

    Returns:
        (80, stop - start), float32, -4..4.
    """
    frames = frame_count(len(wave)) if frames is None else frames
    stop = column_count(frames) if stop is None else stop
    first, last = start * _HOP - _FFT // 2, (stop - 1) * _HOP + _FFT // 2
    sound = _emphasised(wave, frames * FRAME_SAMPLES, first, last)
    window = torch.hann_window(_FFT, dtype=sound.dtype, device=sound.device)
    spectrum = torch.stft(sound, _FFT, _HOP, window=window, center=False, return_complex=True).abs()
    mel = mel_filters().to(spectrum) @ spectrum
    decibels = 20 * mel.clamp(min=_QUIETEST).log10() - _REFERENCE_DB
    scaled = 2 * _PEAK * (decibels - _FLOOR_DB) / -_FLOOR_DB - _PEAK
    return scaled.clamp(-_PEAK, _PEAK).float()


def _emphasised(wave: Tensor, length: int, start: int, stop: int) -> Tensor:
    """Samples start..stop of a sound with the high frequencies raised; zeros outside of it.

    Args:
        wave: the recording; silence follows up to `length` samples.
    """
    low, high = max(start, 0), min(stop, length)
    piece = wave[max(low - 1, 0) : high].double()
    piece = F.pad(piece, (0, high - max(low - 1, 0) - len(piece)))
    before = piece[:-1] if low > 0 else F.pad(piece[:-1], (1, 0))
    raised = piece[len(piece) - len(before) :] - _PREEMPHASIS * before
    return F.pad(raised, (low - start, stop - high))


@lru_cache(maxsize=1)
def mel_filters() -> Tensor:
    """Triangles of equal area, evenly spaced on Slaney's mel scale; (80, 401), float64."""
    low, high = _hz_to_mel(_LOWEST_HZ), _hz_to_mel(_HIGHEST_HZ)
    corners = _mel_to_hz(torch.linspace(low, high, BANDS + 2, dtype=torch.float64))[:, None]
    left, middle, right = corners[:-2], corners[1:-1], corners[2:]
    frequencies = torch.linspace(0, SAMPLE_RATE_HZ / 2, _FFT // 2 + 1, dtype=torch.float64)
    rising, falling = (frequencies - left) / (middle - left), (right - frequencies) / (right - middle)
    return torch.minimum(rising, falling).clamp(min=0) * 2 / (right - left)


# Slaney's scale is linear up to 1 kHz, logarithmic above, and smooth to the eye between the two.
_HZ_PER_MEL, _BEND_HZ = 200 / 3, 1000.0
_BEND_MEL, _LOG_STEP = _BEND_HZ / _HZ_PER_MEL, math.log(6.4) / 27


def _hz_to_mel(hz: float) -> float:
    return hz / _HZ_PER_MEL if hz < _BEND_HZ else _BEND_MEL + math.log(hz / _BEND_HZ) / _LOG_STEP


def _mel_to_hz(mel: Tensor) -> Tensor:
    above = _BEND_HZ * torch.exp(_LOG_STEP * (mel - _BEND_MEL))
    return torch.where(mel < _BEND_MEL, _HZ_PER_MEL * mel, above)
