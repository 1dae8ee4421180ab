"""Add coefficients and sound to a store of clips; both are extracted once and kept."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from ..errors import DataError, WeightsError
from ..models.samples import COEFFICIENTS, AudioWindow, CoefficientWindow
from ..weights.files.numpyfile import map_npy
from .prepare import items
from .prepare.chain import Folders
from .prepare.engine import Engine, open_engine
from .prepare.files import remove_parts
from .prepare.run_step import run_step
from .prepare.settings import PrepareSettings
from .prepare.step import ItemType, Step, WorkerResult
from .prepare.steps.arrays import FULL_SCALE, ExtractSound, read_coefficients
from .prepare.steps.faces import ExtractCoefficients, ExtractLandmarks
from .prepare.tools import PrepareTools
from .samples import describe
from .store import Clip, ClipStore, Frames
from .stores import VIDEO_ENDINGS

_CACHED_CLIPS = 256  # clips whose coefficients are kept in memory, 1.6 MB per minute


class FeatureStore(ClipStore):
    """Clips of a store with coefficients or sound from separate files.

    Args:
        store: the original store, which gives everything else.
        clips: its clips that have the required features.
        rows: clip -> file of coefficients; empty if the store has its own.
        sounds: clip -> file of samples; empty if no sound is required.
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
        samples = _samples(self._sounds[clip.name])
        inside = samples[max(start, 0) : max(stop, 0)]
        padded = np.zeros(stop - start, np.float32)
        padded[max(-start, 0) :][: len(inside)] = inside
        return padded / np.float32(FULL_SCALE)


@lru_cache(maxsize=_CACHED_CLIPS)
def _rows(path: Path) -> NDArray[np.float32]:
    return read_coefficients(path)[0]


def _samples(path: Path) -> NDArray[np.int16]:
    """Samples (n,) int16 of a file that ``ExtractSound`` wrote, mapped."""
    cure = "Remove the file and run again."
    try:
        samples = map_npy(path)
    except (OSError, WeightsError) as error:
        raise DataError("no readable samples", where=path, cure=cure) from error
    if samples.ndim != 1 or samples.dtype != np.int16:
        raise DataError(f"samples are {samples.shape} {samples.dtype}, not (n,) int16", where=path, cure=cure)
    return samples


_log = logging.getLogger(__name__)
_SPLIT = "all"
_FEW = 16
SOUND_ENDINGS = VIDEO_ENDINGS | {".wav", ".flac", ".m4a", ".mp3", ".ogg", ".opus"}


@dataclass(frozen=True)
class FeatureOptions:
    """Options of the extraction of coefficients and sound.

    Attributes:
        tools: landmark backend and folder of the weights.
        folder: folder of the extracted files; None: ``$XDG_CACHE_HOME/talkingface/clips``.
        sound: folder of sounds or videos named as the clips, for stores without files, such as LMDB; None: the clips
            from which the LMDB was prepared, if they still exist.
        unsure: include clips whose list does not confirm that sound and picture are in sync.
        workers: number of processes; None: one for each core.
    """

    tools: PrepareTools = field(default_factory=PrepareTools)
    folder: Path | None = None
    sound: Path | None = None
    unsure: bool = False
    workers: int | None = None


def add_features(store: ClipStore, samples: Mapping[str, Any], options: FeatureOptions) -> ClipStore:
    """Add the coefficients and the sound that samples require; clips without them are left out, with a note in the log.

    Coefficients are taken from the store if it has them; else they are reconstructed from the faces in its clips. The
    results are kept, and an interrupted extraction continues.

    Args:
        store: the clips.
        samples: parts of an item, as returned by ``ModelPlugin.samples``.
        options: options of the extraction.

    Raises:
        DataError: if no clip has the required features.
    """
    parts = list(describe(samples).values())
    clips = store.clips()
    rows: dict[str, Path] = {}
    sounds: dict[str, Path] = {}
    if any(isinstance(part, AudioWindow) for part in parts):
        clips, sounds = _sounds(store, clips, options)
    wanted = next((part for part in parts if isinstance(part, CoefficientWindow) and part.key == COEFFICIENTS), None)
    if wanted is not None and COEFFICIENTS not in store.arrays():
        clips, rows = _coefficients(store, clips, wanted.space, options)
    return FeatureStore(store, clips, rows, sounds) if len(clips) < len(store.clips()) or rows or sounds else store


def _sounds(store: ClipStore, clips: Sequence[Clip], options: FeatureOptions) -> tuple[list[Clip], dict[str, Path]]:
    """Clips with sound in sync with their pictures, and the files of their samples."""
    find = _SoundFiles(store, options.sound)
    files = {clip.name: path for clip in clips if clip.has_audio is not False and (path := find(clip)) is not None}
    folder = _folder(store, options)
    step = ExtractSound(folder, folder / "sound")
    done = _run([step], files, options, folder)
    kept = [clip for clip in clips if clip.name in done]
    _note(len(clips) - len(kept), "without sound are left out")
    sure = [clip for clip in kept if options.unsure or clip.sync in ("", "ok")]
    _note(len(kept) - len(sure), "whose list doubts their sound are left out; --data.unsure_sync takes them")
    if not sure:
        cure = "Choose clips with sound, or name a folder of sounds with the names of the clips: --data.sound=FOLDER."
        raise DataError("no clip has a sound to train on", where=store.root, cure=cure)
    return sure, {clip.name: step.target(_item(clip.name, files[clip.name])) for clip in sure}


def _coefficients(
    store: ClipStore, clips: Sequence[Clip], space: str, options: FeatureOptions
) -> tuple[list[Clip], dict[str, Path]]:
    """Clips with a face, and the files of their coefficients."""
    files = {clip.name: path for clip in clips if (path := store.file(clip)) is not None}
    if not files:
        cure = "Prepare the data set again with the step 'coefficients': --run_mode=prepare."
        what = "the clips have no 3DMM coefficients, and are no files to find them in"
        raise DataError(what, where=store.root, cure=cure)
    folder = _folder(store, options)
    tools = replace(options.tools, space=space or "auto").resolved(landmarks=True, space=True)
    home = folder / tools.space
    faces = ExtractLandmarks(folder, home / "landmarks", tools, keep_mesh=tools.space == "mesh")
    step = ExtractCoefficients(folder, home / "landmarks", home / "coefficients", tools)
    done = _run([faces, step], files, options, home)
    _note(len(files) - len(done), "without a face that can be followed are left out")
    if not done:
        raise DataError("no clip has a face that can be followed", where=store.root, cure="See docs/data.md.")
    kept = [clip for clip in clips if clip.name in done]
    return kept, {clip.name: step.target(_item(clip.name, files[clip.name])) for clip in kept}


def _run(
    steps: Sequence[Step[items.ClipFile]], files: Mapping[str, Path], options: FeatureOptions, home: Path
) -> set[str]:
    """Run the steps on clips that are not done yet; returns the names of the clips for which all are done."""
    clips = {_item(name, path).name: name for name, path in files.items()}
    remaining = [_item(name, path) for name, path in files.items()]
    home.mkdir(parents=True, exist_ok=True)
    # Processes of one training wait here for the first of them, which does the work.
    with FileLock(home / ".lock"), _engine(len(remaining), options.workers) as engine:
        remove_parts(home)
        for step in steps:
            _, records = run_step(step, remaining, lambda: engine, home / "manifests")
            done = {record.item for record in records if record.outcome == "done"}
            remaining = [item for item in remaining if item.name in done]
    return {clips[item.name] for item in remaining}


class _InProcessEngine(Engine):
    """Engine that runs steps in this process."""

    workers = 1

    def results(self, step: Step[ItemType], items: Sequence[ItemType]) -> Iterator[tuple[ItemType, WorkerResult]]:
        return ((item, step.run(item)) for item in items)

    def close(self, *, at_once: bool = False) -> None:
        return


def _engine(count: int, workers: int | None) -> Engine:
    """Choose the engine: this process for a few clips, because worker processes take seconds to start."""
    return _InProcessEngine() if workers == 1 or count <= _FEW else open_engine(PrepareSettings(workers=workers))


def _item(name: str, path: Path) -> items.ClipFile:
    """Convert a clip to an item of the preparation steps, whose name is a plain file name."""
    digest = hashlib.sha256(os.fsencode(name)).hexdigest()[:8]
    return items.ClipFile(f"{Path(name).stem}-{digest}", _SPLIT, path.absolute())


class _SoundFiles:
    """Finds the file with the sound of a clip.

    Args:
        store: store of the clips.
        folder: as `FeatureOptions.sound`.
    """

    def __init__(self, store: ClipStore, folder: Path | None) -> None:
        self._store = store
        folder = folder or Folders.under(store.root).clips
        files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SOUND_ENDINGS)
        self._named = {path.stem: path for path in files}

    def __call__(self, clip: Clip) -> Path | None:
        """File with the sound of a clip, None if there is none."""
        from ..media.sounds.audio import has_audio

        path = self._store.file(clip) or self._named.get(clip.name) or self._named.get(clip.name.replace("#", "_"))
        return path if path is not None and has_audio(path) else None


def _folder(store: ClipStore, options: FeatureOptions) -> Path:
    """Folder of the extracted files of a store."""
    home = options.folder or default_folder()
    root = store.root.resolve()
    return home / f"{root.name}-{hashlib.sha256(os.fsencode(root)).hexdigest()[:12]}"


def default_folder() -> Path:
    """Default folder of extracted files, in the user's cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "talkingface" / "clips"


def _note(count: int, what: str) -> None:
    if count:
        _log.info("%d clips %s", count, what)
