"""The recipe of a student: from a trained FOM and a cache of clips to an exported file."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from recipes.stages import DONE, MARK, features, settings_of
from talkingface.data.cache.batches import PairBatches, PairSampler
from talkingface.data.cache.settings import DrawSettings
from talkingface.data.cache.store import FaceCache
from talkingface.data.loader import NO_AUGMENTATION
from talkingface.models.base import Batch
from talkingface.models.fom.config import FOMConfig
from talkingface.models.fom.networks.build import build_networks
from talkingface.models.fom.networks.student import NETWORKS, channels_of, redraw, separate
from talkingface.models.fom.training.student import STAGES, StudentTraining
from talkingface.models.fom.training.student_settings import StudentLosses
from talkingface.nn.losses.perceptual import VGG16
from talkingface.nn.pruning.refit import fit_convolutions
from talkingface.nn.pruning.remove import choose, importance, remove
from talkingface.paths import default_checkpoint_root
from talkingface.pipelines.plan.known_weights import base_config
from talkingface.train.cached import CachedTrainer
from talkingface.train.checkpoints import FORMAT
from talkingface.weights import resolve
from talkingface.weights.load import load_networks, load_strict, read_notes, save_networks


@dataclass(frozen=True)
class Part:
    """A part of the training.

    Attributes:
        name: of its folder below the run's.
        stage: of `StudentTraining`.
        share: of the hours.
        prunes: remove channels of the stage's networks at the start.
        losses: weights that differ from the usual ones.
    """

    name: str
    stage: str
    share: float
    prunes: bool = False
    losses: Mapping[str, float] = field(default_factory=dict)


SPARSE = {"sparsity": 0.1}
PARTS = (
    Part("1_keypoints_sparse", "keypoints", 0.05, losses=SPARSE),
    Part("1_keypoints", "keypoints", 0.1, prunes=True),
    Part("2_generator_sparse", "generator", 0.1, losses=SPARSE),
    Part("2_generator", "generator", 0.35, prunes=True),
    Part("3_both", "both", 0.4),
)
"""PaddleGAN's three stages; before a network is pruned it learns as a whole, with a penalty on its norms' scales."""


@dataclass(frozen=True)
class Recipe:
    """Ingredients of a training.

    Attributes:
        teacher: weights of FOM of any architecture, a file or a name of the catalogue.
        cache: folder with the caches of the splits ``train`` and ``val``.
        run_dir: folder of states, logs and exports.
        share: of the channels that pruning removes.
        vgg: VGG16's weights, a file of Keras; None trains without the perceptual loss.
        hours: of all parts together.
        batch_size: pairs of a step; each is redrawn in both directions.
        fitted_on: pairs that separable and pruned convolutions are fitted on.
        rate: learning rate.
        every: steps between validations.
        most_steps: of a part.
        draws: shares of pairs that disagree.
    """

    teacher: str
    cache: Path
    run_dir: Path
    share: float = 0.25
    vgg: Path | None = None
    hours: float = 2.0
    batch_size: int = 4
    fitted_on: int = 8
    rate: float = 5e-4
    every: int = 150
    most_steps: int = 1_000_000
    draws: DrawSettings = field(default_factory=DrawSettings)


@dataclass(frozen=True)
class Model:
    """Networks with their settings."""

    config: FOMConfig
    networks: nn.ModuleDict


def train(recipe: Recipe) -> Path:
    """Run the parts, each from the averaged weights of the one before; a stopped run goes on where it was.

    Returns:
        The exported weights of the last part that ran.
    """
    caches = {split: FaceCache(recipe.cache / split) for split in ("train", "val")}
    teacher, vgg = load(recipe.teacher), features(recipe.vgg)
    made = recipe.run_dir / "start.safetensors"
    if not made.is_file():
        save(made, begin(teacher, _sample(recipe, caches["train"])))
    for part in PARTS:
        folder = recipe.run_dir / part.name
        if not (folder / MARK).is_file():
            reason = _run(part, recipe, made, teacher, vgg, caches)
            if reason not in DONE:
                return folder / "export" / "last.safetensors"
            (folder / MARK).touch()
        made = folder / "export" / "last.safetensors"
    return made


def config_of(path: Path) -> FOMConfig:
    """Settings of the networks that a file holds."""
    return FOMConfig.model_validate_json(read_notes([path])["config"])


def fill(networks: nn.ModuleDict, path: Path) -> None:
    """Load the weights of a file into networks.

    Raises:
        WeightsError: if they do not fit.
    """
    states = load_networks(path, model="FOM").states
    for name, network in networks.items():
        load_strict(network, states[name], where=f"{path} ({name})")


def load(name: str | Path) -> Model:
    """Networks that a file or a name of the catalogue stands for.

    Raises:
        UnknownNameError, WeightsError: if there are no such weights, or they do not fit.
    """
    weights = resolve("FOM", str(name), default_checkpoint_root())
    config = FOMConfig.model_validate(base_config("FOM", weights, read_notes(weights.paths)))
    built = build_networks(config)
    networks = nn.ModuleDict({network: built[network] for network in NETWORKS})
    fill(networks, weights.path)
    return Model(config, networks)


def save(path: Path, model: Model) -> None:
    """Write networks with their settings in float32."""
    notes = {"format": FORMAT, "model": "FOM", "config": model.config.model_dump_json(), "variant": "student"}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_networks(path, {name: network.state_dict() for name, network in model.networks.items()}, notes)


def begin(teacher: Model, sample: Batch) -> Model:
    """A student that has not been trained: the teacher with the nearest separable convolutions, fitted to it.

    Args:
        teacher: stays as it is.
        sample: pairs to fit on.
    """
    networks = copy.deepcopy(teacher.networks).requires_grad_(True)
    if not teacher.config.separable:
        separate(networks)
        for name in NETWORKS:
            fit(networks, teacher.networks, name, sample)
    return Model(teacher.config.model_copy(update={"separable": True}), networks)


def prune(model: Model, names: tuple[str, ...], share: float, sample: Batch) -> Model:
    """Networks without the least important channels, fitted to those they had before.

    Args:
        model: with trained networks; they become smaller.
        names: of the networks that become smaller.
        share: of the channels of these networks.
        sample: pairs, on which the channels are followed and the rest is fitted.
    """
    pruned = {name: dict(counts) for name, counts in model.config.pruned.items()}
    before = copy.deepcopy(model.networks)
    for name in names:
        channels = channels_of(model.networks, name, sample["source"], sample["points_source"])
        kept = choose(importance(model.networks[name], channels), channels, share)
        left = remove(model.networks[name], channels, kept)
        fit(model.networks, before, name, sample, left)
        fewer = {layer: len(own) for layer, own in kept.items() if len(own) < channels.counts[layer]}
        pruned[name] = pruned.get(name, {}) | fewer
    return Model(model.config.model_copy(update={"pruned": pruned}), model.networks)


def fit(
    networks: nn.ModuleDict, wanted: nn.ModuleDict, name: str, sample: Batch, left: Mapping[str, Tensor] | None = None
) -> None:
    """Fit a network, in place, to what another gives on both directions of pairs.

    Args:
        networks: with the network to fit.
        wanted: with the network to be like.
        name: of both.
        sample: the pairs.
        left: of `remove`, where the network has fewer channels.
    """
    pictures = torch.cat([sample["source"], sample["driving"]])
    points = torch.cat([sample["points_source"], sample["points_driving"]])
    with torch.no_grad():
        keypoints = wanted["kp_detector"].eval()(pictures)
    told = torch.ones(len(pictures))

    def run(network: nn.Module) -> Any:
        if name == "kp_detector":
            return network(pictures)
        return redraw(network, pictures, keypoints, points, told, len(pictures) // 2)

    fit_convolutions(networks[name], wanted[name], run, left)


def _sample(recipe: Recipe, cache: FaceCache) -> Batch:
    return PairBatches(PairSampler(cache, recipe.draws), recipe.fitted_on, NO_AUGMENTATION)[0]


def _run(
    part: Part, recipe: Recipe, init: Path, teacher: Model, vgg: VGG16 | None, caches: Mapping[str, FaceCache]
) -> str:
    start = recipe.run_dir / part.name / "start.safetensors"
    if not start.is_file():
        model = load(init)
        if part.prunes:
            model = prune(model, STAGES[part.stage], recipe.share, _sample(recipe, caches["train"]))
        save(start, model)
    config = config_of(start)
    plugin = StudentTraining(config, teacher.networks, StudentLosses(**part.losses), recipe.rate, vgg)
    fill(plugin.networks, start)
    trainer = CachedTrainer(
        plugin,
        caches["train"],
        recipe.cache / "train",
        settings_of(recipe, config.image_size, part.share, 20, part.stage),
        recipe.draws,
        recipe.run_dir / part.name,
        validation=caches["val"],
        metadata={"variant": "student", "part": part.name},
    )
    return trainer.run().reason
