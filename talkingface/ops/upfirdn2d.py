"""Resampling of pictures with a filter, with derivatives of any order."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..errors import ShapeError
from . import native, reference
from .resampling import Resampling, Taps, taps_of


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
        return reference.dense(x, k, resampling)
    out: Tensor = _Resample.apply(x, taps_of(k), resampling)
    return out


class _Resample(torch.autograd.Function):
    """Resampling, linear in x: its derivative is the adjoint resampling, whose derivative is the resampling again."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, taps: Taps, resampling: Resampling) -> Tensor:
        ctx.taps, ctx.resampling, ctx.size = taps, resampling, x.shape[2:]
        return _compute(x, taps, resampling)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        adjoint = ctx.resampling.adjoint(*ctx.size, ctx.taps)
        return _Resample.apply(gradients[0], ctx.taps.flipped, adjoint), None, None


def _compute(x: Tensor, taps: Taps, resampling: Resampling) -> Tensor:
    many = x.device.type == "cuda" and taps.values.size > native.MOST_TAPS_CUDA
    library = native.library_for(x, f"filters of more than {native.MOST_TAPS_CUDA} taps" if many else None)
    return reference.separable(x, taps, resampling) if library is None else library.upfirdn2d(x, taps, resampling)
