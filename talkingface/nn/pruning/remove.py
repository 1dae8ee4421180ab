"""Ranks of a network's channels, and their removal from all layers that make or read them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from ..blocks.conv import BatchNorm2d
from .channels import Channels, Labels

Kept = Mapping[str, Labels]
"""Layer -> labels (n,) of the channels that stay."""


def sparsity_penalty(network: nn.Module) -> Tensor:
    """Mean absolute scale, a scalar, of all batch norms of pictures (Liu et al. 2017, network slimming, section 3)."""
    return torch.cat([norm.weight for norm in network.modules() if isinstance(norm, BatchNorm2d)]).abs().mean()


@torch.no_grad()
def importance(network: nn.Module, channels: Channels) -> dict[str, Tensor]:
    """Importance (n,) of the channels of each layer, 1 on the mean of the layer.

    It is the scale of the channel's batch norm, or the norm of the filter that makes it where no batch norm follows,
    times the norms of the weights that read it, filters of its own included: behind a ReLU a scale and those weights
    can be exchanged, so that neither says anything alone.
    """
    norms: dict[str, dict[int, float]] = {"scale": {}, "made": {}, "own": {}, "read": {}}
    for use in (use for use in channels.uses if use.key == "weight"):
        module = network.get_submodule(use.layer)
        weight: Tensor = module.weight  # type: ignore[assignment]
        found = norms[_role(module, use.axis)]
        strength = weight.transpose(0, use.axis).flatten(1).norm(dim=1) if weight.dim() > 1 else weight.abs()
        for label, number in zip(use.labels.tolist(), strength.tolist(), strict=True):
            found[label] = (found.get(label, 0.0) ** 2 + number**2) ** 0.5
    ranks = {}
    for name, labels in channels.layers.items():
        made = [norms["scale"].get(x, norms["made"].get(x, 0.0)) for x in labels.tolist()]
        used = [norms["own"].get(x, 1.0) * norms["read"].get(x, 1.0) for x in labels.tolist()]
        values = torch.tensor(made) * torch.tensor(used)
        ranks[name] = values / values.mean().clamp_min(1e-12)
    return ranks


def _role(module: nn.Module, axis: int) -> str:
    """Part of a layer's weights in the importance of a channel."""
    if not isinstance(module, nn.Conv2d):
        return "scale"
    if module.groups > 1:
        return "own"
    return "read" if axis == 1 else "made"


def choose(ranks: Mapping[str, Tensor], channels: Channels, share: float, *, fewest: float = 0.25) -> dict[str, Labels]:
    """Choose the channels that stay, by layer: labels (n,).

    Args:
        ranks: of `importance`.
        channels: of the same network.
        share: of all channels that shall go, the least important first; never more than that.
        fewest: part of each layer that stays in any case; what stays of a layer is a multiple of four.
    """
    limit = torch.cat(list(ranks.values())).quantile(share)
    kept = {}
    for name, labels in channels.layers.items():
        wanted = max(int((ranks[name] > limit).sum()), int(fewest * len(labels)), 1)
        count = min(len(labels), -(-wanted // 4) * 4)
        best = ranks[name].argsort(descending=True, stable=True)[:count]
        kept[name] = labels[np.sort(best.numpy())]
    return kept


def first_channels(channels: Channels, counts: Mapping[str, int]) -> dict[str, Labels]:
    """Labels (n,) of the first channels of layers, as many as told; layers that are not named keep all of theirs.

    Raises:
        ValueError: if there is no such layer, or it has not that many channels.
    """
    for name, count in counts.items():
        have = channels.counts.get(name)
        if have is None or not 0 < count <= have:
            raise ValueError(f"layer '{name}' cannot have {count} channels" + (f"; it has {have}" if have else ""))
    return {name: labels[: counts.get(name, len(labels))] for name, labels in channels.layers.items()}


@torch.no_grad()
def remove(network: nn.Module, channels: Channels, kept: Kept) -> dict[str, Tensor]:
    """Remove all channels but those that are kept, in place: parameters and buffers become smaller.

    What a channel gave on the mean of the run goes into the bias of the convolution that has read it.

    Returns:
        Convolution -> numbers (n,) of its output channels that are left; only of those that have lost some.
    """
    left = {}
    stay = {name: set(labels.tolist()) for name, labels in kept.items()}
    gone = {x for name, labels in channels.layers.items() for x in labels.tolist() if x not in stay[name]}
    for use in channels.uses:
        places = torch.tensor([i for i, x in enumerate(use.labels.tolist()) if x not in gone])
        if len(places) == len(use.labels):
            continue
        module = network.get_submodule(use.layer)
        if use.axis == 1:
            _keep_mean(module, places, channels.means[use.layer])
        elif isinstance(module, nn.Conv2d):
            left[use.layer] = places
        _shorten(module, use.key, use.axis, places)
    for use in channels.uses:
        _resize(network.get_submodule(use.layer))
    return left


def _keep_mean(conv: nn.Module, places: Tensor, mean: Tensor) -> None:
    weight, bias = conv.weight, conv.bias
    if isinstance(bias, Tensor) and isinstance(weight, Tensor):
        lost = mean.to(weight).clone()
        lost[places] = 0
        bias.data += torch.einsum("oikl,i->o", weight, lost)[: len(bias)]


def _shorten(module: nn.Module, key: str, axis: int, places: Tensor) -> None:
    value = getattr(module, key)
    shorter = value.detach().index_select(axis, places).contiguous()
    if isinstance(value, nn.Parameter):
        setattr(module, key, nn.Parameter(shorter, requires_grad=value.requires_grad))
    else:
        setattr(module, key, shorter)


def _resize(module: nn.Module) -> None:
    """Let a layer's own numbers of channels agree with its weights."""
    if isinstance(module, nn.Conv2d):
        module.out_channels = len(module.weight)
        if module.groups > 1:
            module.groups = module.in_channels = len(module.weight)
        else:
            module.in_channels = module.weight.shape[1]
    elif isinstance(module, nn.BatchNorm2d):
        module.num_features = len(module.weight)


def parameter_count(networks: Iterable[nn.Module]) -> int:
    """Number of parameters of networks."""
    return sum(parameter.numel() for parameter in _parameters(networks))


def _parameters(networks: Iterable[nn.Module]) -> Iterator[Tensor]:
    for network in networks:
        yield from network.parameters()
