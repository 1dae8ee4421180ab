"""Engines that run a step on many items: their interface, a pool of processes, and the choice by settings."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import wait as wait_for
from multiprocessing.sharedctypes import Synchronized
from types import TracebackType

from .settings import PrepareSettings
from .step import ItemType, Step, WorkerResult

# Read by numpy and torch when they are loaded. Several threads in each worker would compete for the same cores.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1")
KILLED = "the process at work on it was killed each time (most often: not enough memory; try fewer --workers)"


class Engine(ABC):
    """Runs a step on many items in parallel. Leaving the ``with`` block ends its processes.

    Attributes:
        workers: number of items processed at a time.
    """

    workers: int

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(at_once=error is not None)

    @abstractmethod
    def results(self, step: Step[ItemType], items: Sequence[ItemType]) -> Iterator[tuple[ItemType, WorkerResult]]:
        """Run a step on each item and yield results as they are finished.

        An item whose process dies is tried again, and recorded as failed if its process dies again.
        """

    @abstractmethod
    def close(self, *, at_once: bool = False) -> None:
        """End all processes; ``at_once``: without waiting for their current items."""


def open_engine(settings: PrepareSettings) -> Engine:
    """Open the engine that the settings name.

    Raises:
        DependencyError: if Ray is required and not installed.
    """
    workers = settings.workers or len(os.sched_getaffinity(0))
    if settings.engine == "ray":
        from .engine_ray import RayEngine

        return RayEngine(settings.workers, settings.ray_address, gpus=bool(settings.device_ids))

    return ProcessEngine(workers, settings.device_ids)


logger = logging.getLogger(__name__)


class ProcessEngine(Engine):
    """A pool of spawned processes.

    When one dies (out of memory), the pool breaks without telling the item. A new pool then runs the items that were
    in progress, one at a time; an item that kills its process twice is recorded as failed.

    Args:
        workers: number of processes.
        device_ids: GPUs assigned to them in turn, as in CUDA_VISIBLE_DEVICES; empty: the CPU.
    """

    def __init__(self, workers: int, device_ids: Sequence[str] = ()) -> None:
        self.workers = workers
        self._device_ids = tuple(device_ids)
        self._pool: ProcessPoolExecutor | None = None

    def results(self, step: Step[ItemType], items: Sequence[ItemType]) -> Iterator[tuple[ItemType, WorkerResult]]:
        waiting = deque(items)
        running: dict[Future[WorkerResult], ItemType] = {}
        while waiting or running:
            while waiting and len(running) < 2 * self.workers:  # one in reserve for each, so that no worker is idle
                item = waiting.popleft()
                running[self._submit(step, item)] = item
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            suspects = []
            for future in done:
                item = running.pop(future)
                if isinstance(future.exception(), BrokenProcessPool):
                    suspects.append(item)
                else:
                    yield item, future.result()
            if suspects:
                self._discard()
                yield from self._one_by_one(step, [*suspects, *running.values()])
                running = {}

    def close(self, *, at_once: bool = False) -> None:
        if self._pool is not None:
            for child in multiprocessing.active_children() if at_once else ():
                child.kill()  # unfinished items run again next time
            self._pool.shutdown(cancel_futures=True)
            self._pool = None

    def _one_by_one(self, step: Step[ItemType], items: Sequence[ItemType]) -> Iterator[tuple[ItemType, WorkerResult]]:
        logger.warning("a worker was killed; %d items are tried again, one at a time", len(items))
        for item in items:
            # Twice, because another item may have killed the first process, which makes this the first own death.
            result = self._alone(step, item) or self._alone(step, item)
            yield item, result or WorkerResult(step.failure(item, KILLED, passing=True))

    def _alone(self, step: Step[ItemType], item: ItemType) -> WorkerResult | None:
        """Result of an item that runs alone in the pool; None if its process died."""
        try:
            return self._submit(step, item).result()
        except BrokenProcessPool:
            self._discard()
            return None

    def _submit(self, step: Step[ItemType], item: ItemType) -> Future[WorkerResult]:
        if self._pool is None:
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(
                self.workers,
                context,
                initializer=_begin,
                initargs=(context.Value("i", 0), self._device_ids),
            )
        try:
            # The call spawns a worker, which loads numpy before any code of ours runs in it.
            with _environment(ONE_THREAD):
                return self._pool.submit(step.run, item)
        except BrokenProcessPool as error:
            # Broken between two calls: the item never started, and is treated like those that did.
            future: Future[WorkerResult] = Future()
            future.set_exception(error)
            return future

    def _discard(self) -> None:
        """Shut a broken pool down."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for processes started inside the block."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _begin(count: Synchronized[int], device_ids: Sequence[str]) -> None:
    """Initialise a worker: select its device and end it when the parent ends."""
    with count.get_lock():
        number = count.value
        count.value += 1
    os.environ["CUDA_VISIBLE_DEVICES"] = device_ids[number % len(device_ids)] if device_ids else ""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which ends the workers
    threading.Thread(target=_leave_with_parent, daemon=True).start()


def _leave_with_parent() -> None:
    """End this process when the parent is killed; a pool's workers would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for([parent.sentinel])
        os._exit(1)
