"""Mel spectrum of a sound: filters, levels, places in time, in pieces and at length."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import Tensor

from talkingface.models.sadtalker.voice.mel import (
    FRAME_SAMPLES,
    column_count,
    frame_count,
    mel_columns,
    mel_filters,
    mel_windows,
)

# The same number computed along with others or alone: order of sums in float64, then float32 of about 4.
ROUNDING = 1e-6


@pytest.fixture(scope="module")
def voice() -> Tensor:
    """3 s of tones that come and go, over noise; not a whole number of frames."""
    random = torch.Generator().manual_seed(0)
    time = torch.arange(48_123) / 16000
    tones = torch.stack([torch.sin(2 * np.pi * hz * time) for hz in (120, 440, 2500)])
    loudness = 0.3 * (1 + torch.sin(2 * np.pi * torch.tensor([[1.3], [2.1], [3.7]]) * time))
    return (tones * loudness).sum(0) + 0.01 * torch.randn(len(time), generator=random)


def tone(hz: float, seconds: float = 1.0) -> Tensor:
    return 0.5 * torch.sin(2 * np.pi * hz * torch.arange(int(16000 * seconds), dtype=torch.float64) / 16000).float()


def test_frames_are_whole_ones():
    assert [frame_count(samples) for samples in (0, 639, 640, 1279, 16000)] == [0, 0, 1, 1, 25]


@pytest.mark.parametrize("start, stop", [(0, 1), (0, 3), (1, 2), (2, 40), (37, 75), (74, 75), (5, 5)])
def test_windows_do_not_depend_on_what_is_computed_with_them(voice: Tensor, start: int, stop: int):
    whole, part = mel_windows(voice), mel_windows(voice, start, stop)
    assert whole.shape == (75, 1, 80, 16) and part.shape[0] == stop - start
    torch.testing.assert_close(part, whole[start:stop], rtol=0, atol=ROUNDING)


def test_sound_behind_the_last_whole_frame_is_not_heard(voice: Tensor):
    assert torch.equal(mel_windows(voice), mel_windows(voice[: 75 * FRAME_SAMPLES]))


def test_columns_before_the_beginning_and_behind_the_end_are_repeated(voice: Tensor):
    windows, columns = mel_windows(voice)[:, 0], mel_columns(voice)
    assert columns.shape == (80, column_count(75))
    torch.testing.assert_close(windows[0, :, :7], columns[:, :1].expand(-1, 7), rtol=0, atol=ROUNDING)
    torch.testing.assert_close(windows[2], columns[:, :16], rtol=0, atol=ROUNDING)
    # The window of the last frame, 74, begins at column 230.4; the last of the 241 columns fills the rest.
    torch.testing.assert_close(windows[74, :, :11], columns[:, 230:], rtol=0, atol=ROUNDING)
    torch.testing.assert_close(windows[74, :, 11:], columns[:, -1:].expand(-1, 5), rtol=0, atol=ROUNDING)


def test_a_delay_of_whole_columns_and_frames_moves_the_windows(voice: Tensor):
    delayed = torch.cat([torch.zeros(5 * FRAME_SAMPLES), voice])  # 5 frames are 16 columns
    torch.testing.assert_close(mel_windows(delayed, 12, 70), mel_windows(voice, 7, 65), rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_very_short_sounds(frames: int):
    windows = mel_windows(tone(440)[: frames * FRAME_SAMPLES + 1])
    assert windows.shape == (frames, 1, 80, 16) and windows.isfinite().all() and windows.max() > 0


def test_silence_is_the_floor_and_noise_beyond_full_scale_the_ceiling():
    assert (mel_windows(torch.zeros(16000)) == -4).all()
    loud = mel_windows(3e4 * torch.randn(16000, generator=torch.Generator().manual_seed(1)))
    assert loud.max() == 4 and loud.isfinite().all()


def test_levels_are_decibels():
    """Ten times the sound is 20 dB, 1.6 of the 8 units for 100 dB."""
    noise = torch.randn(16000, generator=torch.Generator().manual_seed(2))
    quiet, loud = mel_columns(0.01 * noise), mel_columns(0.1 * noise)
    inside = (quiet > -4) & (loud < 4)
    assert inside.float().mean() > 0.9
    torch.testing.assert_close(loud[inside] - quiet[inside], torch.full((int(inside.sum()),), 1.6), rtol=0, atol=1e-5)


def test_filters_have_equal_area_and_their_peaks_rise_evenly_below_1_khz():
    filters, hz_per_bin = mel_filters(), 20
    wide = filters[40:]  # narrow triangles are sampled too coarsely for the sum
    torch.testing.assert_close(wide.sum(1) * hz_per_bin, torch.ones(40, dtype=torch.float64), rtol=0, atol=0.02)
    # On this scale 55 Hz is 0.825 and 7600 Hz is 44.498; 81 equal steps are 0.5392 mel, 35.9 Hz below 1 kHz.
    middles = (filters[:20] * torch.arange(401) * hz_per_bin).sum(1) / filters[:20].sum(1)
    expected = 55 + 35.94 * torch.arange(1, 21, dtype=torch.float64)
    assert (middles - expected).abs().max() < hz_per_bin


@pytest.mark.parametrize("hz", [200, 1000, 3000, 7000])
def test_a_tone_is_loudest_in_its_band(hz: float):
    band = int(mel_columns(tone(hz))[:, 40].argmax())
    assert mel_filters()[band, round(hz / 20)] == mel_filters()[:, round(hz / 20)].max()


def test_numbers_are_those_of_librosa(voice: Tensor):
    librosa = pytest.importorskip("librosa", reason="the reference of the mel front end is not installed")
    basis = librosa.filters.mel(sr=16000, n_fft=800, n_mels=80, fmin=55, fmax=7600)
    np.testing.assert_allclose(mel_filters().numpy(), basis, atol=1e-8)
    wave = voice[: 75 * FRAME_SAMPLES].double().numpy()
    raised = np.append(wave[:1], wave[1:] - 0.97 * wave[:-1])
    spectrum = np.abs(librosa.stft(raised, n_fft=800, hop_length=200, pad_mode="constant"))
    decibels = librosa.amplitude_to_db(basis @ spectrum, ref=1, amin=1e-5, top_db=None) - 20
    expected = np.clip(8 * (decibels + 100) / 100 - 4, -4, 4)
    np.testing.assert_allclose(mel_columns(voice).numpy(), expected, atol=1e-5)


LONG = """
import resource, torch
from talkingface.models.sadtalker.voice.mel import Speech
torch.set_num_threads(1)

def peak_mib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

speech = Speech(torch.full((5 * 60 * 16000,), 0.1))
speech.windows(0, 64)
before = peak_mib()
for start in range(0, speech.frames, 64):
    assert len(speech.windows(start, min(start + 64, speech.frames)))
print(peak_mib() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read in the unit of Linux")
def test_a_long_sound_needs_no_memory_beside_itself():
    """All windows of these five minutes would be 37 MiB; an hour is twelve times as much."""
    done = subprocess.run([sys.executable, "-c", LONG], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 8
