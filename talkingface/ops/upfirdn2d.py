"""Resampling of pictures with a filter, with derivatives of any order."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..errors import ShapeError
from . import native, reference
from .resampling import Resampling, Taps, taps_of


def upfirdn2d(x: Tensor, k: Tensor, up: int = 1, down: int = 1, pad: tuple[int, int] = (0, 0)) -> Tensor:
    """Insert zeros, pad, filter and decimate, along both axes alike (upsample, FIR filter, downsample).

    Each sample is followed by ``up - 1`` zeros, so L become ``L * up``; ``pad[0]`` zeros go before and ``pad[1]``
    behind (negative: cut); the FLIPPED filter slides over it, as in a true convolution, without any gain of its own;
    every `down`-th sample stays, from the first. What comes out has the length
    ``(L * up + pad[0] + pad[1] - K) // down + 1``.

    Args:
        x: (N, C, H, W), real.
        k: filter (height, width). Filters that need no gradient cost less and are taken apart into separable ones.

    Raises:
        ShapeError: if a shape is another, or the filter does not fit.
        DependencyError: if ``TALKINGFACE_OPS=require`` and there is no native operation.
    """
    if x.ndim != 4 or up < 1 or down < 1:
        raise ShapeError(f"pictures (N, C, H, W) and factors from 1, not {tuple(x.shape)}, up {up}, down {down}")
    how = Resampling(up, down, pad[0], pad[1], pad[0], pad[1])
    if (
        k.requires_grad or torch.compiler.is_compiling() or torch.jit.is_tracing()
    ):  # the numbers of k are not to be read
        return reference.dense(x, k, how)
    out: Tensor = _Resample.apply(x, taps_of(k), how)
    return out


class _Resample(torch.autograd.Function):
    """Linear in x: its derivative is the adjoint resampling, whose derivative is again the resampling."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, taps: Taps, how: Resampling) -> Tensor:
        ctx.taps, ctx.how, ctx.size = taps, how, x.shape[2:]
        return _compute(x, taps, how)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        adjoint = ctx.how.adjoint(*ctx.size, ctx.taps)
        return _Resample.apply(gradients[0], ctx.taps.flipped, adjoint), None, None


def _compute(x: Tensor, taps: Taps, how: Resampling) -> Tensor:
    many = x.device.type == "cuda" and taps.values.size > native.MOST_TAPS_CUDA
    library = native.library_for(x, f"filters of more than {native.MOST_TAPS_CUDA} taps" if many else None)
    return reference.separable(x, taps, how) if library is None else library.upfirdn2d(x, taps, how)
