"""Groups of parameters with a learning rate or weight decay of their own, chosen by patterns of their names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import ConfigError, did_you_mean
from ..models.base import Phase
from .settings import GroupSettings, TrainSettings


@dataclass(frozen=True)
class Optimizers:
    """Optimizers of a training.

    Attributes:
        by_phase: name of the phase -> its optimizer.
        rates: name of the phase -> learning rate of each group of parameters, before the schedule.
    """

    by_phase: Mapping[str, torch.optim.Optimizer]
    rates: Mapping[str, list[float]]


def build_optimizers(
    phases: list[Phase], networks: nn.ModuleDict, trainable: set[int], settings: TrainSettings
) -> Optimizers:
    """Optimizers of all phases, with the groups of the settings.

    Args:
        phases: those of the model.
        networks: all networks, by name.
        trainable: ids of the parameters that the model trains.
        settings: group ``train``.

    Raises:
        ConfigError: if a pattern matches no parameter that is trained.
    """
    names = {id(value): name for name, value in networks.named_parameters() if id(value) in trainable}
    optimizers: dict[str, torch.optim.Optimizer] = {}
    rates: dict[str, list[float]] = {}
    trained: set[str] = set()
    for phase in phases:
        own = [p for name in phase.networks for p in networks.get_submodule(name).parameters() if id(p) in trainable]
        optimizer = phase.optimizer(own)
        usual = settings.learning_rates.get(phase.name, settings.learning_rate)
        rates[phase.name] = _split(optimizer, names, settings.groups, usual)
        optimizers[phase.name] = optimizer
        trained.update(names[id(parameter)] for parameter in own)
    for pattern in settings.groups:
        if not any(fnmatchcase(name, pattern) for name in trained):
            near = did_you_mean(pattern.rstrip("*."), sorted({part for name in trained for part in _above(name)}))
            raise ConfigError(f"no trained parameter is named '{pattern}'", where="--train.groups", cure=near)
    return Optimizers(optimizers, rates)


def _split(
    optimizer: torch.optim.Optimizer,
    names: Mapping[int, str],
    groups: Mapping[str, GroupSettings],
    usual: float | None,
) -> list[float]:
    """Split the groups of an optimizer by patterns; returns the learning rate of each group.

    Args:
        names: id of a parameter -> its name.
        groups: by pattern; of several that match the last one counts.
        usual: learning rate of parameters that no pattern gives one; None: that of the model.
    """
    split: list[dict[str, Any]] = []
    rates: list[float] = []
    for group in optimizer.param_groups:
        members: dict[str, list[Tensor]] = {}
        for parameter in group["params"]:
            matching = [pattern for pattern in groups if fnmatchcase(names[id(parameter)], pattern)]
            members.setdefault(matching[-1] if matching else "", []).append(parameter)
        for pattern, parameters in members.items():
            wanted = groups.get(pattern, GroupSettings())
            own = {**group, "params": parameters}
            if wanted.weight_decay is not None:
                own["weight_decay"] = wanted.weight_decay
            split.append(own)
            base = group["lr"] if usual is None else usual
            rates.append(base if wanted.learning_rate is None else wanted.learning_rate)
    optimizer.param_groups[:] = split
    return rates


def _above(name: str) -> list[str]:
    """A parameter's name and those of the modules that it is in."""
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts) + 1)]
