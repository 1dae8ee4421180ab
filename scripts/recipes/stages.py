"""Stages that follow each other, as all recipes have them: from a cache of clips to an exported file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from talkingface.data.cache.batches import PairBatches
from talkingface.data.cache.settings import DrawSettings
from talkingface.data.cache.store import FaceCache
from talkingface.data.settings import AugmentSettings
from talkingface.models.base import ModelPlugin
from talkingface.models.mixed_training import decide, start_from, steeper
from talkingface.nn.losses.perceptual import VGG16
from talkingface.train import state
from talkingface.train.cached import CachedTrainer
from talkingface.train.settings import TrainSettings
from talkingface.train.trainer import TrainResult
from talkingface.weights.files.read import read_keras_vgg16
from talkingface.weights.load import load_networks, read_notes, save_networks

AUGMENT = AugmentSettings(
    time_flip=False, brightness=0.15, contrast=0.1, saturation=0.15, hue=0.03, crop=0.15, rotation_deg=8
)
DONE = ("finished", "time is up")
"""Ends of a stage after which the next one begins."""

DECIDED = 1.35
"""Factor at the end by which the choice between warped and painted is steeper; chosen on the split ``val``."""

MARK = "done"
"""File that says that a stage has come to its end."""


@dataclass(frozen=True)
class Stage:
    """A part of the training.

    Attributes:
        name: of its folder below the run's.
        share: of the hours.
        losses: weights that differ from the usual ones.
        draws: shares of pairs that differ from the usual ones.
        rates: learning rate by phase.
        warmup: steps over which they rise from zero.
        decided: factor by which the choice between warped and painted is made steeper at the start.
    """

    name: str
    share: float
    losses: Mapping[str, Any] = field(default_factory=dict)
    draws: Mapping[str, float] = field(default_factory=dict)
    rates: Mapping[str, float] = field(default_factory=lambda: {"generator": 3e-4, "discriminator": 2e-4})
    warmup: int = 50
    decided: float = 1.0


@dataclass(frozen=True)
class Recipe:
    """Ingredients of a training.

    Attributes:
        cache: folder with the caches of the splits ``train`` and ``val``.
        run_dir: folder of states, logs and exports.
        detector: weights whose keypoint detector is kept as it is; None keeps a fresh one.
        init: weights whose generator training starts from; None starts from nothing.
        vgg: VGG16's weights, a file of Keras; None trains without the perceptual loss.
        hours: of all stages together.
        batch_size: pairs of a step; each is redrawn in both directions.
        every: steps between validations.
        most_steps: of a stage.
        params: settings of the networks that differ from the shipped ones.
        draws: shares of pairs that disagree.
        rest: weights of the networks around the generator that are kept as they are; None where the model has none.
        begin: name of the stage to begin at, where `init` is an export of this recipe; None runs them all.
    """

    cache: Path
    run_dir: Path
    detector: Path | None
    init: Path | None
    vgg: Path | None = None
    hours: float = 2.0
    batch_size: int = 4
    every: int = 150
    most_steps: int = 1_000_000
    params: Mapping[str, Any] = field(default_factory=dict)
    draws: DrawSettings = field(default_factory=DrawSettings)
    rest: Path | None = None
    begin: str | None = None

    def chosen(self, stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
        """Stages to run, which share the hours; an export that goes on gives back what `finish` made steeper."""
        if self.begin is None:
            return stages
        first = [stage.name for stage in stages].index(self.begin)
        total = sum(stage.share for stage in stages[first:])
        left = [replace(stage, share=stage.share / total) for stage in stages[first:]]
        return (replace(left[0], decided=1 / DECIDED), *left[1:])


@dataclass(frozen=True)
class Model:
    """A model in the training of its generator.

    Attributes:
        stages: in their order.
        build: (stage, recipe, weights to start from) -> the plug-in with these weights.
        batches: kind of its batches.
    """

    stages: tuple[Stage, ...]
    build: Callable[[Stage, Recipe, Path | None], ModelPlugin]
    batches: type[PairBatches] = PairBatches


def train(model: Model, recipe: Recipe) -> Path:
    """Run the stages, each from the averaged weights of the one before; a stopped run goes on where it was.

    Returns:
        The exported weights: those of the last stage, more decided between warped and painted.
    """
    caches = {split: FaceCache(recipe.cache / split) for split in ("train", "val")}
    made, before = recipe.init, None
    for stage in recipe.chosen(model.stages):
        folder = recipe.run_dir / stage.name
        if not (folder / MARK).is_file():
            result = _run(model, stage, recipe, made, before, caches)
            if result.reason not in DONE:
                return finish(result.weights)
            (folder / MARK).touch()
        made, before = folder / "export" / "last.safetensors", folder
    assert made is not None  # noqa: S101 (there are stages)
    return finish(made)


def finish(made: Path) -> Path:
    """Write weights whose choice between warped and painted is `DECIDED` times as steep, beside the given ones."""
    states, notes = load_networks(made).states, read_notes([made])
    final = made.with_name("final.safetensors")
    generator = dict(states["generator"])
    for name in ("final.weight", "final.bias"):
        generator[name] = steeper(generator[name], DECIDED)
    save_networks(final, {**states, "generator": generator}, notes)
    return final


def _run(
    model: Model,
    stage: Stage,
    recipe: Recipe,
    init: Path | None,
    before: Path | None,
    caches: Mapping[str, FaceCache],
) -> TrainResult:
    plugin: Any = model.build(stage, recipe, init)
    decide(plugin.networks["generator"], stage.decided)
    if before is not None and (found := state.find(before)) is not None:
        state.load_networks(found, nn.ModuleDict({"discriminator": plugin.networks["discriminator"]}))
    return CachedTrainer(
        plugin,
        caches["train"],
        recipe.cache / "train",
        settings_of(recipe, plugin.config.image_size, stage.share, stage.warmup),
        recipe.draws.model_copy(update=dict(stage.draws)),
        recipe.run_dir / stage.name,
        validation=caches["val"],
        metadata={"variant": "compact", "stage": stage.name},
        kind=model.batches,
    ).run()


def features(path: Path | None) -> VGG16 | None:
    if path is None:
        return None
    vgg = VGG16()
    vgg.take(read_keras_vgg16(path.read_bytes(), path))
    return vgg.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def start_generator(plugin: ModelPlugin, path: Path | None) -> None:
    """Take a generator with or without what mixed keypoints add to it."""
    if path is not None:
        weights = dict(load_networks(path).states["generator"])
        start_from(plugin.networks["generator"], weights)  # type: ignore[arg-type]


def settings_of(recipe: Any, size: int, share: float, warmup: int, stage: str = "") -> TrainSettings:
    """Settings of the trainer for a part of a recipe.

    Args:
        recipe: with ``batch_size``, ``every``, ``hours`` and ``most_steps``.
        size: side of the pictures.
        share: of the hours.
        warmup: steps over which learning rates rise.
        stage: of the plug-in.
    """
    return TrainSettings(
        stage=stage,
        image_size=size,
        batch_size=recipe.batch_size,
        workers=0,
        max_steps=recipe.most_steps,
        max_seconds=3600 * recipe.hours * share,
        schedule="constant",
        warmup_steps=warmup,
        clip_gradient=1.0,
        ema_decay=0.98,
        augment=AUGMENT,
        resume="auto",
        log_every=10,
        image_every=recipe.every,
        validate_every=recipe.every,
        validate_batches=8,
        checkpoint_every_s=240,
        tensorboard=False,
    )
