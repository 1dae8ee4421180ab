"""Running average of weights."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

_AVERAGED_BUFFERS = ("running_mean", "running_var")


class WeightAverage:
    """Exponential average of some networks' weights; it is what is validated and exported.

    After step t the average keeps ``min(decay, (1 + t) / (10 + t))`` of itself, so that the first random weights are
    soon forgotten. Statistics of batch norms are averaged along; other buffers are copied.

    Args:
        networks: all networks of the model.
        names: which of them are averaged.
        decay: weight of the past; 0 keeps a copy of the present weights.
    """

    def __init__(self, networks: nn.ModuleDict, names: Iterable[str], decay: float) -> None:
        self._networks = {name: networks[name] for name in names}
        self._decay = decay
        self.states = {name: _copy(network) for name, network in self._networks.items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after step number ``step`` (the first is 1)."""
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
        """Go on from saved averages."""
        for name, state in self.states.items():
            for key, value in state.items():
                value.copy_(states[name][key])

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The networks hold the averages within this context, and their own weights again after it."""
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
