"""Engine for several machines: each step is a stage of Ray Data with one task per item.

All machines see the raw videos and the data set under the same paths (a shared file system) and have this package
installed. Only the main process writes manifests and LMDB.
"""

from __future__ import annotations

import hashlib
import logging
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ... import __version__
from ...errors import ConfigError, DependencyError, TalkingFaceError
from ...part_files import temporary_folder
from ...paths import install_command
from .engine import KILLED, ONE_THREAD, Engine
from .step import ItemType, Step, WorkerResult

logger = logging.getLogger(__name__)
_ITEMS_A_BLOCK = 8  # number of items lost with a worker, where there are very many items
_MOST_BLOCKS = 1000
_ATTEMPTS = 2
_INSTALL = f"Install the same version on all its machines, here with: {install_command('ray')}"


class LostClusterError(TalkingFaceError):
    """The connection to the cluster was lost during a step."""


class RayEngine(Engine):
    """Engine that runs steps as stages of Ray Data.

    Args:
        workers: tasks at a time; None: one for each CPU of the cluster.
        address: address of a running cluster (``auto``, ``ray://...``); None starts one on this machine and ends it
            with the engine.
        gpus: reserve a GPU for each task.

    Raises:
        DependencyError: if Ray is not installed.
        ConfigError: if there is no cluster at the address.
    """

    def __init__(self, workers: int | None, address: str | None = None, *, gpus: bool = False) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no usage statistics are sent
        try:
            import ray
            import ray.data
        except ImportError as error:
            cure = f"Install it with: {install_command('ray')}"
            raise DependencyError("Ray is not installed", where="--engine=ray", cure=cure) from error
        self._ray, self._address, self._gpus = ray, address, gpus
        self._on_term = signal.getsignal(signal.SIGTERM)
        self._start(workers)
        self._check_version()
        self.workers = workers or max(1, int(ray.cluster_resources().get("CPU", 1)))

    def results(self, step: Step[ItemType], items: Sequence[ItemType]) -> Iterator[tuple[ItemType, WorkerResult]]:
        if not items:
            return
        ray = self._ray
        ray.data.DataContext.get_current().enable_progress_bars = False
        by_name = {item.name: item for item in items}
        blocks = len(items) if len(items) <= _MOST_BLOCKS else -(-len(items) // _ITEMS_A_BLOCK)
        source = ray.data.from_items([{"item": item} for item in items], override_num_blocks=blocks)
        with temporary_folder(step.root) as attempts:
            stage = source.map(
                _run_task,
                fn_args=(step, attempts),
                concurrency=self.workers,
                num_cpus=1,
                num_gpus=int(self._gpus),
            )
            for result in self._rows(stage):
                yield by_name[result.record.item], result

    def _rows(self, stage: Any) -> Iterator[WorkerResult]:
        """Yield the results of a stage as they are finished.

        Raises:
            LostClusterError: if the cluster fails, not a task.
        """
        try:
            for row in stage.iter_rows():
                yield row["result"]
        except self._ray.exceptions.RayTaskError:
            raise  # a bug in the task; the error holds its traceback
        except (self._ray.exceptions.RayError, ConnectionError) as error:
            what = f"the Ray cluster is lost ({type(error).__name__})"
            raise LostClusterError(what, where="--engine=ray", cure="Run it again; it goes on from here.") from error

    def close(self, *, at_once: bool = False) -> None:
        self._ray.shutdown()
        if self._on_term is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._on_term)  # Ray replaces the handler and does not restore it

    def _start(self, workers: int | None) -> None:
        if self._ray.is_initialized():
            return
        quiet: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
        if self._address is None:
            os.environ.update(ONE_THREAD)  # inherited by the workers
            os.environ.setdefault("RAY_worker_niceness", "0")  # 15 by default, which starves them beside other work
            self._ray.init(num_cpus=workers, include_dashboard=False, **quiet)
        else:
            try:
                self._ray.init(address=self._address, **quiet)
            except ConnectionError as error:
                cure = "Start one with: ray start --head, or leave the address out."
                raise ConfigError(f"no Ray cluster answers ({error})", where="--ray_address", cure=cure) from error
        logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # our own report lists the failures

    def _check_version(self) -> None:
        """Raise ConfigError if the cluster lacks this package: each task would fail, and Ray would not say why."""
        try:
            installed = self._ray.get(self._ray.remote(_version).remote())
        except self._ray.exceptions.RayError as error:
            what = f"a worker of the cluster cannot import this package ({type(error).__name__})"
            raise ConfigError(what, where="--engine=ray", cure=_INSTALL) from error
        if installed != __version__:
            raise ConfigError(
                f"the cluster has version {installed}, not {__version__}", where="--engine=ray", cure=_INSTALL
            )


def _version() -> str:
    """Version of this package where the task runs."""
    return __version__


def _run_task(row: dict[str, Any], step: Step[Any], attempts: Path) -> dict[str, WorkerResult]:
    """Run one task: a step on one item.

    Ray Data restarts a task whose worker was killed without limit, so each attempt is counted in a file.
    """
    item = row["item"]
    counter = attempts / hashlib.sha256(item.name.encode()).hexdigest()
    with counter.open("ab") as file:
        file.write(b".")
    if counter.stat().st_size > _ATTEMPTS:
        return {"result": WorkerResult(step.failure(item, KILLED, passing=True))}
    return {"result": step.run(item)}
