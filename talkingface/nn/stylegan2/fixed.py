"""A generator for one set of codes, as inference needs it: the same numbers up to float rounding, in less time.

Exact savings:

* Modulated weights are computed once, and with them nothing is left to multiply features by.
* The gain of each layer is in its weights and biases: a leaky ReLU lets positive factors through.
* Whatever comes before the features that change is computed once for all frames.
"""

from __future__ import annotations

import math
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from ...errors import ShapeError
from .conditions import Conditions
from .generator import Generator, Halfway
from .layers import StyledConv, ToRGB

SLOPE = 0.2
_GAIN = math.sqrt(2)


class FixedConv:
    """A `StyledConv` without noise for one code (code_length,)."""

    def __init__(self, layer: StyledConv, code: Tensor) -> None:
        weight, bias = layer.conv.modulated(code) * _GAIN, layer.activate.bias * _GAIN
        self.blur = layer.conv.blur
        if self.blur is not None:
            weight, bias = weight.transpose(0, 1), bias[:, None, None]
        # Convolutions follow the layout of their weights; with the channels last a processor rearranges less.
        self.weight, self.bias = weight.contiguous(memory_format=torch.channels_last), bias.clone()

    def __call__(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H, W), or twice the size."""
        if self.blur is None:
            return F.leaky_relu_(F.conv2d(x, self.weight, self.bias, padding=1), SLOPE)
        # The bias comes behind the filter, which mixes the border with zeros.
        out: Tensor = self.blur(F.conv_transpose2d(x, self.weight, stride=2))
        return F.leaky_relu_(out.add_(self.bias), SLOPE)


class FixedToRGB:
    """A `ToRGB` for one code (code_length,)."""

    def __init__(self, layer: ToRGB, code: Tensor) -> None:
        self.weight, self.bias = layer.conv.modulated(code).clone(), layer.bias.flatten().clone()
        self.upsample = layer.upsample

    def __call__(self, x: Tensor, below: Tensor | None = None) -> Tensor:
        """(N, inputs, H, W) and (N, 3, H / 2, W / 2) -> (N, 3, H, W)."""
        out = F.conv2d(x, self.weight, self.bias)
        return out if below is None or self.upsample is None else out.add_(self.upsample(below))


class FixedGenerator:
    """Makes pictures of one set of codes whose features change from frame to frame; without derivatives.

    Args:
        generator: its weights are multiplied by the codes' styles and copied; noise stays silent.
        codes: (1, codes, code_length).

    Raises:
        ShapeError: if the codes are those of several pictures, or of another generator.
    """

    @torch.no_grad()
    def __init__(self, generator: Generator, codes: Tensor) -> None:
        self.structure = generator.structure
        wanted = (1, self.structure.codes, self.structure.code_length)
        if tuple(codes.shape) != wanted:
            raise ShapeError(f"a fixed generator takes codes {wanted}, not {tuple(codes.shape)}")
        self._constant = generator.input.input.detach().clone()
        layers = [generator.conv1, *generator.convs]
        self._convs = [FixedConv(layer, code) for layer, code in zip(layers, codes[0, :-1], strict=True)]
        pictures = [generator.to_rgb1, *generator.to_rgbs]
        self._pictures = [FixedToRGB(layer, code) for layer, code in zip(pictures, codes[0, 1::2], strict=True)]

    @cached_property
    @torch.no_grad()
    def half(self) -> Halfway:
        """The part before the features that can be changed, N = 1; computed once."""
        out = self._convs[0](self._constant)
        picture = self._pictures[0](out)
        splice = self.structure.splice_doubling
        for doubling in range(splice):
            out, picture = self._settle(doubling, self._convs[2 * doubling + 1](out), picture)
        return Halfway(self._convs[2 * splice + 1](out), picture)

    @torch.no_grad()
    def __call__(self, conditions: Conditions | None = None) -> Tensor:
        """Pictures (N, 3, size, size), as many as the conditions have."""
        conditions = conditions or Conditions()
        return self.finish(conditions.move(conditions.invert(self.half.features)))

    @torch.no_grad()
    def finish(self, features: Tensor) -> Tensor:
        """Pictures (N, 3, size, size) of features (N, C, s, s) in the middle."""
        splice = self.structure.splice_doubling
        out, picture = self._settle(splice, features, self.half.picture)
        for doubling in range(splice + 1, self.structure.doublings):
            out, picture = self._settle(doubling, self._convs[2 * doubling + 1](out), picture)
        return picture

    def _settle(self, doubling: int, features: Tensor, picture: Tensor) -> tuple[Tensor, Tensor]:
        """Second convolution of a side, and its part of the picture."""
        out = self._convs[2 * doubling + 2](features)
        return out, self._pictures[doubling + 1](out, picture)
