"""Resampling of pictures with a filter, with derivatives of any order."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import ShapeError
from . import native
from .resampling import Floats, Resampling, Taps, taps_of


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


def fused_leaky_relu(
    x: Tensor, bias: Tensor | None, negative_slope: float = 0.2, scale: float = math.sqrt(2)
) -> Tensor:
    """Compute ``leaky_relu(x + bias) * scale``. The derivative uses the sign of the OUTPUT; at 0, the lower slope.

    Args:
        x: (N, C, ...), real.
        bias: (C,), added along axis 1; None: no bias.
        negative_slope: from 0 to 1.
        scale: positive. The default approximately keeps the variance of normal inputs.

    Returns:
        Same shape and type as ``x``.

    Raises:
        ShapeError: if a shape does not match, or a number is out of its range.
        DependencyError: if ``TALKINGFACE_OPS=require`` and there is no native operation.
    """
    if x.ndim < 2 or (bias is not None and bias.shape != x.shape[1:2]):
        raise ShapeError(f"x (N, C, ...) and a bias (C,), not {tuple(x.shape)} and {bias is not None and bias.shape}")
    if not 0 <= negative_slope <= 1 or scale <= 0:
        raise ShapeError(f"a slope from 0 to 1 and a scale above 0, not {negative_slope} and {scale}")
    above, below = scale, scale * negative_slope
    if torch.compiler.is_compiling() or torch.jit.is_tracing():
        return gated(x, bias, None, above, below)
    out: Tensor = _Activate.apply(x, bias, above, below)
    return out


class _Activate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, bias: Tensor | None, above: float, below: float) -> Tensor:
        out = _gated(x, bias, None, above, below)
        ctx.save_for_backward(out)
        ctx.slopes = above, below
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        (out,) = ctx.saved_tensors
        gradient: Tensor = _Gate.apply(gradients[0], out, *ctx.slopes)
        others = [axis for axis in range(gradient.ndim) if axis != 1]
        return gradient, gradient.sum(others) if ctx.needs_input_grad[1] else None, None, None


class _Gate(torch.autograd.Function):
    """Multiply ``x`` by one of two slopes, depending on the sign of the gate. Linear in x, and its own adjoint."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, gate: Tensor, above: float, below: float) -> Tensor:
        ctx.save_for_backward(gate)
        ctx.slopes = above, below
        return _gated(x, None, gate, above, below)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        return _Gate.apply(gradients[0], *ctx.saved_tensors, *ctx.slopes), None, None, None


def _gated(x: Tensor, bias: Tensor | None, gate: Tensor | None, above: float, below: float) -> Tensor:
    library = native.library_for(x)
    if library is None:
        return gated(x, bias, gate, above, below)
    return library.gated(x, bias, gate, above, below)


def upfirdn2d(x: Tensor, k: Tensor, up: int = 1, down: int = 1, pad: tuple[int, int] = (0, 0)) -> Tensor:
    """Upsample with zeros, pad, filter and decimate, equally along both axes (upsample, FIR filter, downsample).

    Each sample is followed by ``up - 1`` zeros, so the length L becomes ``L * up``; ``pad[0]`` zeros are added before
    and ``pad[1]`` after (negative: cropped); the filter is applied FLIPPED, as in a true convolution, without a gain of
    its own; every `down`-th sample is kept, starting with the first. The length of the result is
    ``(L * up + pad[0] + pad[1] - K) // down + 1``.

    Args:
        x: (N, C, H, W), real.
        k: filter (height, width). A filter that needs no gradient is decomposed into separable ones, which is faster.
        up: upsampling factor.
        down: downsampling factor.
        pad: zeros before and after, along each axis.

    Returns:
        (N, C, H', W'), type of ``x``.

    Raises:
        ShapeError: if a shape does not match, or the filter is larger than the padded picture.
        DependencyError: if ``TALKINGFACE_OPS=require`` and there is no native operation.
    """
    if x.ndim != 4 or up < 1 or down < 1:
        raise ShapeError(f"pictures (N, C, H, W) and factors from 1, not {tuple(x.shape)}, up {up}, down {down}")
    resampling = Resampling(up, down, pad[0], pad[1], pad[0], pad[1])
    # In these cases the values of k must not be read.
    if k.requires_grad or torch.compiler.is_compiling() or torch.jit.is_tracing():
        return dense(x, k, resampling)
    out: Tensor = _Resample.apply(x, taps_of(k), resampling)
    return out


class _Resample(torch.autograd.Function):
    """Resampling, linear in x: its derivative is the adjoint resampling, whose derivative is the resampling again."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, taps: Taps, resampling: Resampling) -> Tensor:
        ctx.taps, ctx.resampling, ctx.size = taps, resampling, x.shape[2:]
        return _resampled(x, taps, resampling)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        adjoint = ctx.resampling.adjoint(*ctx.size, ctx.taps)
        return _Resample.apply(gradients[0], ctx.taps.flipped, adjoint), None, None


def _resampled(x: Tensor, taps: Taps, resampling: Resampling) -> Tensor:
    many = x.device.type == "cuda" and taps.values.size > native.MOST_TAPS_CUDA
    library = native.library_for(x, f"filters of more than {native.MOST_TAPS_CUDA} taps" if many else None)
    return separable(x, taps, resampling) if library is None else library.upfirdn2d(x, taps, resampling)
