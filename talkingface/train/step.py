"""One phase of one training step, its learning rate, and the running average of the weights."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence, Set
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ..errors import TrainingError
from ..models.base import Losses, Phase
from .settings import TrainSettings

_AVERAGED_BUFFERS = ("running_mean", "running_var")
_CURE = "Go on from the last saved state with a lower --train.learning_rate or with --train.clip_gradient."


def learning_rate_factor(
    settings: TrainSettings, step: int, total: int, epoch_steps: int, milestones: Sequence[int] = ()
) -> float:
    """Factor of the learning rate in a step.

    Args:
        settings: settings with the schedule.
        step: number of the step, from 0.
        total: steps of the complete training.
        epoch_steps: steps of an epoch.
        milestones: milestones of the model, in epochs; those of the settings take precedence.
    """
    warm = min(1.0, (step + 1) / (settings.warmup_steps + 1))
    done = min(1.0, max(0, step - settings.warmup_steps) / max(1, total - settings.warmup_steps))
    if settings.schedule == "cosine":
        return warm * 0.5 * (1 + math.cos(math.pi * done))
    if settings.schedule == "linear":
        return warm * (1 - done)
    if settings.schedule == "milestones":
        passed = milestones if settings.milestones is None else settings.milestones
        return warm * 0.1 ** sum(step >= epoch * epoch_steps for epoch in passed)
    return warm


def freeze_others(networks: nn.ModuleDict, phase: Phase, trainable: Set[int]) -> None:
    """Enable gradients for the parameters of the phase's networks only.

    Args:
        networks: all networks of the model.
        phase: the phase that runs next.
        trainable: ids of the parameters that the model trains in any phase; the others stay frozen.
    """
    stepped = {id(p) for name in phase.networks for p in networks.get_submodule(name).parameters()} & trainable
    for parameter in networks.parameters():
        parameter.requires_grad_(id(parameter) in stepped)


def restore_trainable(networks: nn.ModuleDict, trainable: Set[int]) -> None:
    """Undo :func:`freeze_others`, so that the networks can be used and trained further."""
    for parameter in networks.parameters():
        parameter.requires_grad_(id(parameter) in trainable)


def learn(networks: nn.Module, *, fixed_norms: bool) -> None:
    """Put networks into training mode; with ``fixed_norms`` their batch norms keep their statistics and use them."""
    networks.train()
    for module in networks.modules() if fixed_norms else ():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()


class PhaseStep:
    """Backward passes and optimizer steps of a phase.

    Gradients of several batches are added up; those of phases that train the same networks stay apart.

    Args:
        phase: the phase.
        optimizer: its optimizer.
        settings: group ``train``.
        scaler: scale of the losses, which keeps small gradients out of float16's zeros; disabled in other precisions.
    """

    def __init__(
        self, phase: Phase, optimizer: torch.optim.Optimizer, settings: TrainSettings, scaler: torch.amp.GradScaler
    ) -> None:
        self._name, self.optimizer, self.scaler = phase.name, optimizer, scaler
        self._clip_gradient, self._parts = settings.clip_gradient, settings.accumulate
        self._gradients: list[Tensor | None] = []

    def add(self, losses: Losses, step: int) -> None:
        """Add the gradient of the sum of losses (), computed in float32; ``step`` is for errors.

        Raises:
            TrainingError: if a loss is not finite; the parameters are unchanged then.
        """
        total = torch.stack([value.float() for value in losses.values()]).sum()
        if not math.isfinite(total.item()):
            raise TrainingError(_describe_bad_losses(losses), where=self._where(step), cure=_CURE)
        parameters = self._parameters()
        for parameter, gradient in zip(parameters, self._gradients or [None] * len(parameters), strict=True):
            parameter.grad = gradient
        self.scaler.scale(total / self._parts if self._parts > 1 else total).backward()  # type: ignore[no-untyped-call]
        self._gradients = [parameter.grad for parameter in parameters]

    def take(self, step: int) -> None:
        """Take the step of the optimizer; in float16 a gradient that overflows lowers the scale instead.

        Raises:
            TrainingError: if the gradient is not finite; the parameters are unchanged then.
        """
        parameters = self._parameters()
        for parameter, gradient in zip(parameters, self._gradients, strict=True):
            parameter.grad = gradient
        self._gradients = []
        self.scaler.unscale_(self.optimizer)
        norm = _clip(parameters, self._clip_gradient)
        scaled = self.scaler.is_enabled() and self.scaler.get_scale() > 1
        if not math.isfinite(norm.item()) and not scaled:
            raise TrainingError("the gradient is not finite", where=self._where(step), cure=_CURE)
        self.scaler.step(self.optimizer)
        self.scaler.update()

    def _parameters(self) -> list[Tensor]:
        return [parameter for group in self.optimizer.param_groups for parameter in group["params"]]

    def _where(self, step: int) -> str:
        return f"step {step}, phase {self._name}"


def _clip(parameters: list[Tensor], largest: float | None) -> Tensor:
    """Compute the norm () of the gradient, and scale the gradient down to ``largest`` if that is given."""
    norm = nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
    if largest is not None:
        nn.utils.clip_grads_with_norm_(parameters, largest, norm)
    return norm


def _describe_bad_losses(losses: Losses) -> str:
    """Describe the loss terms that are not finite, such as "loss 'perceptual' is nan"."""
    bad = {name: value.item() for name, value in losses.items() if not math.isfinite(value.item())}
    if not bad:
        return "the sum of the losses is not finite"
    return ", ".join(f"loss '{name}' is {value}" for name, value in bad.items())


class WeightAverage:
    """Exponential moving average of the weights (...) of some networks, which is validated and exported.

    After step t the average keeps ``min(decay, (1 + t) / (10 + t))`` of itself, so that the first random weights have
    little influence. Statistics of batch norms are averaged too; other buffers are copied.

    Args:
        networks: all networks of the model.
        names: networks to average.
        decay: weight of the past; 0 keeps a copy of the present weights.
    """

    def __init__(self, networks: nn.ModuleDict, names: Iterable[str], decay: float) -> None:
        self._networks = {name: networks[name] for name in names}
        self._decay = decay
        self.states = {name: _copy(network) for name, network in self._networks.items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Add the weights after step number ``step`` (the first is 1)."""
        keep = min(self._decay, (1 + step) / (10 + step))
        averages: list[Tensor] = []
        present: list[Tensor] = []
        for name, network in self._networks.items():
            parameters = {key for key, _ in network.named_parameters()}
            for key, value in network.state_dict().items():
                average = self.states[name][key]
                if key in parameters or key.endswith(_AVERAGED_BUFFERS):
                    averages.append(average)
                    present.append(value)
                else:
                    average.copy_(value)
        torch._foreach_lerp_(averages, present, 1 - keep)

    @torch.no_grad()
    def load(self, states: dict[str, dict[str, Tensor]]) -> None:
        """Restore saved averages, by network and key."""
        for name, state in self.states.items():
            for key, value in state.items():
                value.copy_(states[name][key])

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Put the averages into the networks inside the block, and their own weights back after it."""
        own = {name: _copy(network) for name, network in self._networks.items()}
        _fill(self._networks, self.states)
        try:
            yield
        finally:
            _fill(self._networks, own)


def _copy(network: nn.Module) -> dict[str, Tensor]:
    return {key: value.detach().clone() for key, value in network.state_dict().items()}


def _fill(networks: dict[str, nn.Module], states: dict[str, dict[str, Tensor]]) -> None:
    for name, network in networks.items():
        network.load_state_dict(states[name])
