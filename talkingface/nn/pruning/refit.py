"""Convolutions fitted, by least squares, to what a larger network gives on the same pictures.

Layer after layer in the order of one run, so that each makes up for what the layers before it have lost (He et al.
2017, channel pruning for accelerating very deep networks, section 3.1). A few pictures and one run do what hundreds of
training steps would.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from ..blocks.separable import SeparableConv2d

MOST_PLACES = 20_000  # pixels of a batch that a layer is fitted on
MOST_NUMBERS = 40_000_000  # of inputs at these pixels
RIDGE = 1e-3  # share of the mean square of the inputs that pulls weights towards those they have


@torch.no_grad()
def fit_convolutions(
    network: nn.Module,
    reference: nn.Module,
    run: Callable[[nn.Module], Any],
    places: Mapping[str, Tensor] | None = None,
) -> None:
    """Fit the convolutions of a network that sum over channels, in place.

    Args:
        network: with the layers of the reference, some of them separable or with fewer channels.
        reference: what it shall give.
        run: the same run of either; each layer is used once, in eval mode.
        places: layer -> numbers (n,) of the reference's output channels that it still has; all of them where not named.
    """
    wanted: dict[str, Tensor] = {}

    def keep(name: str, module: nn.Module, given: Any, result: Tensor) -> None:
        left = (places or {}).get(name)
        wanted[name] = result if left is None else result.index_select(1, left)

    hooks = [
        module.register_forward_hook(partial(keep, name))
        for name, module in reference.named_modules()
        if isinstance(module, nn.Conv2d)
    ]
    _run_once(reference, run, hooks)
    random = torch.Generator().manual_seed(0)
    hooks = [
        module.register_forward_pre_hook(partial(_fit, target, random))
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d)
        and module.groups == 1
        and (target := _target(name, network, wanted)) is not None
    ]
    _run_once(network, run, hooks)


def _run_once(network: nn.Module, run: Callable[[nn.Module], Any], hooks: Sequence[RemovableHandle]) -> None:
    """Run a network in eval mode, and take its hooks away."""
    try:
        run(network.eval())
    finally:
        for hook in hooks:
            hook.remove()


def _target(name: str, network: nn.Module, wanted: Mapping[str, Tensor]) -> Tensor | None:
    """Output that a convolution shall have; a separable one that of the whole one in its place."""
    parent, _, last = name.rpartition(".")
    whole = parent if last == "point" and isinstance(network.get_submodule(parent), SeparableConv2d) else name
    return wanted.get(name, wanted.get(whole))


def _fit(wanted: Tensor, random: torch.Generator, conv: nn.Conv2d, given: tuple[Tensor, ...]) -> None:
    """Change a convolution's weights by the least squares of what its output still lacks."""
    weight, missing = conv.weight, wanted - conv.forward(given[0])
    inputs, lacks = _rows(conv, given[0], missing, random)
    inputs = torch.cat([inputs, torch.ones_like(inputs[:, :1])], dim=1).double()
    square = inputs.T @ inputs
    square.diagonal().add_(RIDGE * square.diagonal().mean())
    change = torch.linalg.solve(square, inputs.T @ lacks.double()).to(weight)
    weight += change[:-1].T.view_as(weight)
    if conv.bias is not None:
        conv.bias += change[-1]


def _rows(conv: nn.Conv2d, given: Tensor, missing: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """Inputs (P, C * k * k) and missing outputs (P, out) of a convolution at pixels drawn from all pictures."""
    size, around, step = conv.kernel_size[0], int(conv.padding[0]), conv.stride[0]
    windows = F.pad(given, [around] * 4).unfold(2, size, step).unfold(3, size, step)
    height, width = missing.shape[-2:]
    most = min(MOST_PLACES, MOST_NUMBERS // conv.weight[0].numel(), len(given) * height * width)
    drawn = torch.randperm(len(given) * height * width, generator=random)[:most]
    picture, row, column = drawn // (height * width), drawn // width % height, drawn % width
    return windows[picture, :, row, column].flatten(1), missing[picture, :, row, column]
