"""``--run_mode=train``: train a model on a data set."""

from __future__ import annotations

import logging
import signal
from typing import TYPE_CHECKING

import torch

from .. import registry
from ..config import model_config, save_settings
from ..data import ClipStore, open_store
from ..errors import DataError
from ..paths import default_checkpoint_root
from ..pipelines.device import choose_device, choose_precision
from ..train import Trainer, TrainSettings
from ..train.processes import join
from ..weights import load_catalogue
from ..weights.load import load_networks
from .data import data_root, run_folder, with_data

if TYPE_CHECKING:
    from ..config import Settings
    from ..models.base import ModelPlugin

WHEN_STOPPED = "states saved so far are kept; go on with --train.resume=auto"
ENDED_BY = {signal.SIGINT.name: 130, signal.SIGTERM.name: 143}

logger = logging.getLogger(__name__)


def run(settings: Settings) -> int:
    """Train; the last line on standard output is the path of the weights."""
    folder = run_folder(settings)
    settings = with_data(settings)
    device = choose_device(settings.device)
    precision = "bf16" if choose_precision(settings.precision, device) is torch.bfloat16 else "float32"
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    store = open_training(settings)
    torch.manual_seed(settings.seed)  # the networks' first weights
    plugin = registry.model(settings.model)(model_config(settings))
    give_auxiliary(plugin, settings)
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
    join(device).leave()
    print(result.best or result.weights, flush=True)
    return ENDED_BY.get(result.reason, 0)


def give_auxiliary(plugin: ModelPlugin, settings: Settings) -> None:
    """Hand the model the fixed networks that its losses look through, as far as their files are there.

    What is missing the model itself complains of, because it knows how to train without.
    """
    catalogue, root = load_catalogue(), settings.checkpoint_root or default_checkpoint_root()
    for name, take in plugin.auxiliary(settings.train).items():
        path = catalogue[name].path(root)
        if path.is_file():
            (state,) = load_networks(path, model=catalogue[name].model).states.values()
            take(state)


def seeded(settings: Settings) -> TrainSettings:
    """The training settings, with the common ``--seed`` where they have none of their own."""
    if settings.origin("train.seed") != "default":
        return settings.train
    return settings.train.model_copy(update={"seed": settings.seed})


def open_training(settings: Settings) -> ClipStore:
    """The clips to train on."""
    return _open(settings, settings.data.train_split)


def open_validation(settings: Settings) -> ClipStore | None:
    """The clips to validate on, or None where the data set has no such part."""
    if not settings.evaluate.split:
        return None
    try:
        return _open(settings, settings.evaluate.split)
    except DataError as error:
        logger.warning("no validation: %s", error)
        return None


def _open(settings: Settings, split: str | None) -> ClipStore:
    """Clips of a split, decoded beforehand where ``train.preload`` says so."""
    train = settings.train
    size = train.image_size if train.preload else None
    root = data_root(settings)
    return open_store(root, split, size=train.image_size, preload_size=size, preload_dir=train.preload_dir)
