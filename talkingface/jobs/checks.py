"""Everything that a job refuses before it loads a network. No torch here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .. import registry
from ..config import model_config
from ..errors import ConfigError, TalkingFaceError, collected
from ..media.formats import check_place
from ..models.settings import TrainedConfig, missing_loss_file
from ..pipelines.plan.assignment import check_there
from ..pipelines.plan.checks import settings_problems
from ..pipelines.plan.known_weights import config_of
from ..plugins import METRICS
from ..weights import load_catalogue
from .data import run_folder, with_data

if TYPE_CHECKING:
    from ..config import Settings


def job_problems(settings: Settings, known: Sequence[TalkingFaceError] = ()) -> list[TalkingFaceError]:
    """Everything that is wrong with the files and names in the settings of a job.

    Args:
        known: what is wrong with flags; a job that lacks an input is not reported then, as a misspelt flag may give it.
    """
    if settings.model not in registry.models():
        return []
    problems: list[TalkingFaceError] = []
    if settings.precision == "fp16" and settings.run_mode != "train":
        problems.append(ConfigError("is for training alone", where="--precision=fp16", cure="Use --precision=bf16."))
    with collected(problems):
        if settings.run_mode == "infer":
            problems += settings_problems(settings, known)
        elif settings.run_mode == "train" and settings.train.loss_parity is not None:
            folder = settings.train.loss_parity
            check_there(folder, f"--train.loss_parity={folder}")
            return problems
        elif settings.run_mode == "train" or (settings.run_mode == "evaluate" and not settings.scores_videos):
            problems += data_problems(settings, known)
        if settings.run_mode == "train":
            problems += training_problems(settings)
        if settings.run_mode == "evaluate":
            for name in (name for name in settings.evaluate.metrics if name != "all"):
                with collected(problems):
                    METRICS.get(name, where="--evaluate.metrics")
    return problems


def data_problems(settings: Settings, known: Sequence[TalkingFaceError] = ()) -> list[TalkingFaceError]:
    """A data set that is not there, and a folder of results that cannot be written; ``known`` as above."""
    problems: list[TalkingFaceError] = []
    if not settings.data.sample_if_missing and not (known and settings.data.root is None):
        with collected(problems):
            with_data(settings)
    if settings.data.root is not None or settings.dataset is not None or settings.output is not None:
        with collected(problems):
            check_place(run_folder(settings) / "settings.yaml")
    return problems


def _loss_files(config: TrainedConfig, settings: Settings) -> list[TalkingFaceError]:
    """Fixed networks that the losses need and that are not there; of a sweep each trial is asked."""
    if settings.train.sweep is not None:
        return []
    catalogue, root = load_catalogue(), settings.weights_root
    names = config.loss_files(settings.train.stage, settings.train)
    return [missing_loss_file(name) for name in names if not catalogue[name].path(root).is_file()]


def training_problems(settings: Settings) -> list[TalkingFaceError]:
    """Names of stages, losses and phases that a training does not have, and states that are not there."""
    problems: list[TalkingFaceError] = []
    with collected(problems):
        config = model_config(settings) if settings.checkpoint is None else config_of(settings)
        if isinstance(config, TrainedConfig):
            problems += list(config.training_problems(settings.train.stage, settings.train)) or _loss_files(
                config, settings
            )
    start, resume = settings.train.init_from, settings.train.resume
    if start is not None:
        with collected(problems):
            check_there(start, f"--train.init_from={start}")
    if resume not in ("", "auto"):
        from ..train.checkpoints import find_resume  # loads torch

        with collected(problems):
            find_resume(resume, run_folder(settings))
    return problems
