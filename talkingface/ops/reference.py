"""Both operations in plain PyTorch: the reference of the native ones, and the fallback without them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .resampling import Floats, Resampling, Taps


def dense(x: Tensor, kernel: Tensor, resampling: Resampling) -> Tensor:
    """Resample by definition, step by step: zeros, padding, filter, decimation. Differentiable in the filter too.

    Args:
        x: (N, C, H, W).
        kernel: (height, width).
        resampling: factors and padding.

    Returns:
        (N, C, H', W') of `Resampling.output_size`.
    """
    n, c, h, w = x.shape
    if resampling.up > 1:
        x = F.pad(x.reshape(n, c, h, 1, w, 1), [0, resampling.up - 1, 0, 0, 0, resampling.up - 1])
    x = x.reshape(n * c, 1, h * resampling.up, w * resampling.up)
    x = F.pad(x, [resampling.left, resampling.right, resampling.top, resampling.bottom])
    x = F.conv2d(x, kernel.flip(0, 1)[None, None].to(x.dtype), stride=resampling.down)
    return x.reshape(n, c, *x.shape[2:])


def separable(x: Tensor, taps: Taps, resampling: Resampling) -> Tensor:
    """Resample (N, C, H, W) by sums of shifted pictures, first along the height, then along the width.

    On a CPU this takes a fifth of the time of a convolution with one channel, as no zeros are inserted.
    """
    height, width = resampling.output_size(x.shape[2], x.shape[3], taps)
    columns, rows = taps.factors
    total: Tensor | None = None
    for column, row in zip(columns, rows, strict=True):
        part = _along(x, 2, column, resampling, resampling.top, height)
        part = _along(part, 3, row, resampling, resampling.left, width)
        total = part if total is None else total.add_(part)
    assert total is not None  # noqa: S101  a filter has at least one factor
    return total


def _along(x: Tensor, dim: int, taps: Floats, resampling: Resampling, pad: int, size: int) -> Tensor:
    """Resample one axis: output ``up * t + p`` is a sum over the taps that lie on samples, see csrc/polyphase.h."""
    shape = list(x.shape)
    shape[dim] = size
    out = x.new_empty(shape)
    for p in range(min(resampling.up, size)):
        part = out.narrow(dim, p, size - p)[_every(dim, resampling.up)]
        begin = p * resampling.down - pad
        first = -begin % resampling.up
        offset = (begin + first) // resampling.up
        started = False
        for m, tap in enumerate(taps[first :: resampling.up]):
            started = _add_shifted(part, x, dim, float(tap), offset + m, resampling.down, started)
        if not started:
            part.zero_()
    return out


def _add_shifted(out: Tensor, x: Tensor, dim: int, tap: float, offset: int, step: int, started: bool) -> bool:
    """Add ``tap * x[offset + t * step]`` to ``out[t]`` where the former exists; the first call sets all of ``out``."""
    low = min(max(0, -(offset // step)), out.shape[dim])  # the first t that meets the picture
    high = min(out.shape[dim], max(low, (x.shape[dim] - 1 - offset) // step + 1))
    if low >= high:
        return started
    inside = x.narrow(dim, offset + low * step, (high - low - 1) * step + 1)[_every(dim, step)]
    target = out.narrow(dim, low, high - low)
    if started:
        target.add_(inside, alpha=tap)
        return True
    torch.mul(inside, tap, out=target)
    out.narrow(dim, 0, low).zero_()
    out.narrow(dim, high, out.shape[dim] - high).zero_()
    return True


def _every(dim: int, step: int) -> tuple[slice, ...]:
    return (*[slice(None)] * dim, slice(None, None, step))


def gated(x: Tensor, bias: Tensor | None, gate: Tensor | None, above: float, below: float) -> Tensor:
    """Multiply ``x + bias`` by `above` where the gate is positive, else by `below`; differentiable.

    Args:
        x: (N, C, ...).
        bias: (C,) or None.
        gate: shape of x; None: the sum itself.
        above, below: the two factors.

    Returns:
        (N, C, ...).
    """
    if bias is not None:
        x = x + bias.to(x.dtype).view(1, -1, *[1] * (x.ndim - 2))
    if gate is None and above > 0 and not x.requires_grad and bias is not None:
        return F.leaky_relu_(x, below / above).mul_(above)  # in place, as the sum is a new tensor
    positive = (x if gate is None else gate) > 0
    return x * torch.where(positive, x.new_tensor(above), x.new_tensor(below))
