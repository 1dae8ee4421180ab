"""``--run_mode=train``: train a model on a data set."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from .. import __version__, registry
from ..config import model_config, save_settings
from ..data.prepare.files import try_file
from ..errors import writing
from ..pipelines.model import choose_device, choose_precision, other_structure
from ..pipelines.plan.known_weights import as_trained, base_config
from ..train import Trainer, TrainSettings
from ..train.checkpoints import claim
from ..train.processes import SIGNALS, join
from ..weights import load_catalogue, resolve
from ..weights.exact import published_bytes
from ..weights.files.read import read_keras_vgg16
from ..weights.load import load_networks, load_strict, read_notes
from .data import data_root, run_folder, with_data
from .training.clips import open_data, open_person
from .training.loss_parity import compare

if TYPE_CHECKING:
    from ..config import Settings
    from ..models.base import ModelPlugin

WHEN_STOPPED = "states saved so far are kept; go on with --train.resume=auto"
ENDED_BY = {number.name: 128 + number for number in SIGNALS}

logger = logging.getLogger(__name__)


def run(settings: Settings) -> int:
    """Train; the last line on standard output is the path of the weights."""
    if settings.train.loss_parity is not None:
        return compare(settings.train.loss_parity)
    folder = run_folder(settings)
    settings = with_data(settings)
    first = os.environ.get("RANK", "0") == "0"
    if first:
        claim(folder, settings.train.resume, bool(settings.overwrite))
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            try_file(folder)
    device = choose_device(settings.device)
    precision = settings.precision
    if precision != "fp16":
        precision = "bf16" if choose_precision(precision, device) is torch.bfloat16 else "float32"
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)  # the networks' first weights
    plugin, held = build_plugin(settings)
    plugin.choose_stage(settings.train.stage)
    samples = plugin.samples()
    data = open_person(settings, samples) if settings.train.finetune else open_data(settings, samples)
    load_auxiliary(plugin, settings)
    saved = folder / "settings.yaml"
    if first:
        save_settings(settings, saved)
    metadata = {"variant": settings.variant} if settings.variant else {}
    trainer = Trainer(
        plugin,
        data.training,
        train_settings(settings),
        folder,
        device,
        precision,
        validation=data.validation,
        others=data.others,
        metadata=metadata,
        held=held,
        origins=origins_of(settings, held, f"{device}, {precision}, threads: {torch.get_num_threads()}", saved),
    )
    result = trainer.run()
    join(device).finish()
    if first:
        print(result.best or result.weights, flush=True)
    return ENDED_BY.get(result.reason, 0)


def origins_of(settings: Settings, held: Sequence[str], machine: str, saved: Path) -> list[str]:
    """Lines that say what a training begins with: weights, seed, data, device and settings.

    Args:
        held: names of the networks that hold the weights of ``--checkpoint``.
        machine: device and precision.
        saved: file of all settings.
    """
    seed = train_settings(settings).seed
    given = settings.checkpoint or settings.train.init_from
    weights = f"{settings.checkpoint or 'default'} ({', '.join(held)})" if held else given or f"new, of seed {seed}"
    if settings.train.resume:
        weights = f"those of the state to resume ({settings.train.resume}), else {weights}"
    parts = [f"training on '{settings.data.train_split or 'all'}'", f"validation on '{settings.evaluate.split}'"]
    files = ", ".join(map(str, settings.config)) or "no --config"
    return [
        f"talkingface {__version__}, torch {torch.__version__}, {machine}",
        f"weights: {weights}",
        f"seed: {seed}",
        f"data: {data_root(settings)}, {' and '.join(parts if settings.evaluate.split else parts[:1])}",
        f"settings: {saved} ({files})",
    ]


def load_auxiliary(plugin: ModelPlugin, settings: Settings) -> None:
    """Load the fixed networks that the losses of a model use, if their files exist.

    The model itself reports missing ones, because it may be able to train without them.
    """
    catalogue, root = load_catalogue(), settings.weights_root
    for name, take in plugin.auxiliary(settings.train).items():
        path = catalogue[name].path(root)
        if path.suffix == ".h5" and path.is_file():
            take(read_keras_vgg16(published_bytes(name, root), path))
        elif path.is_file():
            (state,) = load_networks(path, model=catalogue[name].model).states.values()
            take(state)


def train_settings(settings: Settings) -> TrainSettings:
    """Training settings, with the common ``--seed`` if they have none of their own."""
    if settings.origin("train.seed") != "default":
        return settings.train
    return settings.train.model_copy(update={"seed": settings.seed})


def build_plugin(settings: Settings) -> tuple[ModelPlugin, list[str]]:
    """Build the model and load the weights of ``--checkpoint``, for fine-tuning without one those of an animation.

    Returns:
        The model, and the names of the loaded networks, none without weights.

    Raises:
        UnknownNameError, WeightsError: if there are no such weights, or they do not fit.
    """
    if settings.checkpoint is None and not settings.train.finetune:
        return registry.model(settings.model)(model_config(settings)), []
    weights = resolve(settings.model, settings.checkpoint, settings.weights_root, preferences=dict(settings))
    base = base_config(settings.model, weights, read_notes(weights.paths))
    plugin = registry.model(settings.model)(model_config(as_trained(settings, weights), base))
    held: list[str] = []
    for path in weights.paths:
        states = load_networks(path, model=settings.model).states
        for name in [name for name in states if name in plugin.networks and name not in held]:
            with other_structure(settings, weights):
                load_strict(plugin.networks[name], plugin.adapt(name, states[name]), where=f"{path} ({name})")
            held.append(name)
    logger.info("begins with %s of %s", ", ".join(held), weights.label)
    return plugin, held
