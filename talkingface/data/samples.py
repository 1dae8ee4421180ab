"""Drawing of training items, as a pure function of a seed and the item's number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from ..errors import DataError
from ..models.samples import FPS, AudioWindow, CoefficientWindow, Identity, Window
from .store import Clip

RANDOM = "random"


@dataclass(frozen=True)
class RandomFrames:
    """Frames drawn at random; no frame occurs twice in an item if the clip has enough of them.

    A model writes the word ``"random"`` for one such frame.
    """

    count: int = 1


@dataclass(frozen=True)
class Offsets:
    """Frames at fixed distances from the item's centre frame, clamped at the ends of the clip.

    A model writes the plain range or list, for example ``range(-13, 14)``.
    """

    offsets: tuple[int, ...]


Pictures = RandomFrames | Offsets
Part = Pictures | Window | CoefficientWindow | AudioWindow | Identity


@dataclass(frozen=True)
class Item:
    """One training item.

    Attributes:
        clip: the clip.
        frames: frame numbers of the pictures, by name of the part.
        begins: position of each window or single frame, in frames of the clip, by name of the part.
        step: distance of two moments, in frames of the clip; negative where time is reversed.
    """

    clip: Clip
    frames: dict[str, list[int]]
    begins: dict[str, Fraction] = field(default_factory=dict)
    step: Fraction = Fraction(1)


def describe(samples: Mapping[str, Any]) -> dict[str, Part]:
    """Convert the result of ``ModelPlugin.samples`` to parts.

    Args:
        samples: name -> ``"random"``, a range or list of offsets, or a part.

    Raises:
        DataError: for anything else, and for coefficients or sound around a part that is no window or single frame.
    """
    parts = {name: _part(name, value) for name, value in samples.items()}
    for name, part in parts.items():
        if isinstance(part, CoefficientWindow | AudioWindow) and not _is_place(parts.get(part.around)):
            what = f"samples: '{name}' is around '{part.around}', which is no window or single frame"
            raise DataError(what, cure=f"There are: {', '.join(key for key in parts if _is_place(parts[key]))}.")
    return parts


def pictures_of(parts: Mapping[str, Part]) -> dict[str, Pictures]:
    """Parts for which frames are decoded."""
    return {name: part for name, part in parts.items() if isinstance(part, RandomFrames | Offsets)}


def moments_in(clip: Clip) -> int:
    """Length of a clip in moments, at least one."""
    return max(int(clip.frames / frames_per_moment(clip)), 1)


def frames_per_moment(clip: Clip) -> Fraction:
    """Frames of a clip per moment; a clip of unknown rate counts as 25 frames/s."""
    return Fraction(clip.fps or FPS) / FPS


def _is_place(part: Part | None) -> bool:
    return isinstance(part, Window) or part == RandomFrames()


def _part(name: str, value: Any) -> Part:
    if isinstance(value, RandomFrames | Offsets | Window | CoefficientWindow | AudioWindow | Identity):
        return value
    if value == RANDOM:
        return RandomFrames()
    if isinstance(value, Sequence) and not isinstance(value, str) and len(value) and all(type(v) is int for v in value):
        return Offsets(tuple(value))
    raise DataError(f"samples: '{name}' is {value!r}", cure="Give 'random' or frame offsets such as range(-13, 14).")


class Sampler:
    """Draws items: first an identity, all equally likely; then one of its clips by length; then frames.

    Args:
        clips: clips of a store.
        parts: parts of an item.
        seed: seed; with the item's number the only source of randomness.
        time_flip: reverse the order of the frames of half of the items; never of those with sound.

    Raises:
        DataError: if there is no clip.
    """

    def __init__(self, clips: Sequence[Clip], parts: Mapping[str, Part], seed: int, *, time_flip: bool = False) -> None:
        if not clips:
            raise DataError("no clips to draw items from")
        self._parts, self._seed = dict(parts), seed
        self._time_flip = time_flip and not any(isinstance(part, AudioWindow) for part in parts.values())
        by_identity: dict[str, list[Clip]] = {}
        for clip in clips:
            by_identity.setdefault(clip.identity, []).append(clip)
        self.identities = {identity: number for number, identity in enumerate(sorted(by_identity))}
        self._clips = [by_identity[identity] for identity in self.identities]
        self._bounds = [np.cumsum([clip.frames for clip in group]) for group in self._clips]

    def generator(self, number: int) -> np.random.Generator:
        """Random generator of item ``number``; items are independent of each other and of earlier draws."""
        return np.random.Generator(np.random.Philox(key=np.array([self._seed, number], np.uint64)))

    def item(self, random: np.random.Generator) -> Item:
        """Draw an item; every call takes its numbers from ``random`` in the same order."""
        group = int(random.integers(len(self._clips)))
        bounds = self._bounds[group]
        clip = self._clips[group][int(np.searchsorted(bounds, random.integers(bounds[-1]), side="right"))]
        flip = bool(random.integers(2)) and self._time_flip
        frames = {**self._random_frames(clip, random, flip), **self._offset_frames(clip, random, flip)}
        step = frames_per_moment(clip) * (-1 if flip else 1)
        begins = {name: Fraction(own[0]) for name, own in frames.items() if len(own) == 1}
        return Item(clip, frames, {**begins, **self._windows(clip, random, step)}, step)

    def _random_frames(self, clip: Clip, random: np.random.Generator, flip: bool) -> dict[str, list[int]]:
        """Draw distinct frames in order of time (reversed by the flip) and distribute them to the parts."""
        wanted = {name: part.count for name, part in self._parts.items() if isinstance(part, RandomFrames)}
        total = sum(wanted.values())
        drawn = np.sort(random.choice(clip.frames, total, replace=clip.frames < total))
        frames = iter(drawn[::-1].tolist() if flip else drawn.tolist())
        return {name: [next(frames) for _ in range(count)] for name, count in wanted.items()}

    def _offset_frames(self, clip: Clip, random: np.random.Generator, flip: bool) -> dict[str, list[int]]:
        centre, sign = int(random.integers(clip.frames)), -1 if flip else 1
        return {
            name: [min(max(centre + sign * offset, 0), clip.frames - 1) for offset in part.offsets]
            for name, part in self._parts.items()
            if isinstance(part, Offsets)
        }

    def _windows(self, clip: Clip, random: np.random.Generator, step: Fraction) -> dict[str, Fraction]:
        """Draw the position of each window; a reversed one begins at its last moment."""
        begins = {}
        for name, part in self._parts.items():
            if isinstance(part, Window):
                first = int(random.integers(max(moments_in(clip) - part.length, 0) + 1))
                begins[name] = (first if step > 0 else first + part.length - 1) * abs(step)
        return begins
