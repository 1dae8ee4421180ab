"""What an item holds beside pictures: numbers and sound of moments, on their own clock."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..models.samples import FPS, SAMPLE_RATE_HZ, Identity, Rows, Sound
from .samples import Item, Part
from .store import ClipStore

_MOMENT_SAMPLES = SAMPLE_RATE_HZ // FPS


def moments_of(
    store: ClipStore, item: Item, parts: Mapping[str, Part], identities: Mapping[str, int]
) -> dict[str, NDArray[np.float32] | int]:
    """All parts of an item that are no pictures, by name."""
    values: dict[str, NDArray[np.float32] | int] = {}
    for name, part in parts.items():
        if isinstance(part, Rows):
            values[name] = rows_at(store, item, part)
        elif isinstance(part, Sound):
            values[name] = sound_at(store, item, part)
        elif isinstance(part, Identity):
            values[name] = identities[item.clip.identity]
    return values


def rows_at(store: ClipStore, item: Item, part: Rows) -> NDArray[np.float32]:
    """(len(moments), width): the numbers at the moments, interpolated between frames."""
    begin, last = item.begins[part.around], item.clip.frames - 1
    places = np.array([float(begin + moment * item.step) for moment in part.moments]).clip(0, last)
    before = np.floor(places).astype(np.int64)
    share = (places - before).astype(np.float32)[:, None]
    rows = store.array(item.clip, part.key, before)
    if not share.any():
        return rows
    after = store.array(item.clip, part.key, np.minimum(before + 1, last))
    return np.asarray(rows + share * (after - rows), np.float32)


def sound_at(store: ClipStore, item: Item, part: Sound) -> NDArray[np.float32]:
    """((stop - start) * 640,): the sound around the part, in the clip's own time."""
    begin = round(item.begins[part.around] / abs(item.step) * _MOMENT_SAMPLES)
    return store.sound(item.clip, begin + part.start * _MOMENT_SAMPLES, begin + part.stop * _MOMENT_SAMPLES)


def batched(items: list[dict[str, NDArray[np.float32] | int]]) -> dict[str, Tensor]:
    """The same parts of several items, stacked."""
    return {name: torch.from_numpy(np.stack([item[name] for item in items])) for name in items[0]}
