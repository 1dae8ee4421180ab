"""Mel frequency cepstra of speech."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .audio import Samples

Floats = NDArray[np.float64]

RATE_HZ = 16000
WINDOW, STEP, BINS = 400, 160, 512  # samples
BANDS, KEPT = 26, 13
EMPHASIS, LIFTER = 0.97, 22
FULL_SCALE = 32768  # the numbers are those of samples of 16 bits


def cepstra(wave: Samples) -> Floats:
    """Cepstra (13, columns) of speech, 100 columns a second; the first is the logarithm of the energy.

    Args:
        wave: (samples,), full scale -1..1, at 16 kHz; a last window that is not full ends in zeros.

    Source: Davis and Mermelstein 1980; filters, liftering and constants as in HTK and in python_speech_features, with
    which SyncNet was trained.
    """
    from scipy.fft import dct

    sound = np.round(np.asarray(wave, np.float64) * FULL_SCALE)
    sound = np.append(sound[:1], sound[1:] - EMPHASIS * sound[:-1])
    columns = 1 + max(0, -((WINDOW - len(sound)) // STEP))
    padded = np.zeros((columns - 1) * STEP + WINDOW)
    padded[: len(sound)] = sound[: len(padded)]
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::STEP]
    power = np.abs(np.fft.rfft(frames, BINS)) ** 2 / BINS
    found = dct(np.log(_positive(power @ mel_bands().T)), norm="ortho", axis=1)[:, :KEPT]
    found *= 1 + LIFTER / 2 * np.sin(np.pi * np.arange(KEPT) / LIFTER)
    found[:, 0] = np.log(_positive(power.sum(axis=1)))
    return np.asarray(found.T)


def _positive(values: Floats) -> Floats:
    return np.where(values == 0, np.finfo(float).eps, values)


def mel_bands() -> Floats:
    """Triangles (26, 257) over the frequencies of a spectrum, evenly spaced in mel from 0 to 8 kHz."""
    top = 2595 * np.log10(1 + RATE_HZ / 2 / 700)
    hertz = 700 * (10 ** (np.linspace(0, top, BANDS + 2) / 2595) - 1)
    edges = np.floor((BINS + 1) * hertz / RATE_HZ)
    places = np.arange(BINS // 2 + 1)
    low, middle, high = (edges[start : start + BANDS, None] for start in range(3))
    rising, falling = (places - low) / (middle - low), (high - places) / (high - middle)
    inside = (places >= low) & (places < high)
    return np.asarray(np.where(inside, np.where(places < middle, rising, falling), 0.0))
