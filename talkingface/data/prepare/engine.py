"""Who does the work: the common face of the engines, and the choice between them."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
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
    from .engine_process import ProcessEngine

    return ProcessEngine(workers, settings.device_ids)
