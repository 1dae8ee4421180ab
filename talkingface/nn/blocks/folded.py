"""Exact rearrangements of convolutions and of the blocks around them, for inference."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .conv import DownBlock, ResidualBlock, SameBlock, StridedBlock, UpBlock
from .separable import SeparableConv2d

Conv = TypeVar("Conv", nn.Conv2d, nn.Conv3d)
AnyConv = TypeVar("AnyConv", nn.Conv2d, nn.Conv3d, SeparableConv2d)


def fold_batch_norm(conv: AnyConv, norm: nn.BatchNorm2d | nn.BatchNorm3d) -> AnyConv:
    """One convolution that does what `conv` and then `norm` (in eval mode) do; both stay as they are."""
    folded = copy.deepcopy(conv)
    if isinstance(folded, SeparableConv2d):
        folded.point = fold_batch_norm(folded.point, norm)
        return folded
    mean, variance = norm.running_mean, norm.running_var
    if mean is None or variance is None or conv.bias is None:
        raise ValueError("folding needs running statistics and a convolution with a bias")
    scale = (norm.weight / torch.sqrt(variance + norm.eps)).detach()
    folded.weight = nn.Parameter(conv.weight.detach() * _per_output(scale, conv.weight), requires_grad=False)
    folded.bias = nn.Parameter((conv.bias.detach() - mean) * scale + norm.bias.detach(), requires_grad=False)
    return folded


def _per_output(values: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Values for each output channel, to be multiplied with a kernel."""
    return values.view(-1, *(1,) * (weight.dim() - 1))


def fold_spectral_norm(conv: nn.Module) -> nn.Conv2d:
    """A plain convolution that does what one under `torch.nn.utils.spectral_norm` does in eval mode."""
    weight, u, v = (getattr(conv, name).detach() for name in ("weight_orig", "weight_u", "weight_v"))
    if not isinstance(conv, nn.Conv2d):
        raise ValueError("only 2-D convolutions are folded")
    bias = None if conv.bias is None else conv.bias.detach().clone()
    padding = (int(conv.padding[0]), int(conv.padding[1]))
    plain = nn.Conv2d(conv.in_channels, conv.out_channels, weight.shape[-1], padding=padding, bias=bias is not None)
    plain.weight = nn.Parameter(weight / torch.dot(u, weight.flatten(1) @ v), requires_grad=False)
    plain.bias = None if bias is None else nn.Parameter(bias, requires_grad=False)
    return plain


def chain_1x1(first: nn.Conv2d, second: nn.Conv2d) -> nn.Conv2d:
    """One convolution that does what `first` and then the 1 x 1 convolution `second`, without bias, do."""
    if second.kernel_size != (1, 1) or second.bias is not None or first.bias is None:
        raise ValueError("chaining needs a bias in the first convolution only, and a second one of 1 x 1")
    chained = copy.deepcopy(first)
    chained.out_channels = second.out_channels
    matrix = second.weight.detach().flatten(1)
    chained.weight = nn.Parameter(torch.einsum("oi,icab->ocab", matrix, first.weight.detach()), requires_grad=False)
    chained.bias = nn.Parameter(matrix @ first.bias.detach(), requires_grad=False)
    return chained


def add_to_bias(conv: Conv, number: float) -> Conv:
    """A convolution whose outputs are those of `conv` plus `number`."""
    if conv.bias is None:
        raise ValueError("adding needs a convolution with a bias")
    shifted = copy.deepcopy(conv)
    shifted.bias = nn.Parameter(conv.bias.detach() + number, requires_grad=False)
    return shifted


def merge_outputs(first: nn.Conv2d, second: nn.Conv2d) -> nn.Conv2d:
    """One convolution whose channels are those of `first` and then of `second`; both take the same input."""
    merged = copy.deepcopy(first)
    merged.out_channels = first.out_channels + second.out_channels
    merged.weight = nn.Parameter(torch.cat([first.weight, second.weight]).detach(), requires_grad=False)
    if first.bias is None or second.bias is None:
        raise ValueError("merging needs convolutions with biases")
    merged.bias = nn.Parameter(torch.cat([first.bias, second.bias]).detach(), requires_grad=False)
    return merged


def fold_enlarging(conv: nn.Conv2d, factor: int = 2) -> nn.ConvTranspose2d:
    """Nearest enlarging and then a 3 x 3 convolution, as one transposed convolution with a stride of `factor`.

    Both are linear and the transposed kernel is their product: enlarging spreads a pixel over `factor`, the kernel's
    rows (and columns) over three, so that a pixel reaches two more. For each input pixel (factor + 2)^2 products
    replace 9 factor^2: 16 of 36 at double size, 36 of 144 at four times.
    """
    weight = conv.weight.detach()
    reach = _reach(weight, factor)
    enlarged = nn.ConvTranspose2d(
        conv.in_channels, conv.out_channels, factor + 2, stride=factor, padding=1, bias=conv.bias is not None
    )
    enlarged.weight = nn.Parameter(torch.einsum("ar,bs,oirs->ioab", reach, reach, weight), requires_grad=False)
    if conv.bias is not None:
        enlarged.bias = nn.Parameter(conv.bias.detach().clone(), requires_grad=False)
    return enlarged


def fold_doubling_planes(conv: nn.Conv3d) -> nn.ConvTranspose3d:
    """Nearest doubling of a volume's slices and then a 3 x 3 x 3 convolution, as one transposed convolution."""
    weight = conv.weight.detach()
    reach = _reach(weight, 2)
    doubled = nn.ConvTranspose3d(
        conv.in_channels, conv.out_channels, (3, 4, 4), stride=(1, 2, 2), padding=1, bias=conv.bias is not None
    )
    # Transposed convolutions run through the kernel backwards; along the depth nothing else changes.
    kernel = torch.einsum("ar,bs,oidrs->iodab", reach, reach, weight).flip(2).contiguous()
    doubled.weight = nn.Parameter(kernel, requires_grad=False)
    if conv.bias is not None:
        doubled.bias = nn.Parameter(conv.bias.detach().clone(), requires_grad=False)
    return doubled


def _reach(like: torch.Tensor, factor: int) -> torch.Tensor:
    """(factor + 2, 3): which rows of a transposed kernel each row of a kernel behind an enlarging adds to.

    Kernel row r at enlarged pixel d adds to output d + 1 - r; a pixel's enlarged ones are next to each other.
    """
    reach = like.new_zeros(factor + 2, 3)
    for row in range(3):
        reach[2 - row : 2 - row + factor, row] = 1
    return reach


# Weights above which a kernel is left as it is. Layers that wide work on pictures of a few pixels, so that reading the
# kernel takes most of the time, and the folded one is 16 / 9 as large.
HEAVY_KERNEL = 4_000_000

Network = TypeVar("Network", bound=nn.Module)


class FoldedBlock(nn.Module):
    """Convolution with its batch norm inside, ReLU, and an optional 2 x 2 mean; (N, in, H, W) -> (N, out, ...)."""

    def __init__(self, conv: nn.Module, *, pool: bool = False) -> None:
        super().__init__()
        self.conv, self.pool = conv, pool

    def forward(self, x: Tensor) -> Tensor:
        out = self.conv(x).relu_()
        return F.avg_pool2d(out, 2) if self.pool else out


class FoldedResidual(nn.Module):
    """A residual block whose second norm is inside the first convolution; (N, C, H, W) stays."""

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
    if isinstance(conv, SeparableConv2d) or conv.weight.numel() > HEAVY_KERNEL:
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
