"""Store whose frames are decoded once into one memory-mapped file, so that reading an item is a memory copy."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from ..errors import DataError
from ..part_files import atomic_folder
from .store import Clip, ClipStore, Frames

_log = logging.getLogger(__name__)
_FORMAT = 1


class PackedStore(ClipStore):
    """Frames of a store at one size, in a file that all workers and processes map to memory.

    The folder holds ``frames.bin``, all frames one after another as uint8 (H, W, 3), and ``index.json``: the size and,
    per clip, name, identity, frames, rate and number of its first frame.

    Args:
        folder: folder of the decoded frames.
        origin: the store that was decoded; it gives arrays and files.
    """

    def __init__(self, folder: Path, origin: ClipStore | None = None) -> None:
        self._origin = origin
        originals = {clip.name: clip for clip in origin.clips()} if origin else {}
        try:
            index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
            self.root, self.size, self._folder = Path(index["root"]), int(index["size"]), folder
            self._starts = {entry["name"]: int(entry["start"]) for entry in index["clips"]}
            self._clips = [_clip_of(entry, originals.get(entry["name"])) for entry in index["clips"]]
            self._check_length(folder / "frames.bin")
        except (OSError, ValueError, KeyError, TypeError, ArithmeticError, AttributeError, RecursionError) as error:
            raise DataError("decoded frames are damaged", where=folder, cure="Remove the folder.") from error
        self._mapped: Frames | None = None

    def _check_length(self, frames: Path) -> None:
        """ValueError unless the clips are those that the file of frames has room for, one after another."""
        ends = [self._starts[clip.name] + clip.frames for clip in self._clips]
        in_order = min([clip.frames for clip in self._clips], default=0) >= 0
        if not in_order or [0, *ends[:-1]] != [self._starts[clip.name] for clip in self._clips]:
            raise ValueError("clips are not one after another")
        if ends[-1] * self.size**2 * 3 != frames.stat().st_size:
            raise ValueError("frames are missing")

    def clips(self) -> list[Clip]:
        return list(self._clips)

    def sources(self) -> list[Path]:
        return [self._folder / "frames.bin"]

    def frames(self, clip: Clip, indices: Sequence[int], size: int | None = None) -> Frames:
        if size not in (None, self.size):
            raise DataError(f"frames are prepared at {self.size} pixels, not {size}", where=self._folder)
        return self._all()[self._starts[clip.name] + np.asarray(indices)]

    def arrays(self) -> frozenset[str]:
        return frozenset() if self._origin is None else self._origin.arrays()

    def array(self, clip: Clip, key: str, indices: Sequence[int] | NDArray[np.integer]) -> NDArray[np.float32]:
        if self._origin is None:
            return super().array(clip, key, indices)
        return self._origin.array(clip, key, indices)

    def file(self, clip: Clip) -> Path | None:
        return None if self._origin is None else self._origin.file(clip)

    def _all(self) -> Frames:
        if self._mapped is None:
            shape = (sum(clip.frames for clip in self._clips), self.size, self.size, 3)
            self._mapped = np.memmap(self._folder / "frames.bin", np.uint8, "r", shape=shape)
        return self._mapped

    def __getstate__(self) -> dict[str, Any]:
        # A mapped array would be pickled by value; a spawned worker maps the file itself instead.
        return {**self.__dict__, "_mapped": None}


def preload(store: ClipStore, size: int, folder: Path | None = None) -> PackedStore:
    """Decode a store at one size into a mapped file, unless that file exists.

    Args:
        store: the store to decode.
        size: side of the frames in pixels.
        folder: folder of such files; None: ``$XDG_CACHE_HOME/talkingface/frames``.

    Raises:
        DataError: if the disk has too little room.
    """
    folder = folder or default_folder()
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / _key(store, size)
    with FileLock(f"{target}.lock"):
        if not (target / "index.json").is_file():
            _pack(store, size, target)
    return PackedStore(target, store)


def default_folder() -> Path:
    """Default folder of decoded frames, in the user's cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "talkingface" / "frames"


def _key(store: ClipStore, size: int) -> str:
    """Name of the decoded copy; changes with the files, their sizes and times, the clips and the size."""
    stats = [(path.as_posix(), path.stat().st_size, path.stat().st_mtime_ns) for path in store.sources()]
    clips = [(clip.name, clip.identity) for clip in store.clips()]
    text = json.dumps([_FORMAT, str(store.root.resolve()), size, stats, clips])
    return f"{store.root.name}-{size}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _pack(store: ClipStore, size: int, target: Path) -> None:
    """Decode into a folder beside the target and rename it when it is complete."""
    _check_room(store, size, target.parent)
    with atomic_folder(target) as partial:
        entries = _write_frames(store, size, partial / "frames.bin")
        index = {"root": str(store.root.resolve()), "size": size, "clips": entries}
        (partial / "index.json").write_text(json.dumps(index, indent=1), encoding="utf-8")


def _write_frames(store: ClipStore, size: int, path: Path) -> list[dict[str, Any]]:
    """Write all frames; returns the index entries with the actual numbers of frames."""
    entries: list[dict[str, Any]] = []
    start, clips = 0, store.clips()
    with path.open("wb") as file:
        for number, clip in enumerate(clips, 1):
            frames = store.whole(clip, size)
            frames.tofile(file)
            rate = str(clip.fps) if clip.fps is not None else None
            entry = {"name": clip.name, "identity": clip.identity, "frames": len(frames), "fps": rate, "start": start}
            entries.append(entry)
            start += len(frames)
            if number % 50 == 0 or number == len(clips):
                _log.info("prepared %d of %d clips, %d frames", number, len(clips), start)
    return entries


def _check_room(store: ClipStore, size: int, folder: Path) -> None:
    needed = sum(clip.frames for clip in store.clips()) * size * size * 3
    free = shutil.disk_usage(folder).free
    if needed > free:
        what = f"prepared frames need {needed / 2**30:.1f} GiB, {free / 2**30:.1f} GiB are free"
        raise DataError(
            what, where=folder, cure="Make room, choose a smaller --train.image_size or leave --train.preload out."
        )


def _clip_of(entry: dict[str, Any], original: Clip | None) -> Clip:
    """Clip of an index entry, with the facts about sound from the original store."""
    fps = Fraction(entry["fps"]) if entry["fps"] is not None else None
    plain = Clip(entry["name"], entry["identity"], int(entry["frames"]), fps)
    return plain if original is None else replace(plain, has_audio=original.has_audio, sync=original.sync)
