"""Store of a folder in which clips lie in several layouts, and the note about what of a folder is left out."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .store import Clip, ClipStore, Frames

_NAMED = 50  # of what is left out; more are counted
_log = logging.getLogger(__name__)


class MixedStore(ClipStore):
    """Clips of several stores with one root, such as videos and folders of pictures.

    Args:
        stores: names of their clips differ.
    """

    def __init__(self, stores: Sequence[ClipStore]) -> None:
        self.root = stores[0].root
        self._owners = {clip.name: store for store in stores for clip in store.clips()}
        self._clips = sorted((clip for store in stores for clip in store.clips()), key=lambda clip: clip.name)
        self._stores = tuple(stores)

    def clips(self) -> list[Clip]:
        return list(self._clips)

    def sources(self) -> list[Path]:
        return [path for store in self._stores for path in store.sources()]

    def frames(self, clip: Clip, indices: Sequence[int], size: int | None = None) -> Frames:
        return self._owners[clip.name].frames(clip, indices, size)

    def arrays(self) -> frozenset[str]:
        return frozenset.intersection(*(store.arrays() for store in self._stores))

    def array(self, clip: Clip, key: str, indices: Sequence[int] | NDArray[np.integer]) -> NDArray[np.float32]:
        return self._owners[clip.name].array(clip, key, indices)

    def sound(self, clip: Clip, start: int, stop: int) -> NDArray[np.float32]:
        return self._owners[clip.name].sound(clip, start, stop)

    def file(self, clip: Clip) -> Path | None:
        return self._owners[clip.name].file(clip)

    def whole(self, clip: Clip, size: int | None = None, limit: int | None = None) -> Frames:
        return self._owners[clip.name].whole(clip, size, limit)


def note_left_out(root: Path, left_out: Sequence[tuple[str, str]]) -> None:
    """Log one note about all that is left out of a data set; once, however often the set is opened.

    Args:
        left_out: (name, why) of each.
    """
    if left_out:
        _note(root, tuple(left_out))


@lru_cache(maxsize=256)
def _note(root: Path, left_out: tuple[tuple[str, str], ...]) -> None:
    named = "; ".join(f"{name} ({why})" for name, why in left_out[:_NAMED])
    more = f"; and {len(left_out) - _NAMED} more" if len(left_out) > _NAMED else ""
    _log.warning("%s: %d left out: %s%s", root, len(left_out), named, more)
