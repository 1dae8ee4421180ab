"""Sound against a moving mouth: loudness, and how alike two curves are when one is shifted in time."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..media.audio import Samples

Floats = NDArray[np.float64]

FLOOR_DB = -60.0  # below full scale: quieter counts as silent, however quiet
SMOOTHING = 2.0  # frames: standard deviation of the smoothed loudness
LAG_S = Fraction(2, 5)  # shifts that are tried, to either side
_SHORTEST = 10  # frames that two shifted curves must have in common
STILL = 0.002  # deviation below which a mouth does not move: the mesh trembles by half of that on a still picture


def loudness(wave: Samples, rate_hz: int, fps: Fraction, frames: int) -> Floats:
    """Energy of the sound while each frame is shown, (frames,), in dB below full scale, -60 at least.

    Args:
        wave: (samples,), full scale -1..1; what is missing at its end counts as silent.
    """
    edges = [round(frame * rate_hz / fps) for frame in range(frames + 1)]
    sound = padded(wave, edges[-1]).astype(np.float64)
    power = np.array([np.mean(sound[first:last] ** 2) for first, last in pairwise(edges)])
    return np.asarray(10 * np.log10(np.maximum(power, 10 ** (FLOOR_DB / 10))))


def smoothed(values: Floats) -> Floats:
    """Gaussian means over time: a mouth does not follow every click."""
    from scipy.ndimage import gaussian_filter1d

    return np.asarray(gaussian_filter1d(values, SMOOTHING, mode="nearest"))


def padded(wave: Samples, samples: int) -> Samples:
    """A sound of a length: its beginning, then silence."""
    sound = np.zeros(samples, np.float32)
    sound[: len(wave)] = wave[:samples]
    return sound


def looped(wave: Samples, samples: int) -> Samples:
    """A sound of a length: begun anew as often as needed."""
    return np.resize(wave, samples)


def lags(fps: Fraction) -> list[int]:
    """The shifts that are tried, in frames; a positive one is a mouth that comes late."""
    reach = int(LAG_S * fps)
    return list(range(-reach, reach + 1))


def correlations(real: Floats, made: Floats, fps: Fraction) -> Floats:
    """Correlation of a made curve with a real one, for each of `lags`.

    NaN in either curve leaves a frame out. A made curve that does not move follows nothing: 0. NaN where the real one
    does not move, so that there is nothing to follow, or where the two have too few frames in common.

    Args:
        real: (T,), a mouth's opening.
        made: (T,), another one, or loudness.
    """
    still = not np.isfinite(real).any() or np.nanstd(real) < STILL
    return np.array([math.nan if still else _correlation(*_shifted(real, made, lag)) for lag in lags(fps)])


def _shifted(real: Floats, made: Floats, lag: int) -> tuple[Floats, Floats]:
    """The frames of both curves that meet if the made one comes ``lag`` frames late."""
    length = min(len(real), len(made))
    first, last = max(0, -lag), min(length, length - lag)
    return real[first : max(first, last)], made[first + lag : max(first, last) + lag]


def _correlation(one: Floats, other: Floats) -> float:
    both = np.isfinite(one) & np.isfinite(other)
    if both.sum() < _SHORTEST:
        return math.nan
    one, other = one[both] - one[both].mean(), other[both] - other[both].mean()
    if min(one.std(), other.std()) < STILL:
        return 0.0
    return float((one * other).mean() / (one.std() * other.std()))
