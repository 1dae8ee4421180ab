"""Batches of training items, in the same order however many processes make them and wherever training resumes."""

from __future__ import annotations

import atexit
import multiprocessing
import signal
from collections.abc import Iterable, Iterator, Mapping
from multiprocessing.process import BaseProcess
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ..models.samples import FPS, SAMPLE_RATE_HZ, Identity, Rows, Sound
from .augment import apply_changes, draw_change
from .samples import Item, Offsets, Part, RandomFrames, Sampler, describe, pictures_of
from .settings import AugmentSettings
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


UNCHANGED = AugmentSettings(
    horizontal_flip=False, time_flip=False, brightness=0, contrast=0, saturation=0, hue=0, crop=0, rotation_deg=0
)


class Batches(Dataset[dict[str, Tensor]]):
    """Batch number ``step`` of a store, as a pure function of the seed and the step.

    Args:
        store: where frames come from.
        samples: what ``ModelPlugin.samples`` says.
        batch_size: items of a batch, in this process.
        image_size: side of the frames in pixels.
        seed: of the random draws.
        augment: random changes of the items; those with coefficients are not moved, which these would not follow.
        rank, world: number of this process and of all; together they make one batch of ``world * batch_size`` items.
    """

    def __init__(
        self,
        store: ClipStore,
        samples: Mapping[str, Any],
        *,
        batch_size: int,
        image_size: int,
        seed: int = 0,
        augment: AugmentSettings = UNCHANGED,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self._store, self._parts = store, describe(samples)
        self._pictures, self._augment = pictures_of(self._parts), _fitting(augment, self._parts.values())
        self._batch_size, self._size, self._rank, self._world = batch_size, image_size, rank, world
        self._sampler = Sampler(store.clips(), self._parts, seed, time_flip=augment.time_flip)

    def __getitem__(self, step: int) -> dict[str, Tensor]:
        """The batch, by name of the part.

        Pictures are (N, 3, H, W), or (N, n, 3, H, W) for parts of several frames, RGB, float32 in [0, 1]; for the
        others see `talkingface.models.samples`.
        """
        first = (step * self._world + self._rank) * self._batch_size
        randoms = [self._sampler.generator(first + index) for index in range(self._batch_size)]
        items = [self._sampler.item(random) for random in randoms]
        changes = [draw_change(self._augment, random) for random in randoms]
        identities = self._sampler.identities
        others = batched([moments_of(self._store, item, self._parts, identities) for item in items])
        if not self._pictures:
            return others
        pictures = torch.from_numpy(np.stack([self._frames(item) for item in items]))
        return {**self._split(apply_changes(pictures, changes, self._augment)), **others}

    def _frames(self, item: Item) -> np.ndarray:
        """All frames of an item, part after part, (n, H, W, 3)."""
        numbers = [number for name in self._pictures for number in item.frames[name]]
        return self._store.frames(item.clip, numbers, self._size)

    def _split(self, values: Tensor) -> dict[str, Tensor]:
        batch, start = {}, 0
        for name, part in self._pictures.items():
            count = part.count if isinstance(part, RandomFrames) else len(part.offsets)
            chosen = values[:, start : start + count]
            batch[name] = (chosen if count > 1 or isinstance(part, Offsets) else chosen[:, 0]).contiguous()
            start += count
        return batch


def _fitting(augment: AugmentSettings, parts: Iterable[Part]) -> AugmentSettings:
    """The changes that leave the numbers of an item true: colours alone, where it has any."""
    if not any(isinstance(part, Rows) for part in parts):
        return augment
    return augment.model_copy(update={"horizontal_flip": False, "crop": 0.0, "rotation_deg": 0.0})


def batch_loader(batches: Batches, steps: range, workers: int = 0, *, pin: bool = False) -> Iterator[dict[str, Tensor]]:
    """The batches of some steps, in order, made ahead by worker processes.

    Args:
        batches: what to load.
        steps: numbers of the batches.
        workers: processes; 0 makes each batch when it is asked for.
        pin: in page-locked memory, for copies to a GPU.
    """
    # A generator of its own: else the loader takes a number from the global one, and a resumed run would differ.
    own = torch.Generator()
    ahead = 4 if workers else None
    loader: DataLoader[dict[str, Tensor]] = DataLoader(
        batches,
        batch_size=None,
        sampler=steps,
        num_workers=workers,
        prefetch_factor=ahead,
        pin_memory=pin,
        generator=own,
        worker_init_fn=_begin_worker,
    )
    before = set(multiprocessing.active_children())
    made = iter(loader)
    atexit.register(_end_workers, set(multiprocessing.active_children()) - before)
    return made


def _end_workers(workers: Iterable[BaseProcess]) -> None:
    """End those that an error has left behind, when this process leaves.

    Python would send them SIGTERM, which they ignore, and wait for ever.
    """
    if left := [worker for worker in workers if worker.is_alive()]:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # torch's own handler calls their end a failure
        for worker in left:
            worker.kill()


def _begin_worker(worker: int) -> None:
    """Workers keep to one thread each, else they take the cores from training; and only that process is stopped.

    A terminal sends Ctrl-C, and a job scheduler SIGTERM, to the workers too; without them the last step could not be
    finished and saved. They end when the process that asked for them lets go of the batches, or is gone.
    """
    torch.set_num_threads(1)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
