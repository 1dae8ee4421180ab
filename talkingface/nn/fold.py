"""Exact rearrangements of convolutions for inference."""

from __future__ import annotations

import copy

import torch
from torch import nn


def fold_batch_norm(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> nn.Conv2d:
    """One convolution that does what `conv` and then `norm` (in eval mode) do; both stay as they are."""
    folded = copy.deepcopy(conv)
    mean, variance = norm.running_mean, norm.running_var
    if mean is None or variance is None or conv.bias is None:
        raise ValueError("folding needs running statistics and a convolution with a bias")
    scale = (norm.weight / torch.sqrt(variance + norm.eps)).detach()
    folded.weight = nn.Parameter(conv.weight.detach() * scale[:, None, None, None], requires_grad=False)
    folded.bias = nn.Parameter((conv.bias.detach() - mean) * scale + norm.bias.detach(), requires_grad=False)
    return folded


def merge_outputs(first: nn.Conv2d, second: nn.Conv2d) -> nn.Conv2d:
    """One convolution whose channels are those of `first` and then of `second`; both see the same input."""
    merged = copy.deepcopy(first)
    merged.out_channels = first.out_channels + second.out_channels
    merged.weight = nn.Parameter(torch.cat([first.weight, second.weight]).detach(), requires_grad=False)
    if first.bias is None or second.bias is None:
        raise ValueError("merging needs convolutions with biases")
    merged.bias = nn.Parameter(torch.cat([first.bias, second.bias]).detach(), requires_grad=False)
    return merged


def fold_doubling(conv: nn.Conv2d) -> nn.ConvTranspose2d:
    """Nearest doubling and then a 3 x 3 convolution, as one transposed 4 x 4 convolution of stride 2.

    Both are linear and the transposed kernel is their product: doubling spreads a pixel over two, the kernel's rows
    (and columns) over three, so that a pixel reaches four; at each output two by two of the sixteen weights meet real
    pixels. 16 products for each input pixel replace 36.
    """
    weight = conv.weight.detach()
    reach = weight.new_zeros(4, 3)
    for row in range(3):
        # Kernel row r at doubled pixel d adds to output d + 1 - r; a pixel's two doubled ones are next to each other.
        reach[[2 - row, 3 - row], row] = 1
    doubled = nn.ConvTranspose2d(
        conv.in_channels, conv.out_channels, 4, stride=2, padding=1, bias=conv.bias is not None
    )
    kernel = torch.einsum("ar,bs,oirs->ioab", reach, reach, weight)
    doubled.weight = nn.Parameter(kernel, requires_grad=False)
    if conv.bias is not None:
        doubled.bias = nn.Parameter(conv.bias.detach().clone(), requires_grad=False)
    return doubled
