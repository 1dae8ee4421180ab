"""Which frames a training item holds, as a pure function of a seed and the item's number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import DataError
from .store import Clip

RANDOM = "random"


@dataclass(frozen=True)
class RandomFrames:
    """Frames drawn at random; no frame twice in an item, as long as the clip has enough of them.

    A model writes the plain word ``"random"`` for one such frame.
    """

    count: int = 1


@dataclass(frozen=True)
class Offsets:
    """Frames at fixed distances from the item's centre frame, clamped at the ends of the clip.

    A model writes the plain range or list, for example ``range(-13, 14)``.
    """

    offsets: tuple[int, ...]


Part = RandomFrames | Offsets


@dataclass(frozen=True)
class Item:
    """One training item.

    Attributes:
        clip: where it comes from.
        frames: frame numbers by name of the part.
    """

    clip: Clip
    frames: dict[str, list[int]]


def describe(samples: Mapping[str, Any]) -> dict[str, Part]:
    """What ``ModelPlugin.samples`` says, as parts.

    Args:
        samples: name -> ``"random"``, a range or list of offsets, or a part.

    Raises:
        DataError: for anything else.
    """
    return {name: _part(name, value) for name, value in samples.items()}


def _part(name: str, value: Any) -> Part:
    if isinstance(value, RandomFrames | Offsets):
        return value
    if value == RANDOM:
        return RandomFrames()
    if isinstance(value, Sequence) and not isinstance(value, str) and len(value) and all(type(v) is int for v in value):
        return Offsets(tuple(value))
    raise DataError(f"samples: '{name}' is {value!r}", cure="Give 'random' or frame offsets such as range(-13, 14).")


class Sampler:
    """Draws items: an identity first, all alike; then one of its clips by length; then frames.

    Args:
        clips: clips of a store.
        parts: what an item holds.
        seed: with the item's number the only source of randomness.
        time_flip: reverse the order of the frames of half of the items.

    Raises:
        DataError: if there is no clip.
    """

    def __init__(self, clips: Sequence[Clip], parts: Mapping[str, Part], seed: int, *, time_flip: bool = False) -> None:
        if not clips:
            raise DataError("no clips to draw items from")
        self._parts, self._seed, self._time_flip = dict(parts), seed, time_flip
        by_identity: dict[str, list[Clip]] = {}
        for clip in clips:
            by_identity.setdefault(clip.identity, []).append(clip)
        self._clips = [by_identity[identity] for identity in sorted(by_identity)]
        self._bounds = [np.cumsum([clip.frames for clip in group]) for group in self._clips]

    def generator(self, number: int) -> np.random.Generator:
        """The random numbers of item ``number``; items are independent of each other and of what was drawn before."""
        return np.random.Generator(np.random.Philox(key=np.array([self._seed, number], np.uint64)))

    def item(self, random: np.random.Generator) -> Item:
        """Draw an item; every call takes its numbers from ``random`` in the same order."""
        group = int(random.integers(len(self._clips)))
        bounds = self._bounds[group]
        clip = self._clips[group][int(np.searchsorted(bounds, random.integers(bounds[-1]), side="right"))]
        flip = bool(random.integers(2)) and self._time_flip
        return Item(clip, {**self._random_frames(clip, random, flip), **self._windows(clip, random, flip)})

    def _random_frames(self, clip: Clip, random: np.random.Generator, flip: bool) -> dict[str, list[int]]:
        """Distinct frames in order of time (reversed by the flip), dealt out to the parts."""
        wanted = {name: part.count for name, part in self._parts.items() if isinstance(part, RandomFrames)}
        total = sum(wanted.values())
        drawn = np.sort(random.choice(clip.frames, total, replace=clip.frames < total))
        frames = iter(drawn[::-1].tolist() if flip else drawn.tolist())
        return {name: [next(frames) for _ in range(count)] for name, count in wanted.items()}

    def _windows(self, clip: Clip, random: np.random.Generator, flip: bool) -> dict[str, list[int]]:
        centre, sign = int(random.integers(clip.frames)), -1 if flip else 1
        return {
            name: [min(max(centre + sign * offset, 0), clip.frames - 1) for offset in part.offsets]
            for name, part in self._parts.items()
            if isinstance(part, Offsets)
        }
