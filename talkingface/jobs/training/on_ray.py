"""``--train.launcher=ray``: processes of a training by Ray Train, and trainings of a sweep by Ray Tune."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...config import read_settings
from ...errors import DependencyError, TalkingFaceError, TrainingError, together
from ...paths import PACKAGE, install_command
from ..data import run_folder

if TYPE_CHECKING:
    from ...config import Settings
    from .sweep import Trial

_TOLD = "talkingface: "
"""Begin of the line with our own error among those of Ray."""

_KEPT = "ray"
"""Folder in that of the run in which Ray keeps its own records."""


def launch(words: Sequence[str], settings: Settings) -> int:
    """Train in ``train.launch`` workers of Ray Train; prints the path of the weights, and returns the exit status.

    The workers need the data set and the run folder under the same paths as this process.

    Args:
        words: the command line, the same in each worker.

    Raises:
        DependencyError: if Ray is not installed.
        TrainingError: if a worker failed.
    """
    with _ray(settings) as ray:
        from ray.train import RunConfig, ScalingConfig
        from ray.train.torch import TorchConfig, TorchTrainer

        gpu = _on_gpu(settings)
        count = settings.train.launch
        folder = run_folder(settings).absolute()
        if not settings.quiet:
            print(f"{count} workers of Ray Train; their log: {folder / 'train.log'}", file=sys.stderr, flush=True)
        trainer = TorchTrainer(
            _work,
            train_loop_config=_call(words),
            torch_config=TorchConfig(backend="nccl" if gpu else "gloo"),
            scaling_config=ScalingConfig(num_workers=count, use_gpu=gpu, resources_per_worker={"CPU": 1}),
            run_config=RunConfig(name="train", storage_path=str(folder / _KEPT)),
        )
        try:
            trainer.fit()
        except (ray.train.TrainingFailedError, ray.exceptions.RayError, RuntimeError) as error:
            raise _failed(error) from error
    export = folder / "export"
    best = export / "best.safetensors"
    print(best if best.is_file() else export / "last.safetensors", flush=True)
    return 0


def run_trials(words: Sequence[str], trials: Sequence[Trial], settings: Settings) -> None:
    """Run the trainings of a sweep as trials of Ray Tune, as many at a time as there are cores or GPUs.

    Args:
        words: the command line of the sweep.
        trials: its trainings; each writes into its own folder.

    Raises:
        DependencyError: if Ray is not installed.
        TrainingError: if a training failed.
    """
    with _ray(settings):
        from ray import tune

        own = ("--train.sweep=none", "--train.launcher=processes")
        calls = [
            _call([*words, *trial.words, f"--output_dir={run_folder(trial.settings).absolute()}", *own])
            for trial in trials
        ]
        needs = {"cpu": float(settings.threads or 1), "gpu": float(_on_gpu(settings))}
        tuner = tune.Tuner(
            tune.with_resources(_try, needs),
            param_space={"call": tune.grid_search(calls)},
            run_config=tune.RunConfig(
                name="sweep", storage_path=str(run_folder(settings).absolute() / _KEPT), verbose=0
            ),
        )
        with redirect_stdout(sys.stderr):  # standard output is for the table
            errors = tuner.fit().errors
    if errors:
        raise _failed(errors[0])


def _call(words: Sequence[str]) -> dict[str, Any]:
    """Command line and present folder, for a worker that begins elsewhere."""
    return {"words": list(words), "folder": str(Path.cwd())}


def _work(call: Mapping[str, Any]) -> None:
    """Be one process of a training; Ray has set the variables that torchrun sets."""
    from ..train import run

    os.chdir(call["folder"])
    settings, problems = read_settings(call["words"])
    if problems:
        raise together(problems)
    level = logging.INFO if os.environ.get("RANK", "0") == "0" and not settings.quiet else logging.ERROR
    logging.basicConfig(level=level, format="%(message)s", stream=sys.stderr, force=True)
    try:
        run(settings)
    except TalkingFaceError as error:  # which Ray could not bring home, as it is made of three parts
        raise RuntimeError(f"{_TOLD}{' '.join(str(error).split())}") from None


def _try(parameters: Mapping[str, Any]) -> None:
    """Be one training of a sweep."""
    _work(parameters["call"])


def _on_gpu(settings: Settings) -> bool:
    from ...pipelines.model import choose_device

    return choose_device(settings.device).type == "cuda"


@contextmanager
def _ray(settings: Settings) -> Iterator[Any]:
    """Ray, connected to the cluster of the settings, or to one on this machine that ends with the block."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no usage statistics are sent
    os.environ.setdefault("RAY_worker_niceness", "0")  # 15 by default, which starves workers beside other work
    try:
        import ray
        import ray.train
        import ray.tune
    except ImportError as error:
        cure = f"Install it with: {install_command('ray')}"
        raise DependencyError("Ray is not installed", where="--train.launcher=ray", cure=cure) from error
    place = os.pathsep.join(filter(None, [str(PACKAGE.parent), os.environ.get("PYTHONPATH", "")]))
    variables = {"PYTHONPATH": place, "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}
    address = settings.train.ray_address
    # With fewer cores than workers Ray would wait for ever.
    cores = {} if address else {"num_cpus": max(os.cpu_count() or 1, settings.train.launch + 1)}
    ray.init(
        address,
        **cores,
        include_dashboard=False if address is None else None,
        logging_level=logging.ERROR,
        log_to_driver=settings.verbose,  # without its dashboard Ray's own processes complain all the time
        runtime_env={"env_vars": variables},
    )
    try:
        yield ray
    finally:
        ray.shutdown()


def _failed(error: BaseException) -> TrainingError:
    """The error of a training that failed in a worker, with the last line of what it says."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    told = next((line.partition(_TOLD)[2] for line in lines if _TOLD in line), lines[-1])
    return TrainingError(told, where="--train.launcher=ray", cure="Go on with --train.resume=auto.")
