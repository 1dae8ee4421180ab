"""Draws of training pairs, as a pure function of a seed and the pair's number.

Frames of one clip mostly agree, and a network that sees only such pairs learns to keep the source's mouth. So pairs
that disagree are preferred: a shut and an open mouth, open and shut eyes, the head turned to either side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .settings import DrawSettings
from .store import CachedClip, FaceCache


@dataclass(frozen=True)
class Pair:
    """Two frames of one clip.

    Attributes:
        clip: their clip.
        frames: (source, driving), numbers among the clip's stored frames.
    """

    clip: CachedClip
    frames: tuple[int, int]


class PairSampler:
    """Draws pairs: an identity first, all alike; then what shall disagree; then a clip, and its frames.

    Args:
        cache: where pairs come from.
        settings: shares of what disagrees.
        seed: with the pair's number the only source of randomness.
    """

    def __init__(self, cache: FaceCache, settings: DrawSettings, seed: int = 0) -> None:
        self._settings, self._seed = settings, seed
        self._groups = [cache.clips[identity] for identity in sorted(cache.clips)]
        self._shares = np.cumsum([settings.mouth, settings.lids, settings.turn])

    def generator(self, number: int) -> np.random.Generator:
        """The random numbers of pair `number`, independent of those of other pairs."""
        return np.random.Generator(np.random.Philox(key=np.array([self._seed, number], np.uint64)))

    def pair(self, random: np.random.Generator) -> Pair:
        """Draw a pair."""
        group = self._groups[int(random.integers(len(self._groups)))]
        kind = int(np.searchsorted(self._shares, random.random(), side="right"))
        if kind == len(self._shares):
            clip = _choose(group, [float(len(clip)) for clip in group], random)
            first, second = random.choice(len(clip), 2, replace=False)
            return Pair(clip, (int(first), int(second)))
        clip = _choose(group, [_range(_curve(clip, kind)) for clip in group], random)
        return Pair(clip, _apart(_curve(clip, kind), self._settings.extreme, random))


def _curve(clip: CachedClip, kind: int) -> NDArray[np.floating]:
    return (clip.opening, clip.lids, clip.yaw)[kind]


def _range(curve: NDArray[np.floating]) -> float:
    low, high = np.quantile(curve, (0.05, 0.95))
    return float(high - low)


def _choose(clips: list[CachedClip], weights: list[float], random: np.random.Generator) -> CachedClip:
    bounds = np.cumsum(weights)
    place = int(np.searchsorted(bounds, random.random() * bounds[-1], side="right"))
    return clips[min(place, len(clips) - 1)]


def _apart(curve: NDArray[np.floating], extreme: float, random: np.random.Generator) -> tuple[int, int]:
    """Two frames from the ends of a curve, in either order."""
    order = np.argsort(curve)
    count = max(1, int(len(order) * extreme))
    low, high = int(random.choice(order[:count])), int(random.choice(order[-count:]))
    return (low, high) if random.integers(2) else (high, low)
