"""The recipe of the compact FOM's second generation: from a cache of clips to an exported file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from ..config import variant_params
from ..data.cache.settings import DrawSettings
from ..data.cache.store import FaceCache
from ..data.settings import AugmentSettings
from ..models.fom.config import FOMConfig
from ..models.fom.mixed_objective import start_from
from ..models.fom.mixed_settings import MixedLosses
from ..models.fom.mixed_training import MixedTraining
from ..nn.vgg16 import VGG16
from ..train.cached import CachedTrainer
from ..train.settings import TrainSettings
from ..train.trainer import TrainResult
from ..weights.keras_vgg16 import read_keras_vgg16
from ..weights.load import load_networks, load_strict

AUGMENT = AugmentSettings(
    time_flip=False, brightness=0.15, contrast=0.1, saturation=0.15, hue=0.03, crop=0.15, rotation_deg=8
)


@dataclass(frozen=True)
class Stage:
    """A part of the training.

    Attributes:
        name: of its folder below the run's.
        share: of the hours.
        losses: weights that differ from the usual ones.
        rates: learning rate by phase.
    """

    name: str
    share: float
    losses: Mapping[str, Any] = field(default_factory=dict)
    rates: Mapping[str, float] = field(default_factory=lambda: {"generator": 3e-4, "discriminator": 2e-4})


STAGES = (
    Stage("motion", 0.12),
    Stage(
        "sharp",
        0.88,
        {"adversarial": 0.02, "matching": 0.1, "perceptual": 0.08, "without_points": 0.2},
        {"generator": 3e-4, "discriminator": 2e-4},
    ),
)


DONE = ("finished", "time is up")
"""Ends of a stage after which the next one begins."""

MARK = "done"
"""File that says that a stage has come to its end."""


@dataclass(frozen=True)
class Recipe:
    """What a training needs.

    Attributes:
        cache: folder with the caches of the splits ``train`` and ``val``.
        run_dir: folder of states, logs and exports.
        detector: weights whose keypoint detector is kept as it is.
        init: weights whose generator training starts from.
        vgg: VGG16's weights, a file of Keras; None trains without the perceptual loss.
        hours: of all stages together.
        batch_size: pairs of a step; each is redrawn in both directions.
        small: networks and intervals of a test.
    """

    cache: Path
    run_dir: Path
    detector: Path
    init: Path
    vgg: Path | None = None
    hours: float = 2.0
    batch_size: int = 4
    every: int = 150
    most_steps: int = 1_000_000
    draws: DrawSettings = field(default_factory=DrawSettings)


def train_fom(recipe: Recipe) -> Path:
    """Run the stages, each from the averaged weights of the one before; a stopped run goes on where it was.

    Returns:
        The exported weights of the last stage.
    """
    train, validation = FaceCache(recipe.cache / "train"), FaceCache(recipe.cache / "val")
    made = recipe.init
    for stage in STAGES:
        folder = recipe.run_dir / stage.name
        if not (folder / MARK).is_file():
            result = _run(stage, recipe, made, train, validation)
            if result.reason not in DONE:
                return result.weights
            (folder / MARK).touch()
        made = folder / "export" / "last.safetensors"
    return made


def _run(stage: Stage, recipe: Recipe, init: Path, train: FaceCache, validation: FaceCache) -> TrainResult:
    vgg = None
    if recipe.vgg is not None:
        vgg = VGG16()
        vgg.take(read_keras_vgg16(recipe.vgg))
        vgg = vgg.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    plugin = MixedTraining(mixed_config(), MixedLosses(**stage.losses), stage.rates, vgg)
    load_start(plugin, recipe.detector, init)
    trainer = CachedTrainer(
        plugin,
        train,
        recipe.cache / "train",
        _settings(stage, recipe),
        recipe.draws,
        recipe.run_dir / stage.name,
        validation=validation,
        metadata={"variant": "compact", "stage": stage.name},
    )
    return trainer.run()


def mixed_config() -> FOMConfig:
    """The shipped variant's settings with mixed keypoints."""
    return FOMConfig.model_validate({**variant_params("FOM", "compact"), "architecture": "mixed"})


def load_start(plugin: MixedTraining, detector: Path, generator: Path) -> None:
    """Take a detector as it is, and a generator with or without what mixed keypoints add to it."""
    states = load_networks(detector).states
    name = "kp_detector" if "kp_detector" in states else "kp_extractor"
    load_strict(plugin.networks["kp_detector"], states[name], where=detector)
    start_from(plugin.networks["generator"], dict(load_networks(generator).states["generator"]))  # type: ignore[arg-type]


def _settings(stage: Stage, recipe: Recipe) -> TrainSettings:
    return TrainSettings(
        image_size=256,
        batch_size=recipe.batch_size,
        workers=0,
        max_steps=recipe.most_steps,
        max_seconds=3600 * recipe.hours * stage.share,
        schedule="constant",
        warmup_steps=50,
        clip_gradient=1.0,
        ema_decay=0.995,
        augment=AUGMENT,
        resume="auto",
        log_every=10,
        image_every=recipe.every,
        validate_every=recipe.every,
        validate_batches=8,
        checkpoint_every_s=240,
        tensorboard=False,
    )
