"""Pictures over time: flicker, and head motion on the beat of the sound."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...media.sounds.buffer import open_audio
from ..metric import ClipFacts, Metric, MetricTools
from ..observe import DetectedFace
from .faces import FaceMetric

BEAT_SPREAD_S = 0.12
"""Standard deviation of the spot around a beat: three frames at 25 a second, as published."""


class Flicker(Metric):
    """Flicker beyond that of the real frames, in thousandths of full scale.

    Flicker is the mean absolute distance of a pixel's brightness from the mean of the frames before and after it.
    """

    heading, digits, better, aligned = "flicker", 2, "lower", False

    def __init__(self, tools: MetricTools) -> None:
        super().__init__(tools)
        self._last: dict[str, Tensor] = {}
        self._sums = {"made": 0.0, "real": 0.0}
        self._count = 0

    def begin(self, clip: ClipFacts) -> None:
        self._last, self._sums, self._count = {}, {"made": 0.0, "real": 0.0}, 0

    def update(self, predicted: Tensor, real: Tensor) -> None:
        for side, frames in (("made", predicted), ("real", real)):
            grey = frames.mean(dim=1)
            grey = torch.cat([self._last[side], grey]) if side in self._last else grey
            self._last[side] = grey[-2:]
            if len(grey) > 2:
                bends = grey[1:-1] - (grey[:-2] + grey[2:]) / 2
                self._sums[side] += float(bends.abs().mean(dim=(1, 2)).sum())
                self._count += len(bends) * (side == "made")

    def compute(self) -> float:
        if not self._count:
            return math.nan
        return max(0.0, 1000 * (self._sums["made"] - self._sums["real"]) / self._count)


class BeatAlignment(FaceMetric):
    """Nearness of the turns of the predicted head to the beats of the sound, 1 at best.

    Each beat counts by its distance from the nearest moment at which the head is slowest, under a Gaussian.

    Source: Siyao et al. 2022 (Bailando), eq. 9, as SadTalker uses it; turns from our angles, beats by librosa.
    """

    heading, digits, better, aligned, packages = "beats", 3, "higher", False, ("librosa",)

    def begin(self, clip: ClipFacts) -> None:
        self._sound, self._fps = clip.made_sound or clip.real_sound, float(clip.fps)

    def measure(self, made: DetectedFace, real: DetectedFace) -> float:
        angles = made.curves.angles
        beats = self._beats(len(angles) / self._fps)
        turns = _slowest(angles) / self._fps
        if not len(beats) or not len(turns):
            return math.nan
        apart = np.abs(beats[:, None] - turns[None]).min(axis=1)
        return float(np.exp(-(apart**2) / (2 * BEAT_SPREAD_S**2)).mean())

    def _beats(self, seconds: float) -> NDArray[np.float64]:
        if self._sound is None:
            return np.zeros(0)
        import librosa

        rate = 16000
        wave = open_audio(self._sound, rate).samples[: round(seconds * rate)]
        if not np.abs(wave).max(initial=0):
            return np.zeros(0)
        return np.asarray(librosa.beat.beat_track(y=np.asarray(wave), sr=rate, units="time")[1])


def _slowest(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Frames (n,) at which a head with angles (T, 3) turns slower than in both neighbours."""
    speed = np.linalg.norm(np.diff(angles, axis=0), axis=1)
    inner = np.arange(1, len(speed) - 1)
    low = (speed[inner] < speed[inner - 1]) & (speed[inner] <= speed[inner + 1])
    return inner[low] + 0.5
