"""Blocks rearranged for inference: the same numbers up to float rounding, in less time.

Batch norm is folded into the convolutions before it and nearest doubling into the convolution behind it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch.nn.functional as F
from torch import Tensor, nn

from .blocks import DownBlock, ResidualBlock, SameBlock, StridedBlock, UpBlock
from .fold import fold_batch_norm, fold_enlarging

# Weights above which a kernel is left as it is. Layers that wide see pictures of a few pixels, so that reading the
# kernel is what takes time, and the folded one is 16 / 9 as large.
HEAVY_KERNEL = 4_000_000

Network = TypeVar("Network", bound=nn.Module)


class FoldedBlock(nn.Module):
    """Convolution with its batch norm inside, ReLU, and an optional 2 x 2 mean."""

    def __init__(self, conv: nn.Module, *, pool: bool = False) -> None:
        super().__init__()
        self.conv, self.pool = conv, pool

    def forward(self, x: Tensor) -> Tensor:
        out = self.conv(x).relu_()
        return F.avg_pool2d(out, 2) if self.pool else out


class FoldedResidual(nn.Module):
    """A residual block whose second norm is inside the first convolution."""

    def __init__(self, block: ResidualBlock) -> None:
        super().__init__()
        self.norm1 = block.norm1
        self.conv1 = fold_batch_norm(block.conv1, block.norm2)
        self.conv2 = block.conv2

    def forward(self, x: Tensor) -> Tensor:
        out = self.conv1(self.norm1(x).relu_()).relu_()
        return self.conv2(out).add_(x)


def _fold_same(block: SameBlock) -> nn.Module:
    return FoldedBlock(fold_batch_norm(block.conv, block.norm))


def _fold_down(block: DownBlock) -> nn.Module:
    return FoldedBlock(fold_batch_norm(block.conv, block.norm), pool=True)


def _fold_up(block: UpBlock) -> nn.Module:
    conv = fold_batch_norm(block.conv, block.norm)
    if conv.weight.numel() > HEAVY_KERNEL:
        return FoldedBlock(nn.Sequential(nn.UpsamplingNearest2d(scale_factor=2), conv))
    return FoldedBlock(fold_enlarging(conv))


FOLDERS: dict[type[nn.Module], Callable[..., nn.Module]] = {
    SameBlock: _fold_same,
    StridedBlock: _fold_same,
    DownBlock: _fold_down,
    UpBlock: _fold_up,
    ResidualBlock: FoldedResidual,
}


def fold_blocks(network: Network) -> Network:
    """Replace the blocks inside a network, in place, by their folded forms."""
    for name, child in network.named_children():
        folder = FOLDERS.get(type(child))
        setattr(network, name, folder(child) if folder else fold_blocks(child))
    return network
