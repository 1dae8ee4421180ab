"""A store together with what its own files do not hold: coefficients, and sound that is ready to be cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..models.samples import COEFFICIENTS
from .prepare.arrays import read_coefficients
from .prepare.sound import FULL_SCALE
from .store import Clip, ClipStore, Frames

_REMEMBERED = 256  # clips whose rows are kept in memory: a minute of them takes 1.6 MB


class EquippedStore(ClipStore):
    """Some clips of a store, with coefficients or sound out of files beside it.

    Args:
        store: where everything else comes from.
        clips: those of its clips that have what is needed.
        rows: clip -> file of coefficients; empty where the store has its own.
        sounds: clip -> file of samples; empty where no sound is needed.
    """

    def __init__(
        self, store: ClipStore, clips: Sequence[Clip], rows: Mapping[str, Path], sounds: Mapping[str, Path]
    ) -> None:
        self._store, self._clips, self._rows, self._sounds = store, list(clips), dict(rows), dict(sounds)
        self.root = store.root

    def clips(self) -> list[Clip]:
        return list(self._clips)

    def sources(self) -> list[Path]:
        return self._store.sources()

    def file(self, clip: Clip) -> Path | None:
        return self._store.file(clip)

    def frames(self, clip: Clip, indices: Sequence[int], size: int | None = None) -> Frames:
        return self._store.frames(clip, indices, size)

    def whole(self, clip: Clip, size: int | None = None, limit: int | None = None) -> Frames:
        return self._store.whole(clip, size, limit)

    def arrays(self) -> frozenset[str]:
        return self._store.arrays() | ({COEFFICIENTS} if self._rows else frozenset())

    def array(self, clip: Clip, key: str, indices: Sequence[int] | NDArray[np.integer]) -> NDArray[np.float32]:
        if key != COEFFICIENTS or clip.name not in self._rows:
            return self._store.array(clip, key, indices)
        rows = _rows(self._rows[clip.name])
        return rows[np.minimum(np.asarray(indices), len(rows) - 1)]

    def sound(self, clip: Clip, start: int, stop: int) -> NDArray[np.float32]:
        if clip.name not in self._sounds:
            return self._store.sound(clip, start, stop)
        samples = np.load(self._sounds[clip.name], mmap_mode="r", allow_pickle=False)
        inside = samples[max(start, 0) : max(stop, 0)]
        wave = np.zeros(stop - start, np.float32)
        wave[max(-start, 0) :][: len(inside)] = inside
        return wave / np.float32(FULL_SCALE)


@lru_cache(maxsize=_REMEMBERED)
def _rows(path: Path) -> NDArray[np.float32]:
    return read_coefficients(path)[0]
