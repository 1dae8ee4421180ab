"""Layers with an equalised learning rate, filters, and the blocks made of them.

Weights are stored with a standard deviation of 1 and multiplied by the usual factor of initialisation at run time
(Karras et al. 2018, section 4.1), so that an optimiser moves all of them at the same relative speed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...ops import fused_leaky_relu, upfirdn2d

FILTER = (1, 3, 3, 1)


def smoothing_kernel(gain: float = 1.0, line: Sequence[float] = FILTER) -> Tensor:
    """(k, k) low-pass filter, the outer product of a line with itself; its sum is `gain`."""
    taps = torch.tensor(line, dtype=torch.float32)
    kernel = taps[:, None] * taps
    return kernel * (gain / kernel.sum())


class FusedLeakyReLU(nn.Module):
    """Bias, leaky ReLU with a slope of 0.2, times the square root of 2; (N, channels, ...), shape stays."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        return fused_leaky_relu(x, self.bias)


class EqualLinear(nn.Module):
    """Linear layer with an equalised rate; (N, inputs) -> (N, outputs).

    Args:
        bias: value that it starts from.
        rate: multiplies the learning rate.
        activate: leaky ReLU behind it.
    """

    def __init__(
        self, inputs: int, outputs: int, *, bias: float = 0.0, rate: float = 1.0, activate: bool = False
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / rate)
        self.bias = nn.Parameter(torch.full((outputs,), bias / rate))
        self.scale, self.rate, self.activate = rate / math.sqrt(inputs), rate, activate

    def forward(self, x: Tensor) -> Tensor:
        weight, bias = self.weight * self.scale, self.bias * self.rate
        return fused_leaky_relu(F.linear(x, weight), bias) if self.activate else F.linear(x, weight, bias)


class EqualConv2d(nn.Module):
    """Convolution with an equalised rate; (N, inputs, H, W) -> (N, outputs, ...)."""

    def __init__(
        self, inputs: int, outputs: int, kernel_size: int, *, stride: int = 1, padding: int = 0, bias: bool = True
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel_size, kernel_size))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.scale = 1 / math.sqrt(inputs * kernel_size**2)
        self.stride, self.padding = stride, padding

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight * self.scale, self.bias, self.stride, self.padding)


class Filter(nn.Module):
    """Low-pass filter of (N, C, H, W) with resampling, see `talkingface.ops.operations`; its kernel is saved."""

    kernel: Tensor

    def __init__(self, *, up: int = 1, down: int = 1, pad: tuple[int, int], gain: float = 1.0) -> None:
        super().__init__()
        self.register_buffer("kernel", smoothing_kernel(gain))
        self.up, self.down, self.pad = up, down, pad

    def forward(self, x: Tensor) -> Tensor:
        return upfirdn2d(x, self.kernel, self.up, self.down, self.pad)


def doubling() -> Filter:
    """Twice the size: (N, C, H, W) -> (N, C, 2 H, 2 W)."""
    return Filter(up=2, pad=(2, 1), gain=4.0)


class ConvLayer(nn.Sequential):
    """Convolution that keeps the size or halves it, with filter and activation; the parts are numbered as published.

    Args:
        kernel_size: odd.
        down: halve the size, behind a filter.
        activate: bias and leaky ReLU; without it there is no bias either.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel_size: int, *, down: bool = False, activate: bool = True
    ) -> None:
        parts: list[nn.Module] = []
        # Pixels that a strided 1 x 1 convolution skips need not be filtered; a larger one takes all of them.
        early = down and kernel_size == 1
        if down:
            spare = len(FILTER) - 2 + kernel_size - 1
            parts.append(Filter(down=2 if early else 1, pad=((spare + 1) // 2, spare // 2)))
        stride, padding = (1 if early else 2, 0) if down else (1, kernel_size // 2)
        parts.append(EqualConv2d(inputs, outputs, kernel_size, stride=stride, padding=padding, bias=False))
        if activate:
            parts.append(FusedLeakyReLU(outputs))
        super().__init__(*parts)


class ResBlock(nn.Module):
    """Residual block that halves the size: (N, inputs, H, W) -> (N, outputs, H / 2, W / 2)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = ConvLayer(inputs, inputs, 3)
        self.conv2 = ConvLayer(inputs, outputs, 3, down=True)
        self.skip = ConvLayer(inputs, outputs, 1, down=True, activate=False)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = (self.conv2(self.conv1(x)) + self.skip(x)) / math.sqrt(2)
        return out


EPSILON = 1e-8


class ModulatedConv2d(nn.Module):
    """Convolution whose weights are multiplied by a style of each input channel, then brought to length 1.

    A batch shares one convolution: multiplying an input channel is multiplying the weights that take it, and dividing
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
