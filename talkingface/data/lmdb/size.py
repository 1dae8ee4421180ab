"""Estimate of the size of an LMDB before it is written."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from ...errors import DataError
from ..store import Clip, ClipStore
from . import keys
from .write import QUALITY, encode_frame

_log = logging.getLogger(__name__)

_PAGE, _PAGE_HEADER, _NODE_HEADER = 4096, 16, 8
_LARGEST_INLINE = 2030  # bytes of key and value; longer values are stored in pages of their own
_FILLED = 0.6  # used share of the pages of keys, on average
_CLIPS, _FRAMES = 6, 12  # numbers of samples


def forecast(store: ClipStore, size: int, *, quality: int = QUALITY, arrays: Sequence[int] = (260, 136)) -> int:
    """Estimate the size of the LMDB of a store in bytes, from some frames of some clips.

    Args:
        store: the clips to write.
        size: side of the pictures in pixels.
        quality: quality of the jpegs, 1 to 100.
        arrays: numbers per frame of the arrays of each clip.
    """
    clips = store.clips()
    chosen = clips[:: max(len(clips) // _CLIPS, 1)][:_CLIPS]
    each = [
        np.mean([_stored(name, length) for name, length in _pictures(store, clip, size, quality)]) for clip in chosen
    ]
    weights = [clip.frames for clip in chosen]
    pictures = float(np.average(each, weights=weights)) * sum(clip.frames for clip in clips)
    rows = sum(_stored(keys.MAX_KEY // 8, 4 * width * clip.frames) for clip in clips for width in arrays)
    return round(pictures + rows)


def stored_size(clip: str, pictures: Sequence[bytes], arrays: Sequence[int] = (260, 136)) -> int:
    """Size of a clip in the file, in bytes.

    Args:
        clip: its name.
        pictures: its encoded frames.
        arrays: numbers per frame of its arrays.
    """
    name = len(keys.frame_key(clip, 0))
    rows = sum(_stored(name, 4 * width * len(pictures)) for width in arrays)
    return round(sum(_stored(name, len(picture)) for picture in pictures) + rows)


def check_room(folder: Path, needed: int) -> None:
    """Check that the disk has room for an LMDB, and log both sizes.

    Args:
        folder: folder of the LMDB; it need not exist.
        needed: size in bytes, as estimated by :func:`forecast`.

    Raises:
        DataError: if the disk has too little room.
    """
    place = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    free = shutil.disk_usage(place).free
    _log.info("%s: the LMDB will take about %s, %s are free", folder, _text(needed), _text(free))
    if needed > free:
        cure = "Make room, or choose smaller --prepare.resolutions or a lower --prepare.jpeg_quality."
        raise DataError(f"the LMDB needs about {_text(needed)}, {_text(free)} are free", where=folder, cure=cure)


def _pictures(store: ClipStore, clip: Clip, size: int, quality: int) -> list[tuple[int, int]]:
    """Lengths of keys and values of some frames, distributed over the first part of a clip."""
    frames = store.whole(clip, limit=4 * _FRAMES)
    name = len(keys.frame_key(clip.name, 0))
    return [(name, len(encode_frame(frame, size, quality=quality))) for frame in islice(frames, 0, None, 4)]


def _stored(key: int, value: int) -> float:
    """Size of a key and its value in the file, in bytes."""
    node = _NODE_HEADER + key
    if key + value <= _LARGEST_INLINE:
        return (node + value) / _FILLED
    return (node + 8) / _FILLED + -(-(value + _PAGE_HEADER) // _PAGE) * _PAGE


def _text(size: int) -> str:
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.1f} MiB"
