"""Batch norms whose statistics cover the batches of all processes."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn.modules.batchnorm import _BatchNorm


class _SumOverProcesses(torch.autograd.Function):
    """Sum of a tensor over all processes; each one's gradient is the sum of those of all, likewise."""

    @staticmethod
    def forward(context: Any, value: Tensor) -> Tensor:
        total = value.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].contiguous().clone()
        distributed.all_reduce(total)
        return total


def share_statistics(networks: nn.ModuleDict, device: torch.device) -> None:
    """Let batch norms in training share their statistics among processes: torch's layer on GPUs, ours on the CPU."""
    if device.type == "cuda":
        for name in list(networks):
            networks[name] = nn.SyncBatchNorm.convert_sync_batchnorm(networks[name])
        return
    for module in networks.modules():
        if isinstance(module, _BatchNorm):
            module.forward = partial(shared_batch_norm, module)  # type: ignore[method-assign]


def shared_batch_norm(norm: _BatchNorm, x: Tensor) -> Tensor:
    """Normalise (N, C, ...) by the mean and the variance of each channel over the batches of all processes.

    The sums pass gradients on to the processes that they came from. Torch's own layer does the same, on GPUs alone.
    Outside of training, and with a single process, the norm does what it does anyway.
    """
    if not (norm.training and distributed.is_initialized() and distributed.get_world_size() > 1):
        return type(norm).forward(norm, x)
    axes, shape = [0, *range(2, x.ndim)], [1, -1] + [1] * (x.ndim - 2)
    values = x.float()
    counted = torch.cat([values.sum(axes), values.new_full((1,), x.numel() / x.shape[1])])
    *sums, count = _SumOverProcesses.apply(counted).split([x.shape[1], 1])
    mean = sums[0] / count
    # In two passes: a difference of large squares would lose the digits of a small variance.
    variance = _SumOverProcesses.apply((values - mean.view(shape)).square().sum(axes)) / count
    _update_running(norm, mean.detach(), variance.detach(), float(count.detach()))
    scaled = (values - mean.view(shape)) * (variance + norm.eps).rsqrt().view(shape)
    if norm.affine:
        scaled = scaled * norm.weight.view(shape) + norm.bias.view(shape)
    return scaled.to(x.dtype)


def _update_running(norm: _BatchNorm, mean: Tensor, variance: Tensor, count: float) -> None:
    """Move the running statistics as torch does, the variance (C,) without bias."""
    if norm.running_mean is None or norm.running_var is None or norm.num_batches_tracked is None:
        return
    with torch.no_grad():
        norm.num_batches_tracked += 1
        share = 1 / float(norm.num_batches_tracked) if norm.momentum is None else norm.momentum
        norm.running_mean.lerp_(mean, share)
        norm.running_var.lerp_(variance * (count / max(count - 1, 1)), share)
