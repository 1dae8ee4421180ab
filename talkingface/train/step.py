"""One phase of one training step."""

from __future__ import annotations

import math
from collections.abc import Sequence, Set

import torch
from torch import Tensor, nn

from ..errors import TrainingError
from ..models.base import Losses, Phase
from .settings import TrainSettings


def factor(settings: TrainSettings, step: int, total: int, epoch_steps: int, milestones: Sequence[int] = ()) -> float:
    """What the learning rate is multiplied with in a step.

    Args:
        settings: names the schedule.
        step: number of the step, from 0.
        total: steps of the whole training.
        epoch_steps: steps of an epoch.
        milestones: the model's own, in epochs; those of the settings go first.
    """
    warm = min(1.0, (step + 1) / (settings.warmup_steps + 1))
    if settings.schedule == "cosine":
        done = max(0, step - settings.warmup_steps) / max(1, total - settings.warmup_steps)
        return warm * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
    if settings.schedule == "milestones":
        passed = milestones if settings.milestones is None else settings.milestones
        return warm * 0.1 ** sum(step >= epoch * epoch_steps for epoch in passed)
    return warm


def freeze_others(networks: nn.ModuleDict, phase: Phase, trainable: Set[int]) -> None:
    """Let gradients reach the parameters of the phase's networks only.

    Args:
        networks: all networks of the model.
        phase: the phase that runs next.
        trainable: ids of the parameters that the model wants trained at all; the others stay frozen.
    """
    stepped = {id(p) for name in phase.networks for p in networks.get_submodule(name).parameters()} & trainable
    for parameter in networks.parameters():
        parameter.requires_grad_(id(parameter) in stepped)


def thaw(networks: nn.ModuleDict, trainable: Set[int]) -> None:
    """Undo :func:`freeze_others`, so that the networks can be used and trained further."""
    for parameter in networks.parameters():
        parameter.requires_grad_(id(parameter) in trainable)


def take_step(
    phase: Phase, losses: Losses, optimizer: torch.optim.Optimizer, step: int, clip_gradient: float | None
) -> None:
    """Step the parameters of a phase down the sum of its losses, which is taken in float32.

    Raises:
        TrainingError: if a loss or the gradient is not finite; the parameters are untouched then.
    """
    total = torch.stack([value.float() for value in losses.values()]).sum()
    if not math.isfinite(total.item()):
        raise TrainingError(_blame(losses), where=f"step {step}, phase {phase.name}", cure=_CURE)
    optimizer.zero_grad(set_to_none=True)
    total.backward()  # type: ignore[no-untyped-call]
    norm = _clip([p for group in optimizer.param_groups for p in group["params"]], clip_gradient)
    if not math.isfinite(norm.item()):
        raise TrainingError("the gradient is not finite", where=f"step {step}, phase {phase.name}", cure=_CURE)
    optimizer.step()


_CURE = "Go on from the last saved state with a lower --train.learning_rate or with --train.clip_gradient."


def _clip(parameters: list[Tensor], largest: float | None) -> Tensor:
    """Norm of the gradient; scales it down to ``largest`` where that is given."""
    norm = nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
    if largest is not None:
        nn.utils.clip_grads_with_norm_(parameters, largest, norm)
    return norm


def _blame(losses: Losses) -> str:
    """Which loss terms went wrong, as "loss 'perceptual' is nan"."""
    bad = {name: value.item() for name, value in losses.items() if not math.isfinite(value.item())}
    if not bad:
        return "the sum of the losses is not finite"
    return ", ".join(f"loss '{name}' is {value}" for name, value in bad.items())
