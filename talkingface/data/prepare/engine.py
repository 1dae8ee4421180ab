"""Who does the work: the common face of the engines, and the choice between them."""

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
from .step import Answer, Step, Thing

# Read by numpy and torch when they are loaded. More threads than one in each worker only get into each other's way.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1")
KILLED = "the process at work on it was killed each time (most often: not enough memory; try fewer --workers)"


class Engine(ABC):
    """Does a step on many items at once. Leaving the ``with`` block ends its processes.

    Attributes:
        workers: how many items are in work at a time.
    """

    workers: int

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(at_once=error is not None)

    @abstractmethod
    def answers(self, step: Step[Thing], items: Sequence[Thing]) -> Iterator[tuple[Thing, Answer]]:
        """Do a step on each item; in the order in which they are finished.

        An item whose process dies is tried again, and recorded as failed if that ends the same way.
        """

    @abstractmethod
    def close(self, *, at_once: bool = False) -> None:
        """End all processes; ``at_once`` in the middle of their work."""


def open_engine(settings: PrepareSettings) -> Engine:
    """The engine of the settings.

    Raises:
        DependencyError: if Ray is wanted and not installed.
    """
    workers = settings.workers or len(os.sched_getaffinity(0))
    if settings.engine == "ray":
        from .engine_ray import RayEngine

        return RayEngine(settings.workers, settings.ray_address, gpus=bool(settings.device_ids))

    return ProcessEngine(workers, settings.device_ids)


logger = logging.getLogger(__name__)


class ProcessEngine(Engine):
    """A pool of spawned processes.

    When one dies (out of memory), the pool is of no more use and nobody can say which item it was. So a new pool does
    the items that were in work, one at a time: what kills its process twice is the culprit, and is recorded as failed.

    Args:
        workers: number of processes.
        device_ids: GPUs that they share in turn, as CUDA_VISIBLE_DEVICES takes them; empty: the CPU.
    """

    def __init__(self, workers: int, device_ids: Sequence[str] = ()) -> None:
        self.workers = workers
        self._device_ids = tuple(device_ids)
        self._pool: ProcessPoolExecutor | None = None

    def answers(self, step: Step[Thing], items: Sequence[Thing]) -> Iterator[tuple[Thing, Answer]]:
        waiting = deque(items)
        running: dict[Future[Answer], Thing] = {}
        while waiting or running:
            while waiting and len(running) < 2 * self.workers:  # one more for each, so that none has to wait
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
                child.kill()  # what it has not finished is done again next time
            self._pool.shutdown(cancel_futures=True)
            self._pool = None

    def _one_by_one(self, step: Step[Thing], items: Sequence[Thing]) -> Iterator[tuple[Thing, Answer]]:
        logger.warning("a worker was killed; %d items are tried again, one at a time", len(items))
        for item in items:
            # Twice, because the first death may have been another item's doing, and this one's own first only now.
            answer = self._alone(step, item) or self._alone(step, item)
            yield item, answer or Answer(step.failure(item, KILLED, passing=True))

    def _alone(self, step: Step[Thing], item: Thing) -> Answer | None:
        """The answer to an item that has the pool to itself; None if its process died."""
        try:
            return self._submit(step, item).result()
        except BrokenProcessPool:
            self._discard()
            return None

    def _submit(self, step: Step[Thing], item: Thing) -> Future[Answer]:
        if self._pool is None:
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(
                self.workers,
                context,
                initializer=_begin,
                initargs=(context.Value("i", 0), self._device_ids),
            )
        try:
            with _environment(
                ONE_THREAD
            ):  # a worker is spawned by the call, and has loaded numpy before it can be told
                return self._pool.submit(step.answer, item)
        except BrokenProcessPool as error:
            # Broken between two calls: the item was never begun, but shares the way of those that were.
            future: Future[Answer] = Future()
            future.set_exception(error)
            return future

    def _discard(self) -> None:
        """End what is left of a broken pool."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Variables that processes begun in this block find."""
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
    """First thing in a worker: its device, and an eye on the parent."""
    with count.get_lock():
        number = count.value
        count.value += 1
    os.environ["CUDA_VISIBLE_DEVICES"] = device_ids[number % len(device_ids)] if device_ids else ""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which ends us
    threading.Thread(target=_leave_with_parent, daemon=True).start()


def _leave_with_parent() -> None:
    """End this process when the parent is killed: a pool's workers would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for([parent.sentinel])
        os._exit(1)
