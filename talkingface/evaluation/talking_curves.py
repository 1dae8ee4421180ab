"""Curves of a face over time, from the face mesh: opening of the mouth, lids, angles of the head."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..face.detect.analyser import FaceAnalyser
from ..face.track.track import Track, TrackSettings
from ..face3d.mesh_measure import curves
from ..face3d.mesh_space import FRAME, shipped_space
from ..media.image import Picture
from ..media.sounds.audio import Samples
from ..motion.coefficients import Coefficients
from ..pipelines.read.coefficients import longest_track

Floats = NDArray[np.float64]

FLOOR_DB = -60.0  # below full scale: quieter counts as silent, however quiet
SMOOTHING = 2.0  # frames: standard deviation of the smoothed loudness
LAG_S = Fraction(2, 5)  # shifts that are tried, to either side
_SHORTEST = 10  # frames that two shifted curves must have in common
STILL = 0.002  # deviation below which a mouth does not move: the mesh jitters by half of that on a still picture


def loudness(wave: Samples, rate_hz: int, fps: Fraction, frames: int) -> Floats:
    """Energy of the sound during each frame, (frames,), in dB below full scale, -60 at least.

    Args:
        wave: (samples,), full scale -1..1; a missing end counts as silent.
    """
    edges = [round(frame * rate_hz / fps) for frame in range(frames + 1)]
    sound = padded(wave, edges[-1]).astype(np.float64)
    power = np.array([np.mean(sound[first:last] ** 2) for first, last in pairwise(edges)])
    return np.asarray(10 * np.log10(np.maximum(power, 10 ** (FLOOR_DB / 10))))


def smoothed(values: Floats) -> Floats:
    """Gaussian means of (T,) over time: a mouth does not follow every click."""
    from scipy.ndimage import gaussian_filter1d

    return np.asarray(gaussian_filter1d(values, SMOOTHING, mode="nearest"))


def padded(wave: Samples, samples: int) -> Samples:
    """Cut a sound (n,) to a number of samples, or fill it up with silence: (samples,)."""
    sound = np.zeros(samples, np.float32)
    sound[: len(wave)] = wave[:samples]
    return sound


def looped(wave: Samples, samples: int) -> Samples:
    """Repeat a sound (n,) up to a number of samples: (samples,)."""
    return np.resize(wave, samples)


def lags(fps: Fraction) -> list[int]:
    """The shifts that are tried, in frames; at a positive one the mouth comes late."""
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
    """The common frames of both curves if the made one comes ``lag`` frames late."""
    length = min(len(real), len(made))
    first, last = max(0, -lag), min(length, length - lag)
    return real[first : max(first, last)], made[first + lag : max(first, last) + lag]


def _correlation(first: Floats, second: Floats) -> float:
    both = np.isfinite(first) & np.isfinite(second)
    if both.sum() < _SHORTEST:
        return math.nan
    first, second = first[both] - first[both].mean(), second[both] - second[both].mean()
    if min(first.std(), second.std()) < STILL:
        return 0.0
    return float((first * second).mean() / (first.std() * second.std()))


# Measured on real clips: the mesh closes its lids only half-way in a blink, and jitters by less than a tenth.
BLINK_DEPTH = 0.25  # of the open eye: how far the lids come together in a blink, at least
BLINK_S = 0.4  # longer than that is no blink but a look down or a smile
OPEN_S = 1.0  # to either side, over which the open eye is judged
AWAKE = 0.9  # of the usual opening: lids of a frame at rest
# The outermost twentieths are left out of a range: one lost face would make it.
RANGE = (0.05, 0.95)


@dataclass(frozen=True, eq=False)
class Curves:
    """Curves of a face over T frames; NaN where there is none.

    Attributes:
        fps: frames per second.
        opening: (T,), distance of the inner lips in distances of the outer eye corners.
        lids: (T,), distance of the lids over the width of the eye.
        angles: (T, 3), pitch, yaw, roll in degrees.
    """

    fps: Fraction
    opening: Floats
    lids: Floats
    angles: Floats

    def __len__(self) -> int:
        return len(self.opening)

    def at(self, fps: Fraction, frames: int) -> Curves:
        """The curves at another rate, interpolated linearly; a frame whose nearest one has no face has none."""
        times = np.arange(frames) * float(self.fps / fps)
        nearest = np.round(times).astype(int)
        there = (nearest < len(self)) & self.detected[np.minimum(nearest, len(self) - 1)]

        def sampled(values: Floats) -> Floats:
            if not there.any():
                return np.full(frames, np.nan)
            known = np.flatnonzero(self.detected)
            return np.where(there, np.interp(times, known, values[known]), np.nan)

        angles = np.stack([sampled(column) for column in self.angles.T], axis=1)
        return Curves(fps, sampled(self.opening), sampled(self.lids), angles)

    @property
    def detected(self) -> NDArray[np.bool_]:
        """(T,), true where there is a face."""
        return np.isfinite(self.opening)

    @property
    def rest(self) -> int:
        """The frame with the most closed mouth among those with open eyes; the first where there is no face at all."""
        if not self.detected.any():
            return 0
        awake = self.lids >= AWAKE * np.nanmedian(self.lids)
        return int(np.nanargmin(np.where(awake, self.opening, np.nan)))

    def blinks_per_minute(self) -> float:
        """Number of blinks a minute; NaN without a face."""
        from scipy.signal import find_peaks

        lids = self.lids[self.detected]
        if not len(lids):
            return float("nan")
        closed = 1 - lids / _running_median(lids, round(OPEN_S * self.fps))
        peaks, _ = find_peaks(closed, prominence=BLINK_DEPTH, width=(None, float(BLINK_S * self.fps)))
        return float(len(peaks) / len(lids) * 60 * self.fps)

    def turning(self) -> tuple[float, float, float]:
        """90 % ranges of pitch, yaw and roll of the head in degrees; NaN without a face."""
        angles = self.angles[self.detected]
        if not len(angles):
            return (float("nan"),) * 3
        low, high = np.quantile(angles, RANGE, axis=0)
        pitch, yaw, roll = (float(value) for value in high - low)
        return pitch, yaw, roll


TRACKING = TrackSettings(smoothing=0, split_scenes=False)
"""Of faces that are measured: as the backend sees them, across cuts."""


def watch(frames: Iterable[Picture], fps: Fraction, analyser: FaceAnalyser) -> Curves:
    """Curves of the face that is longest in the video; frames stream through and are not smoothed.

    Args:
        frames: (H, W, 3), RGB, uint8, square; at least one.
        analyser: a backend with a face mesh.
    """
    size, count = FRAME, 0

    def counted() -> Iterable[Picture]:
        nonlocal size, count
        for frame in frames:
            size, count = frame.shape[0], count + 1
            yield frame

    return curves_of_track(longest_track(counted(), analyser, TRACKING), fps, count, size)


def curves_of_track(track: Track | None, fps: Fraction, count: int, size: int) -> Curves:
    """Curves of a tracked face among `count` frames of the height `size`; without a mesh, those of no face."""
    if track is None or track.mesh is None:
        return _without_face(fps, count)
    known = track.scores > 0
    mesh = track.mesh.astype(np.float64)
    rows = shipped_space().fit(mesh, size=size)
    part = slice(track.start, track.start + len(track))
    return _placed(_curves(mesh, rows, fps), part, known, count)


def curves_of(rows: NDArray[np.floating], fps: Fraction) -> Curves:
    """Curves of coefficients of the ``mesh`` space, without any picture.

    Args:
        rows: (T, C) with C >= 70, as :class:`~talkingface.motion.coefficients.Coefficients` takes them.
    """
    return _curves(shipped_space().decode(rows).astype(np.float64), rows, fps)


def _curves(mesh: Floats, rows: NDArray[np.floating], fps: Fraction) -> Curves:
    values = curves(mesh)
    angles = np.degrees(Coefficients(np.asarray(rows, np.float64)).angle)
    return Curves(fps, values["mouth opening"], values["blinking"], angles)


def _placed(measured: Curves, part: slice, known: NDArray[np.bool_], count: int) -> Curves:
    """Curves of some frames among all; interpolated frames have no face."""
    whole = _without_face(measured.fps, count)
    for name in ("opening", "lids", "angles"):
        getattr(whole, name)[part][known] = getattr(measured, name)[known]
    return whole


def _without_face(fps: Fraction, count: int) -> Curves:
    return Curves(fps, np.full(count, np.nan), np.full(count, np.nan), np.full((count, 3), np.nan))


def _running_median(values: Floats, reach: int) -> Floats:
    """Medians over ``reach`` frames to either side, fewer at the ends."""
    return np.array([np.median(values[max(i - reach, 0) : i + reach + 1]) for i in range(len(values))])
