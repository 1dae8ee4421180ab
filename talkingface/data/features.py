"""Finds or makes, once, what a training needs of a store beside pictures: coefficients and sound."""

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

from ..errors import DataError
from ..models.samples import COEFFICIENTS, Rows, Sound
from .prepare import items
from .prepare.chain import Folders
from .prepare.engine import Engine, open_engine
from .prepare.files import remove_parts
from .prepare.run_step import run_step
from .prepare.settings import PrepareSettings
from .prepare.step import Answer, Step, Thing
from .prepare.steps.arrays import FULL_SCALE, ExtractSound, read_coefficients
from .prepare.steps.coefficients import ExtractCoefficients
from .prepare.steps.landmarks import ExtractLandmarks
from .prepare.tools import Tools
from .samples import describe
from .store import Clip, ClipStore, Frames
from .stores import VIDEO_ENDINGS

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


_log = logging.getLogger(__name__)
_SPLIT = "all"
_FEW = 16
SOUND_ENDINGS = VIDEO_ENDINGS | {".wav", ".flac", ".m4a", ".mp3", ".ogg", ".opus"}


@dataclass(frozen=True)
class Equipment:
    """How it is found or made.

    Attributes:
        tools: landmark backend, and where weights are.
        folder: where it is kept; None: ``$XDG_CACHE_HOME/talkingface/clips``.
        sound: folder of sounds or videos named as the clips, for stores whose clips are no files, such as LMDB; None:
            the clips that were prepared with it, if they are still there.
        unsure: take clips too whose list doubts that sound and picture go together.
        workers: processes at work; None: one for each core.
    """

    tools: Tools = field(default_factory=Tools)
    folder: Path | None = None
    sound: Path | None = None
    unsure: bool = False
    workers: int | None = None


def equip(store: ClipStore, samples: Mapping[str, Any], equipment: Equipment) -> ClipStore:
    """The store with what the samples need; clips that cannot have it are left out, with one note.

    Coefficients are taken from the store if it has them; else faces are found in its clips and fitted. That happens
    once: what is made is kept, and goes on where it was interrupted.

    Args:
        store: the clips.
        samples: what ``ModelPlugin.samples`` says.
        equipment: how.

    Raises:
        DataError: if no clip has what is needed; says what to do.
    """
    parts = list(describe(samples).values())
    clips = store.clips()
    rows: dict[str, Path] = {}
    sounds: dict[str, Path] = {}
    if any(isinstance(part, Sound) for part in parts):
        clips, sounds = _sounds(store, clips, equipment)
    wanted = next((part for part in parts if isinstance(part, Rows) and part.key == COEFFICIENTS), None)
    if wanted is not None and COEFFICIENTS not in store.arrays():
        clips, rows = _coefficients(store, clips, wanted.space, equipment)
    return EquippedStore(store, clips, rows, sounds) if len(clips) < len(store.clips()) or rows or sounds else store


def _sounds(store: ClipStore, clips: Sequence[Clip], equipment: Equipment) -> tuple[list[Clip], dict[str, Path]]:
    """The clips with a sound that goes with their pictures, and where their samples are."""
    find = _SoundFiles(store, equipment.sound)
    files = {clip.name: path for clip in clips if clip.has_audio is not False and (path := find(clip)) is not None}
    folder = _folder(store, equipment)
    step = ExtractSound(folder, folder / "sound")
    done = _run([step], files, equipment, folder)
    kept = [clip for clip in clips if clip.name in done]
    _note(len(clips) - len(kept), "without sound are left out")
    sure = [clip for clip in kept if equipment.unsure or clip.sync in ("", "ok")]
    _note(len(kept) - len(sure), "whose list doubts their sound are left out; --data.unsure_sync takes them")
    if not sure:
        cure = "Choose clips with sound, or name a folder of sounds with the names of the clips: --data.sound=FOLDER."
        raise DataError("no clip has a sound to train on", where=store.root, cure=cure)
    return sure, {clip.name: step.target(_item(clip.name, files[clip.name])) for clip in sure}


def _coefficients(
    store: ClipStore, clips: Sequence[Clip], space: str, equipment: Equipment
) -> tuple[list[Clip], dict[str, Path]]:
    """The clips with a face, and where their coefficients are."""
    files = {clip.name: path for clip in clips if (path := store.file(clip)) is not None}
    if not files:
        cure = "Prepare the data set again with the step 'coefficients': --run_mode=prepare."
        what = "the clips have no 3DMM coefficients, and are no files to find them in"
        raise DataError(what, where=store.root, cure=cure)
    folder = _folder(store, equipment)
    tools = replace(equipment.tools, space=space or "auto").chosen(landmarks=True, space=True)
    home = folder / tools.space
    faces = ExtractLandmarks(folder, home / "landmarks", tools, keep_mesh=tools.space == "mesh")
    step = ExtractCoefficients(folder, home / "landmarks", home / "coefficients", tools)
    done = _run([faces, step], files, equipment, home)
    _note(len(files) - len(done), "without a face that can be followed are left out")
    if not done:
        raise DataError("no clip has a face that can be followed", where=store.root, cure="See docs/data.md.")
    kept = [clip for clip in clips if clip.name in done]
    return kept, {clip.name: step.target(_item(clip.name, files[clip.name])) for clip in kept}


def _run(steps: Sequence[Step[items.Clip]], files: Mapping[str, Path], equipment: Equipment, home: Path) -> set[str]:
    """Do the steps on what is not done yet; names of the clips for which all are done."""
    clips = {_item(name, path).name: name for name, path in files.items()}
    things = [_item(name, path) for name, path in files.items()]
    home.mkdir(parents=True, exist_ok=True)
    # Processes of one training wait here for the first of them, which does the work.
    with FileLock(home / ".lock"), _engine(len(things), equipment.workers) as engine:
        remove_parts(home)
        for step in steps:
            _, records = run_step(step, things, lambda: engine, home / "manifests")
            done = {record.item for record in records if record.outcome == "done"}
            things = [thing for thing in things if thing.name in done]
    return {clips[thing.name] for thing in things}


class _Here(Engine):
    """Does the work in this process."""

    workers = 1

    def answers(self, step: Step[Thing], items: Sequence[Thing]) -> Iterator[tuple[Thing, Answer]]:
        return ((item, step.answer(item)) for item in items)

    def close(self, *, at_once: bool = False) -> None:
        return


def _engine(count: int, workers: int | None) -> Engine:
    """Who does the work: for a few clips this process, because others take seconds to start."""
    return _Here() if workers == 1 or count <= _FEW else open_engine(PrepareSettings(workers=workers))


def _item(name: str, path: Path) -> items.Clip:
    """A clip as the steps of the preparation know it; its name is a plain file name."""
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return items.Clip(f"{Path(name).stem}-{digest}", _SPLIT, path.absolute())


class _SoundFiles:
    """Finds the file that a clip's sound is in.

    Args:
        store: of the clips.
        folder: as `Equipment.sound`.
    """

    def __init__(self, store: ClipStore, folder: Path | None) -> None:
        self._store = store
        folder = folder or Folders.under(store.root).clips
        files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SOUND_ENDINGS)
        self._named = {path.stem: path for path in files}

    def __call__(self, clip: Clip) -> Path | None:
        """The file, None where there is none."""
        from ..media.audio import has_audio

        path = self._store.file(clip) or self._named.get(clip.name) or self._named.get(clip.name.replace("#", "_"))
        return path if path is not None and has_audio(path) else None


def _folder(store: ClipStore, equipment: Equipment) -> Path:
    """Where the things of a store are kept."""
    home = equipment.folder or default_folder()
    root = store.root.resolve()
    return home / f"{root.name}-{hashlib.sha256(str(root).encode()).hexdigest()[:12]}"


def default_folder() -> Path:
    """Where such things are kept unless the user says otherwise."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "talkingface" / "clips"


def _note(count: int, what: str) -> None:
    if count:
        _log.info("%d clips %s", count, what)
