"""Batches of training items, in an order that depends neither on the number of workers nor on resuming."""

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

from ..console import STOP_SIGNALS
from ..models.samples import FPS, SAMPLE_RATE_HZ, AudioWindow, CoefficientWindow, Identity
from .augment import augment_batch, draw_augmentation
from .samples import Item, Offsets, Part, RandomFrames, Sampler, describe, pictures_of
from .settings import AugmentSettings
from .store import ClipStore

_MOMENT_SAMPLES = SAMPLE_RATE_HZ // FPS


def features_of(
    store: ClipStore, item: Item, parts: Mapping[str, Part], identities: Mapping[str, int]
) -> dict[str, NDArray[np.float32] | int]:
    """Values of all parts of an item that are not pictures, by name; see `talkingface.models.samples` for shapes (...).

    Args:
        store: the clips.
        item: the drawn item.
        parts: all parts of the item.
        identities: identity -> number.
    """
    values: dict[str, NDArray[np.float32] | int] = {}
    for name, part in parts.items():
        if isinstance(part, CoefficientWindow):
            values[name] = coefficients_at(store, item, part)
        elif isinstance(part, AudioWindow):
            values[name] = audio_at(store, item, part)
        elif isinstance(part, Identity):
            values[name] = identities[item.clip.identity]
    return values


def coefficients_at(store: ClipStore, item: Item, part: CoefficientWindow) -> NDArray[np.float32]:
    """Rows (len(moments), width) at the moments of a part, interpolated linearly between frames."""
    begin, last = item.begins[part.around], item.clip.frames - 1
    positions = np.array([float(begin + moment * item.step) for moment in part.moments]).clip(0, last)
    before = np.floor(positions).astype(np.int64)
    share = (positions - before).astype(np.float32)[:, None]
    rows = store.array(item.clip, part.key, before)
    if not share.any():
        return rows
    after = store.array(item.clip, part.key, np.minimum(before + 1, last))
    return np.asarray(rows + share * (after - rows), np.float32)


def audio_at(store: ClipStore, item: Item, part: AudioWindow) -> NDArray[np.float32]:
    """Samples ((stop - start) * 640,), mono, 16 kHz, -1..1, around a part, in the time of the clip."""
    begin = round(item.begins[part.around] / abs(item.step) * _MOMENT_SAMPLES)
    return store.sound(item.clip, begin + part.start * _MOMENT_SAMPLES, begin + part.stop * _MOMENT_SAMPLES)


def stack_items(items: list[dict[str, NDArray[np.float32] | int]]) -> dict[str, Tensor]:
    """Stack the parts of N items along a new first axis, (N, ...)."""
    return {name: torch.from_numpy(np.stack([item[name] for item in items])) for name in items[0]}


NO_AUGMENTATION = AugmentSettings(
    horizontal_flip=False, time_flip=False, brightness=0, contrast=0, saturation=0, hue=0, crop=0, rotation_deg=0
)


class Batches(Dataset[dict[str, Tensor]]):
    """Batches of a store by step number, as a pure function of the seed and the step.

    Args:
        store: the clips.
        samples: parts of an item, as returned by ``ModelPlugin.samples``.
        batch_size: items of a batch, in this process.
        image_size: side of the frames in pixels.
        seed: seed of the random draws.
        augment: augmentation of the items; those with coefficients are not moved, as coefficients would not follow.
        rank, world: number of this process, and of all processes, whose batches form one of ``world * batch_size``.
    """

    def __init__(
        self,
        store: ClipStore,
        samples: Mapping[str, Any],
        *,
        batch_size: int,
        image_size: int,
        seed: int = 0,
        augment: AugmentSettings = NO_AUGMENTATION,
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
        drawn = [draw_augmentation(self._augment, random) for random in randoms]
        identities = self._sampler.identities
        others = stack_items([features_of(self._store, item, self._parts, identities) for item in items])
        if not self._pictures:
            return others
        pictures = torch.from_numpy(np.stack([self._frames(item) for item in items]))
        return {**self._split(augment_batch(pictures, drawn, self._augment)), **others}

    def _frames(self, item: Item) -> np.ndarray:
        """Frames of all parts of an item in order, (n, H, W, 3)."""
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
    """Augmentation that keeps the coefficients of an item valid: colours only, if it has any."""
    if not any(isinstance(part, CoefficientWindow) for part in parts):
        return augment
    return augment.model_copy(update={"horizontal_flip": False, "crop": 0.0, "rotation_deg": 0.0})


def batch_loader(batches: Batches, steps: range, workers: int = 0, *, pin: bool = False) -> Iterator[dict[str, Tensor]]:
    """Iterate over the batches of some steps, in order, prepared ahead by worker processes.

    Args:
        batches: the batches; see its ``__getitem__`` for shapes (N, ...).
        steps: numbers of the batches.
        workers: number of processes; 0 prepares each batch when it is requested.
        pin: use page-locked memory, for copies to a GPU.
    """
    # With its own generator the loader takes no number from the global one, which would change a resumed run.
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
    running = iter(loader)
    atexit.register(_end_workers, set(multiprocessing.active_children()) - before)
    return running


def _end_workers(workers: Iterable[BaseProcess]) -> None:
    """Kill workers that still run after an error, when this process exits.

    Python would send them SIGTERM, which they ignore, and wait for ever.
    """
    if left := [worker for worker in workers if worker.is_alive()]:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # torch's own handler calls their end a failure
        for worker in left:
            worker.kill()


def _begin_worker(worker: int) -> None:
    """Limit a worker to one thread, so that training has the cores, and let it ignore Ctrl-C, SIGTERM and SIGHUP.

    A terminal sends Ctrl-C or SIGHUP, and a job scheduler SIGTERM, to the workers too; without workers the last step
    could not be finished and saved. They end with the iterator of the batches or with its process.
    """
    torch.set_num_threads(1)
    for number in (signal.SIGINT, *STOP_SIGNALS):
        signal.signal(number, signal.SIG_IGN)
