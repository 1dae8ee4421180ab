"""Store of parts of other clips, and the frames of one person that a training must not see."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..models.samples import FPS, SAMPLE_RATE_HZ
from .store import Clip, ClipStore, Frames

_HELD_SHARE = 0.2  # of a single clip
_GAP_S = 1.0  # between what is learnt and what is held out of one clip: neighbouring frames are almost the same
_FEWEST = 8  # frames to either side of the gap


@dataclass(frozen=True)
class Part:
    """Frames of a clip of a store, one after another.

    Attributes:
        store: the clip's.
        clip: as the store has it.
        start: first frame.
        frames: number of frames.
        name, identity: of the part in its new store.
    """

    store: ClipStore
    clip: Clip
    start: int
    frames: int
    name: str
    identity: str

    @classmethod
    def whole(cls, store: ClipStore, clip: Clip, identity: str) -> Part:
        """All of a clip, as frames of ``identity``."""
        return cls(store, clip, 0, clip.frames, clip.name, identity)

    def cut(self, start: int, frames: int) -> Part:
        """Part of the part; ``start`` counts from its own first frame."""
        return replace(self, start=self.start + start, frames=frames)

    def places(self, indices: Sequence[int] | NDArray[np.integer]) -> NDArray[np.int64]:
        """Frame numbers in the clip, (n,), of frames of the part; those beyond its end are its last."""
        return self.start + np.minimum(np.asarray(indices, np.int64), self.frames - 1)


class PartStore(ClipStore):
    """Parts of clips as clips of their own, of one or several stores.

    Args:
        parts: their names differ.
    """

    def __init__(self, parts: Iterable[Part]) -> None:
        self._parts = {part.name: part for part in parts}
        self.root = next(iter(self._parts.values())).store.root
        self._clips = [
            replace(part.clip, name=name, identity=part.identity, frames=part.frames)
            for name, part in sorted(self._parts.items())
        ]

    def clips(self) -> list[Clip]:
        return list(self._clips)

    def sources(self) -> list[Path]:
        stores = {id(part.store): part.store for part in self._parts.values()}
        return [path for store in stores.values() for path in store.sources()]

    def frames(self, clip: Clip, indices: Sequence[int], size: int | None = None) -> Frames:
        part = self._parts[clip.name]
        return part.store.frames(part.clip, part.places(indices).tolist(), size)

    def arrays(self) -> frozenset[str]:
        return frozenset.intersection(*(part.store.arrays() for part in self._parts.values()))

    def array(self, clip: Clip, key: str, indices: Sequence[int] | NDArray[np.integer]) -> NDArray[np.float32]:
        part = self._parts[clip.name]
        return part.store.array(part.clip, key, part.places(indices))

    def sound(self, clip: Clip, start: int, stop: int) -> NDArray[np.float32]:
        part = self._parts[clip.name]
        before = round(part.start / (part.clip.fps or FPS) * SAMPLE_RATE_HZ)
        return part.store.sound(part.clip, before + start, before + stop)


def hold_out(store: ClipStore) -> tuple[list[Part], list[Part]]:
    """(parts to learn from, parts held out) of the clips of one person.

    Of several clips the last one by name is held out; of a single one its last fifth, without a second before it.

    Raises:
        DataError: if the only clip is too short for that.
    """
    (*first, last) = [Part.whole(store, clip, "person") for clip in store.clips()]
    if first:
        return first, [last]
    held = math.ceil(_HELD_SHARE * last.frames)
    begin = last.frames - held
    gap = math.ceil(_GAP_S * (last.clip.fps or FPS))
    if begin - gap < _FEWEST or held < _FEWEST:
        cure = "Give two clips, or one of some seconds."
        what = f"{last.frames} frames are too few to learn from and to hold some out"
        raise DataError(what, where=store.root, cure=cure)
    return [last.cut(0, begin - gap)], [last.cut(begin, held)]


def beside(person: ClipStore, others: ClipStore) -> ClipStore:
    """Store of a person and of other people; either side gives half of the items."""
    own = [Part.whole(person, clip, "person") for clip in person.clips()]
    strangers = [Part.whole(others, clip, "others") for clip in others.clips()]
    return PartStore([*own, *(replace(part, name=f"others/{part.name}") for part in strangers)])
