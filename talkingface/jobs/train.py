"""``--run_mode=train``: train a model on a data set."""

from __future__ import annotations

import logging
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from .. import registry
from ..config import model_config, save_settings
from ..data import ClipStore, open_store
from ..errors import DataError
from ..pipelines.device import choose_device, choose_precision
from ..train import Trainer, TrainSettings
from .data import data_root, run_folder

if TYPE_CHECKING:
    from ..config import Settings

WHEN_STOPPED = "states saved so far are kept; go on with --train.resume=auto"
ENDED_BY = {signal.SIGINT.name: 130, signal.SIGTERM.name: 143}

logger = logging.getLogger(__name__)


def run(settings: Settings) -> int:
    """Train; the last line on standard output is the path of the weights."""
    device = choose_device(settings.device)
    precision = "bf16" if choose_precision(settings.precision, device) is torch.bfloat16 else "float32"
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    store = open_training(settings)
    folder = run_folder(settings)
    torch.manual_seed(settings.seed)  # the networks' first weights
    plugin = registry.model(settings.model)(model_config(settings))
    save_settings(settings, folder / "settings.yaml")
    metadata = {"variant": settings.variant} if settings.variant else {}
    trainer = Trainer(
        plugin,
        store,
        seeded(settings),
        folder,
        device,
        precision,
        validation=open_validation(settings),
        metadata=metadata,
    )
    result = trainer.run()
    print(result.best or result.weights, flush=True)
    return ENDED_BY.get(result.reason, 0)


def seeded(settings: Settings) -> TrainSettings:
    """The training settings, with the common ``--seed`` where they have none of their own."""
    if settings.origin("train.seed") != "default":
        return settings.train
    return settings.train.model_copy(update={"seed": settings.seed})


def open_training(settings: Settings) -> ClipStore:
    """The clips to train on, decoded beforehand where ``train.preload`` says so."""
    train = settings.train
    size = train.image_size if train.preload else None
    return open_store(data_root(settings), settings.data.train_split, preload_size=size, preload_dir=train.preload_dir)


def open_validation(settings: Settings) -> ClipStore | None:
    """The clips to validate on, or None where the data set has no such part."""
    root: Path = data_root(settings)
    if not settings.evaluate.split:
        return None
    try:
        return open_store(root, settings.evaluate.split)
    except DataError as error:
        logger.warning("no validation: %s", error)
        return None
