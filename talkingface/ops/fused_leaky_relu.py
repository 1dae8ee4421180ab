"""Bias, leaky ReLU and gain in one pass, with derivatives of any order."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from ..errors import ShapeError
from . import native, reference


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
        return reference.gated(x, bias, None, above, below)
    out: Tensor = _Activate.apply(x, bias, above, below)
    return out


class _Activate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, bias: Tensor | None, above: float, below: float) -> Tensor:
        out = _compute(x, bias, None, above, below)
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
        return _compute(x, None, gate, above, below)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        return _Gate.apply(gradients[0], *ctx.saved_tensors, *ctx.slopes), None, None, None


def _compute(x: Tensor, bias: Tensor | None, gate: Tensor | None, above: float, below: float) -> Tensor:
    library = native.library_for(x)
    if library is None:
        return reference.gated(x, bias, gate, above, below)
    return library.gated(x, bias, gate, above, below)
