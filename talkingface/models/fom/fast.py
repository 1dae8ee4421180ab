"""The published generator rearranged for inference: the same numbers up to float rounding, in less time.

Batch norm is folded into the convolutions before it, nearest doubling into the convolution behind it, the two heads of
the dense motion network become one, and convolutions run channels-last. The source side is encoded once (see
generator.py), and the full-size deformed picture is made only when it is asked for.
"""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import Tensor, nn

from ...nn.blocks.folded import fold_blocks, merge_outputs
from .dense_motion import DenseMotionNetwork
from .generator import OcclusionAwareGenerator

Network = TypeVar("Network", bound=nn.Module)


class InPrecision(nn.Module):
    """A network in another precision; what goes in and comes out is float32."""

    def __init__(self, network: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.network, self.dtype = network.to(dtype), dtype

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.network(x.to(self.dtype))
        return out.float()


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
