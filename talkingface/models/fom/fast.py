"""The published generator rearranged for inference: the same numbers up to float rounding, in less time.

Batch norm is folded into the convolutions before it, nearest doubling into the convolution behind it, the two heads of
the dense motion network become one, and convolutions run channels-last. The source side is encoded once (see
generator.py), and the full-size deformed picture is made only when it is asked for.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...nn.blocks import DownBlock, ResidualBlock, SameBlock, StridedBlock, UpBlock
from ...nn.fold import fold_batch_norm, fold_enlarging, merge_outputs
from .dense_motion import DenseMotionNetwork
from .generator import OcclusionAwareGenerator

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


class InPrecision(nn.Module):
    """A network in another precision; what goes in and comes out is float32."""

    def __init__(self, network: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.network, self.dtype = network.to(dtype), dtype

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.network(x.to(self.dtype))
        return out.float()


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


def in_precision(network: nn.Module, dtype: torch.dtype) -> nn.Module:
    """The network itself for float32, else wrapped by InPrecision."""
    return network if dtype == torch.float32 else InPrecision(network, dtype)


def fast_detector(detector: Network) -> Network:
    """A keypoint detector rearranged for inference, in float32; the given one stays as it is."""
    fast = fold_blocks(copy.deepcopy(detector)).requires_grad_(False).eval()
    return fast.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


class FastDenseMotion(DenseMotionNetwork):
    """The dense motion network with folded blocks and with both heads in one convolution."""

    def __init__(self, network: DenseMotionNetwork, precision: torch.dtype) -> None:
        nn.Module.__init__(self)
        self.predictor = in_precision(fold_blocks(copy.deepcopy(network.hourglass)), precision)
        self.down, self.kp_variance, self.align_corners = network.down, network.kp_variance, network.align_corners
        self.motions = network.mask.out_channels
        self.head = merge_outputs(network.mask, network.occlusion) if network.occlusion is not None else network.mask

    def predict(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """As in the base class."""
        both = self.head(self.predictor(x))
        mask, occlusion = both[:, : self.motions], both[:, self.motions :]
        return mask, occlusion if occlusion.shape[1] else None


class FastGenerator(OcclusionAwareGenerator):
    """The published generator for inference; the flow of data is inherited, the parts are folded.

    Args:
        generator: in eval mode; stays as it is.
        precision: of the dense motion network's hourglass and of the decoder. Coordinates, warps and the source's
            features are float32 in any case: in bfloat16 they cost accuracy and save next to no time.
    """

    def __init__(self, generator: OcclusionAwareGenerator, precision: torch.dtype = torch.float32) -> None:
        nn.Module.__init__(self)
        self.align_corners = generator.align_corners
        self.dense_motion_network = FastDenseMotion(generator.dense_motion_network, precision)
        parts = fold_blocks(copy.deepcopy(generator))
        self.first, self.down_blocks = parts.first, parts.down_blocks
        self.decoder = in_precision(nn.Sequential(*parts.bottleneck, *parts.up_blocks, parts.final), precision)
        self.requires_grad_(False).eval()
        super().to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def decode_features(self, features: Tensor) -> Tensor:
        """As in the base class."""
        out: Tensor = self.decoder(features)
        return out.sigmoid_()
