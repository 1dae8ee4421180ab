"""What a face does over time, as the face mesh sees it: the mouth's opening, the lids, the turning of the head."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from ..face.detect.analyser import FaceAnalyser
from ..face.track.track import TrackSettings
from ..face3d.coefficients import Coefficients
from ..face3d.mesh_measure import curves
from ..face3d.mesh_space import FRAME, shipped_space
from ..media.image import Picture
from ..pipelines.coefficients import longest_track

Floats = NDArray[np.float64]

# Measured on real clips: the mesh closes its lids only half-way in a blink, and trembles by less than a tenth.
BLINK_DEPTH = 0.25  # of the open eye: how far the lids come together in a blink, at least
BLINK_S = 0.4  # longer than that is no blink but a look down or a smile
OPEN_S = 1.0  # to either side, over which the open eye is judged
AWAKE = 0.9  # of the usual opening: lids of a frame at rest
# The outermost twentieths are left out of a range: one lost face would make it.
RANGE = (0.05, 0.95)


@dataclass(frozen=True, eq=False)
class Curves:
    """A face over T frames; NaN where it is not seen.

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
        """The curves at another rate, on straight lines; a frame whose nearest one is unseen is unseen."""
        times = np.arange(frames) * float(self.fps / fps)
        nearest = np.round(times).astype(int)
        there = (nearest < len(self)) & self.seen[np.minimum(nearest, len(self) - 1)]

        def sampled(values: Floats) -> Floats:
            if not there.any():
                return np.full(frames, np.nan)
            known = np.flatnonzero(self.seen)
            return np.where(there, np.interp(times, known, values[known]), np.nan)

        angles = np.stack([sampled(column) for column in self.angles.T], axis=1)
        return Curves(fps, sampled(self.opening), sampled(self.lids), angles)

    @property
    def seen(self) -> NDArray[np.bool_]:
        """(T,), whether the face is seen."""
        return np.isfinite(self.opening)

    @property
    def rest(self) -> int:
        """The frame with the most closed mouth among those with open eyes; the first where there is no face at all."""
        if not self.seen.any():
            return 0
        awake = self.lids >= AWAKE * np.nanmedian(self.lids)
        return int(np.nanargmin(np.where(awake, self.opening, np.nan)))

    def blinks_per_minute(self) -> float:
        """How often the lids come together for a moment; NaN where no face is seen."""
        from scipy.signal import find_peaks

        lids = self.lids[self.seen]
        if not len(lids):
            return float("nan")
        closed = 1 - lids / _running_median(lids, round(OPEN_S * self.fps))
        peaks, _ = find_peaks(closed, prominence=BLINK_DEPTH, width=(None, float(BLINK_S * self.fps)))
        return float(len(peaks) / len(lids) * 60 * self.fps)

    def turning(self) -> tuple[float, float, float]:
        """How far the head nods, turns and tilts: 90 % ranges in degrees; NaN where no face is seen."""
        angles = self.angles[self.seen]
        if not len(angles):
            return (float("nan"),) * 3
        low, high = np.quantile(angles, RANGE, axis=0)
        pitch, yaw, roll = (float(value) for value in high - low)
        return pitch, yaw, roll


def watch(frames: Iterable[Picture], fps: Fraction, analyser: FaceAnalyser) -> Curves:
    """The curves of the face that is seen longest; frames stream through and are not smoothed.

    Args:
        frames: (H, W, 3), RGB, uint8, square; at least one.
        analyser: one that gives the face mesh.
    """
    size, count = FRAME, 0

    def counted() -> Iterable[Picture]:
        nonlocal size, count
        for frame in frames:
            size, count = frame.shape[0], count + 1
            yield frame

    track = longest_track(counted(), analyser, TrackSettings(smoothing=0, split_scenes=False))
    if track is None or track.mesh is None:
        return _unseen(fps, count)
    known = track.scores > 0
    mesh = track.mesh.astype(np.float64)
    rows = shipped_space().fit(mesh, size=size)
    part = slice(track.start, track.start + len(track))
    return _placed(_curves(mesh, rows, fps), part, known, count)


def of_rows(rows: NDArray[np.floating], fps: Fraction) -> Curves:
    """The curves that coefficients of the ``mesh`` space describe, without any picture.

    Args:
        rows: (T, 70 or more).
    """
    return _curves(shipped_space().decode(rows).astype(np.float64), rows, fps)


def _curves(mesh: Floats, rows: NDArray[np.floating], fps: Fraction) -> Curves:
    found = curves(mesh)
    angles = np.degrees(Coefficients(np.asarray(rows, np.float64)).angle)
    return Curves(fps, found["mouth opening"], found["blinking"], angles)


def _placed(found: Curves, part: slice, known: NDArray[np.bool_], count: int) -> Curves:
    """Curves of some frames among all; those that were filled in are unseen."""
    whole = _unseen(found.fps, count)
    for target, values in ((whole.opening, found.opening), (whole.lids, found.lids), (whole.angles, found.angles)):
        target[part][known] = values[known]
    return whole


def _unseen(fps: Fraction, count: int) -> Curves:
    return Curves(fps, np.full(count, np.nan), np.full(count, np.nan), np.full((count, 3), np.nan))


def _running_median(values: Floats, reach: int) -> Floats:
    """Medians over ``reach`` frames to either side, fewer at the ends."""
    return np.array([np.median(values[max(i - reach, 0) : i + reach + 1]) for i in range(len(values))])
