"""Stages of SadTalker's training: the data that a stage needs, its phases, and its scores.

The stages follow each other, each in a run of its own that begins with the weights of those before it. Expression and
pose need coefficients and sound; render and mapping need pictures and coefficients.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor, nn

from ....nn.losses.perceptual import VGG19
from ...base import Batch, Losses, Phase
from ..config import SadTalkerConfig

if TYPE_CHECKING:
    from ..plugin import SadTalker


class Objective(Protocol):
    """Losses of a stage, weighted scalars by name.

    Attributes:
        learns: names of the networks that it trains.
        through: names of those that it uses as they are, which have to be trained before.
        discriminators: names of the networks that learn against them; empty where there is no adversary. An objective
            that has some also has `discriminator_losses`.
    """

    @property
    def learns(self) -> Sequence[str]: ...

    @property
    def through(self) -> Sequence[str]: ...

    @property
    def discriminators(self) -> Sequence[str]: ...

    def losses(self, batch: Batch) -> Losses:
        """Weighted losses of a batch."""

    def validate(self, batch: Batch) -> tuple[dict[str, float], dict[str, Tensor]]:
        """Scores, of which the lowest first one is the best, and pictures (N, 3, H, W) in [0, 1]."""


Builders = Mapping[str, Callable[[], nn.Module]]


@dataclass(frozen=True)
class Stage:
    """Training of some networks of an architecture.

    Attributes:
        samples: (networks, settings) -> contents of a training item, as described in ``talkingface.models.samples``.
        objective: (networks, settings, its group of training settings, VGG19 or None) -> losses.
        only_training: (settings, its group) -> name and builder of the networks that this training alone needs.
    """

    samples: Callable[[nn.ModuleDict, SadTalkerConfig], Mapping[str, Any]]
    objective: Callable[[nn.ModuleDict, SadTalkerConfig, Any, VGG19 | None], Objective]
    only_training: Callable[[SadTalkerConfig, Any], Builders] = lambda config, params: {}


def stage_of(plugin: SadTalker) -> Stage:
    """Stage that a plug-in trains now."""
    return plugin.architecture.stages[plugin.stage]


def samples(plugin: SadTalker) -> Mapping[str, Any]:
    """Contents of a training item, as described in ``talkingface.models.samples``."""
    return stage_of(plugin).samples(plugin.networks, plugin.config)


def phases(plugin: SadTalker, train: Any) -> list[Phase]:
    """Phases of the plug-in's stage.

    Networks that only this stage needs are added to the plug-in's.

    Args:
        train: the settings of the trainer; its ``loss_weights`` are those of the stage.

    Raises:
        ConfigError: if a name or value in `train` does not fit.
        WeightsError: if the perceptual loss has a weight but VGG19's weights were not given.
    """
    stage, params = stage_of(plugin), train_params(plugin, train)
    vgg = plugin.fixed.required_vgg() if plugin.config.loss_files(plugin.stage, train) else None
    for name, build in stage.only_training(plugin.config, params).items():
        if name not in plugin.networks:
            plugin.networks[name] = build()
    objective: Any = stage.objective(plugin.networks, plugin.config, params, vgg)
    made = Phase(
        plugin.stage,
        list(objective.learns),
        objective.losses,
        _adam(params.learning_rate),
        through=tuple(objective.through),
    )
    if not objective.discriminators:
        return [made]
    adam = _adam(params.learning_rate_discriminator)
    return [made, Phase("discriminator", list(objective.discriminators), objective.discriminator_losses, adam)]


def validate(plugin: SadTalker, batch: Batch) -> tuple[dict[str, float], dict[str, Tensor]]:
    """Scores and pictures (N, 3, H, W) in [0, 1] of a batch; of the first score the lowest is the best."""
    params = plugin.config.group_of(plugin.stage)
    return stage_of(plugin).objective(plugin.networks, plugin.config, params, None).validate(batch)


def auxiliary(plugin: SadTalker, train: Any) -> Mapping[str, Callable[[Mapping[str, Tensor]], None]]:
    """VGG19, where the stage's perceptual loss has a weight: name in the catalogue -> takes its weights."""
    return plugin.fixed.takers(vgg=bool(plugin.config.loss_files(plugin.stage, train)))


def train_params(plugin: SadTalker, train: Any) -> Any:
    """Group of training settings of the plug-in's stage, see `SadTalkerConfig.trained`."""
    return plugin.config.trained(plugin.stage, train)


def _adam(rate: float) -> Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]:
    """Adam with the momenta of the published renderers."""
    return lambda parameters: torch.optim.Adam(parameters, lr=rate, betas=(0.5, 0.999))
