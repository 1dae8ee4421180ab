"""Channels of a network, found by following one run of it.

A channel that a convolution makes is read by others, normed, warped, added to another or laid beside it. Where an
operation is met that is not known to keep channels apart, the channels that enter it are fixed: they stay, and nothing
goes wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

NOT_FOLLOWED = -1
"""Label of an input channel that no convolution of the network has made, such as red."""

Labels = NDArray[np.int64]

_KEEP = frozenset(
    [
        "relu",
        "relu_",
        "leaky_relu",
        "sigmoid",
        "avg_pool2d",
        "max_pool2d",
        "interpolate",
        "grid_sample",
        "float",
        "to",
        "type_as",
        "contiguous",
        "clone",
        "detach",
        "expand",
    ]
)
_ADD = frozenset(
    ["add", "add_", "__add__", "__radd__", "__iadd__", "sub", "__sub__", "mul", "__mul__", "__rmul__", "mul_"]
)


@dataclass(frozen=True)
class Use:
    """An axis of a parameter or buffer that runs over channels.

    Attributes:
        layer: name of its module.
        key: name in the module.
        axis: its number.
        labels: (n,), the channel at each place of the axis; `NOT_FOLLOWED` where it is an input of the network.
    """

    layer: str
    key: str
    axis: int
    labels: Labels


@dataclass(frozen=True)
class Channels:
    """Channels of a network by the layer that makes them, and what has an axis over them.

    Attributes:
        layers: name of the first layer that makes them -> their labels (n,), in its order; only those that may go.
        uses: all axes over channels.
        means: name of a convolution -> mean (n,) of each channel that it reads.
    """

    layers: dict[str, Labels]
    uses: list[Use]
    means: dict[str, Tensor]

    @property
    def counts(self) -> dict[str, int]:
        """Number of channels by layer."""
        return {name: len(labels) for name, labels in self.layers.items()}


def follow(network: nn.Module, run: Callable[[], Any]) -> Channels:
    """Find the channels of a network.

    Args:
        network: its convolutions and batch norms are followed.
        run: one run of it; what it returns keeps its channels.
    """
    tracer = _Tracer(network)
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        with torch.no_grad(), tracer:
            result = run()
    finally:
        for module, training in modes:
            module.training = training
    tracer.fix_all(_tensors(result))
    return tracer.channels()


class _Tracer(TorchFunctionMode):
    """Labels of the channels of every tensor of a run; labels of one channel are joined."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self._owner = {
            id(value): (name, key)
            for name, module in network.named_modules()
            for key, value in (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False))
        }
        self._labels: dict[int, Labels] = {}
        self._kept: list[Any] = []  # a tensor that is gone could leave its id to another
        self._joined: list[int] = []
        self._made: dict[str, Labels] = {}
        self._uses: dict[tuple[str, str, int], Labels] = {}
        self._means: dict[str, Tensor] = {}
        self._fixed: set[int] = set()

    def __torch_function__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        values = [*args, *(kwargs or {}).values()]
        name = getattr(func, "__name__", "")
        if isinstance(result, Tensor | tuple | list) and (labels := self._after(name, values, result)) is not None:
            self._kept.append(result)
            self._labels[id(result)] = labels
        return result

    def _after(self, name: str, values: list[Any], result: Any) -> Labels | None:
        """Labels of a result; None where it is not followed."""
        if name == "conv2d":
            return self._convolved(values)
        entering = [tensor for tensor in _tensors(values) if id(tensor) in self._labels]
        if not entering or not any(True for _ in _tensors([result])):
            return None
        first = self._labels[id(entering[0])]
        same = isinstance(result, Tensor) and result.dim() == 4 and result.shape[1] == len(first)
        if name == "batch_norm":
            return self._normed(values)
        if name in _KEEP and same:
            return first
        if name == "cat" and _axis(values) == 1:
            return np.concatenate([self._labels.get(id(t), _none(t.shape[1])) for t in values[0]])
        if name in _ADD and same:
            return self._added(values, first)
        self.fix_all(entering)
        return None

    def _convolved(self, values: list[Any]) -> Labels | None:
        x, weight = values[0], values[1]
        layer, _ = self._owner.get(id(weight), ("", ""))
        entering = self._labels.get(id(x), _none(x.shape[1]))
        own = weight.shape[1] == 1 and len(weight) == x.shape[1]
        if not layer or not (own or weight.shape[1] == x.shape[1]):
            self.fix_all([x])
            return None
        if own and weight.shape[1] != x.shape[1]:  # a filter for each channel, which stays what it is
            self._use(weight, 0, entering)
            return entering
        self._use(weight, 1, entering)
        self._means[layer] = x.float().mean(dim=(0, 2, 3))
        if layer not in self._made:
            first = len(self._joined)
            self._joined.extend(range(first, first + len(weight)))
            self._made[layer] = np.arange(first, first + len(weight))
        for value in (tensor for tensor in values[1:3] if tensor is not None):
            self._use(value, 0, self._made[layer])
        return self._made[layer]

    def _normed(self, values: list[Any]) -> Labels:
        labels = self._labels[id(values[0])]
        for value in values[1:5]:
            self._use(value, 0, labels)
        return labels

    def _added(self, values: list[Any], first: Labels) -> Labels:
        for other in (tensor for tensor in _tensors(values) if tensor.dim() == 4 and tensor.shape[1] > 1):
            labels = self._labels.get(id(other))
            if labels is None:
                self._fix(first)
            else:
                self._join(first, labels)
        return first

    def _use(self, value: Tensor, axis: int, labels: Labels) -> None:
        layer, key = self._owner[id(value)]
        before = self._uses.setdefault((layer, key, axis), labels)
        if before is not labels:
            self._join(before, labels)

    def _join(self, first: Labels, second: Labels) -> None:
        for a, b in zip(first.tolist(), second.tolist(), strict=True):
            if NOT_FOLLOWED in (a, b):
                self._fix([a, b])
            else:
                low, high = sorted((self._root(a), self._root(b)))
                self._joined[high] = low

    def _root(self, label: int) -> int:
        while self._joined[label] != label:
            label = self._joined[label]
        return label

    def _fix(self, labels: Iterable[int]) -> None:
        self._fixed.update(int(label) for label in labels if label != NOT_FOLLOWED)

    def fix_all(self, tensors: Iterable[Tensor]) -> None:
        """Keep all channels of some tensors."""
        for tensor in tensors:
            self._fix(self._labels.get(id(tensor), ()))

    def channels(self) -> Channels:
        """Channels that may go; a layer with a channel that is fixed is fixed as a whole."""
        fixed = {self._root(label) for label in self._fixed}
        layers, seen = {}, set[int]()
        for name, labels in self._made.items():
            own = np.array([root for label in labels.tolist() if (root := self._root(label)) not in seen], np.int64)
            seen.update(own.tolist())
            if len(own) > 1 and fixed.isdisjoint(own.tolist()):
                layers[name] = own
        uses = [Use(*place, self._roots(labels)) for place, labels in self._uses.items()]
        return Channels(layers, uses, self._means)

    def _roots(self, labels: Labels) -> Labels:
        return np.array([x if x == NOT_FOLLOWED else self._root(x) for x in labels.tolist()], np.int64)


def _tensors(values: Any) -> Iterator[Tensor]:
    """All tensors in nested lists, mappings and dataclasses."""
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, Mapping):
        yield from _tensors(list(values.values()))
    elif isinstance(values, list | tuple):
        for value in values:
            yield from _tensors(value)
    elif is_dataclass(values) and not isinstance(values, type):
        yield from _tensors(list(vars(values).values()))


def _none(count: int) -> Labels:
    return np.full(count, NOT_FOLLOWED)


def _axis(values: list[Any]) -> Any:
    return values[1] if len(values) > 1 else 0
