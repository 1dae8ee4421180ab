"""Modulated convolutions: a code says how strongly each input channel counts (section 2.2 of the paper)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .layers import EqualLinear, Filter, FusedLeakyReLU, doubling

EPSILON = 1e-8


class ModulatedConv2d(nn.Module):
    """Convolution whose weights are multiplied by a style of each input channel, then brought to length 1.

    A batch shares one convolution: multiplying an input channel is multiplying the weights that see it, and dividing
    an output channel is dividing the weights that make it.

    Args:
        kernel_size: 1, or 3 if it doubles the size.
        demodulate: divide by the length of each output channel's weights.
        up: double the size: transposed convolution, then a filter.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel_size: int,
        code_length: int,
        *,
        demodulate: bool = True,
        up: bool = False,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(1, outputs, inputs, kernel_size, kernel_size))
        self.modulation = EqualLinear(code_length, inputs, bias=1.0)
        self.scale = 1 / math.sqrt(inputs * kernel_size**2)
        self.demodulate, self.padding = demodulate, kernel_size // 2
        self.blur = Filter(pad=(1, 1), gain=4.0) if up else None

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        """(N, inputs, H, W) and codes (N, code_length) -> (N, outputs, H, W), or twice the size."""
        weight, style = self.weight[0] * self.scale, self.modulation(code)
        x = x * style[..., None, None]
        if self.blur is None:
            out = F.conv2d(x, weight, padding=self.padding)
        else:
            out = self.blur(F.conv_transpose2d(x, weight.transpose(0, 1), stride=2))
        return out * self._demodulation(weight, style)[..., None, None] if self.demodulate else out

    def _demodulation(self, weight: Tensor, style: Tensor) -> Tensor:
        """One over the length of each output channel's modulated weights, (N, outputs)."""
        return torch.rsqrt(F.linear(style.square(), weight.square().sum(dim=(2, 3))) + EPSILON)

    def modulated(self, code: Tensor) -> Tensor:
        """The weights (outputs, inputs, k, k) that one code (code_length,) makes."""
        weight, style = self.weight[0] * self.scale, self.modulation(code[None])
        changed = weight * style[0, :, None, None]
        return changed * self._demodulation(weight, style)[0, :, None, None, None] if self.demodulate else changed


class NoiseInjection(nn.Module):
    """Adds noise (N or 1, 1, H, W) to all channels of (N, C, H, W), times one learned strength."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor, noise: Tensor) -> Tensor:
        return x + self.weight * noise


class StyledConv(nn.Module):
    """Modulated 3 x 3 convolution, noise, bias and leaky ReLU."""

    def __init__(self, inputs: int, outputs: int, code_length: int, *, up: bool = False) -> None:
        super().__init__()
        self.conv = ModulatedConv2d(inputs, outputs, 3, code_length, up=up)
        self.noise = NoiseInjection()
        self.activate = FusedLeakyReLU(outputs)

    def forward(self, x: Tensor, code: Tensor, noise: Tensor | None = None) -> Tensor:
        """(N, inputs, H, W), codes (N, code_length) -> (N, outputs, H, W), or twice the size; no noise without any."""
        out = self.conv(x, code)
        activated: Tensor = self.activate(out if noise is None else self.noise(out, noise))
        return activated


class ToRGB(nn.Module):
    """Modulated 1 x 1 convolution to a picture, added to the doubled picture of the sizes below."""

    def __init__(self, inputs: int, code_length: int, *, first: bool = False) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(1, 3, 1, 1))
        self.upsample = None if first else doubling()
        self.conv = ModulatedConv2d(inputs, 3, 1, code_length, demodulate=False)

    def forward(self, x: Tensor, code: Tensor, below: Tensor | None = None) -> Tensor:
        """(N, inputs, H, W), codes and (N, 3, H / 2, W / 2) -> (N, 3, H, W)."""
        out: Tensor = self.conv(x, code) + self.bias
        return out if below is None or self.upsample is None else out + self.upsample(below)
