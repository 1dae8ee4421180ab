"""Depthwise-separable convolutions in place of those of blocks (Howard et al. 2017, MobileNets, section 3.1).

A 3 x 3 convolution of C channels to D has 9 C D weights, its separable form 9 C + C D: about a ninth where D is large.
Between the two parts there is neither norm nor ReLU (Chollet 2017, Xception, section 4.7), so that a trained
convolution can be approximated by them.
"""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn

from .conv import ResidualBlock, SameBlock

Network = TypeVar("Network", bound=nn.Module)

FEWEST = 16
"""Channels below which a convolution stays whole: on colours there is little to save and much to lose."""


class SeparableConv2d(nn.Module):
    """A filter for each channel, then a weighted sum of channels at each pixel; (N, C, H, W) -> (N, out, h, w).

    Attributes:
        depth: the filters, (C, 1, k, k), without a bias.
        point: the sums, (out, C, 1, 1), and the bias.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, stride: int = 1) -> None:
        super().__init__()
        padding = kernel_size // 2
        self.depth = nn.Conv2d(in_channels, in_channels, kernel_size, stride, padding, groups=in_channels, bias=False)
        self.point = nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.point(self.depth(x))
        return out


@torch.no_grad()
def separated(conv: nn.Conv2d) -> SeparableConv2d:
    """The separable convolution nearest to a whole one.

    For each input channel the kernels to all outputs, a matrix (out, k * k), become an outer product: its first
    singular vectors, which is the nearest in squared error.
    """
    size, stride = conv.kernel_size[0], conv.stride[0]
    made = SeparableConv2d(conv.in_channels, conv.out_channels, size, stride)
    left, strength, right = torch.linalg.svd(conv.weight.transpose(0, 1).flatten(2), full_matrices=False)
    share = strength[:, :1].sqrt()
    made.depth.weight.copy_((share * right[:, 0]).view_as(made.depth.weight))
    made.point.weight.copy_((share * left[..., 0]).t()[..., None, None])
    if conv.bias is not None and made.point.bias is not None:
        made.point.bias.copy_(conv.bias)
    return made


def _fresh(conv: nn.Conv2d) -> SeparableConv2d:
    return SeparableConv2d(conv.in_channels, conv.out_channels, conv.kernel_size[0], conv.stride[0])


def separate_blocks(network: Network, *, trained: bool = True) -> Network:
    """Replace the convolutions of the blocks inside a network, in place, by separable ones.

    Convolutions of 1 x 1, and those of fewer than `FEWEST` input channels, stay whole.

    Args:
        network: with blocks of `conv.py`.
        trained: take the nearest weights; false makes fresh ones.
    """
    replace = separated if trained else _fresh
    for block in [module for module in network.modules() if isinstance(module, SameBlock | ResidualBlock)]:
        for name, child in list(block.named_children()):
            if isinstance(child, nn.Conv2d) and child.kernel_size[0] > 1 and child.in_channels >= FEWEST:
                setattr(block, name, replace(child))
    return network
