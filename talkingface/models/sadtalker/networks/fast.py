"""The generator rearranged for inference: the same numbers up to float rounding, in less time.

The source side is encoded once (see generator.py) and stays as it is. In the part run for every frame, batch norms
are folded into convolutions, nearest doubling into the convolutions behind it, and SPADE blocks are rearranged (see
nn/blocks/conditional_norm.py). Nothing of the decoder depends on the source alone: its norms work on warped features.
"""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ....nn.blocks.conditional_norm import SLOPE, FastSpadeBlock
from ....nn.blocks.conv import SameBlock, double
from ....nn.blocks.folded import fold_batch_norm, fold_doubling_planes
from ....nn.blocks.hourglass import Hourglass, VolumeDecoder
from ....nn.geometry.grids import resize_map
from ....nn.precision import at_least_float32
from .generator import OcclusionAwareSPADEGenerator, SpadeDecoder
from .motion import DenseMotion, DenseMotionNetwork

# Weights above which a kernel is left as it is. Layers that wide work on volumes of a few cells, so that reading the
# kernel takes most of the time, and the folded one is 16 / 9 as large.
HEAVY_KERNEL = 10_000_000


Network = TypeVar("Network", bound=nn.Module)


def _as(network: Network, precision: torch.dtype) -> Network:
    """A copy in another number type."""
    return copy.deepcopy(network).to(precision)


def _fold_block(block: nn.Module) -> nn.Conv3d:
    """The convolution of a block with its batch norm inside."""
    if not isinstance(block, SameBlock):
        raise TypeError("only blocks of a convolution and a batch norm are folded")
    folded: nn.Conv3d = fold_batch_norm(block.conv, block.norm)
    return folded


class FastUp(nn.Module):
    """An `UpBlock` of volumes, its batch norm and doubling folded; (N, C, D, H, W) -> (N, out, D, 2 H, 2 W)."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        conv = _fold_block(block)
        self.plain = conv.weight.numel() > HEAVY_KERNEL
        self.conv = conv if self.plain else fold_doubling_planes(conv)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(double(x) if self.plain else x).relu_()


def _halve(volume: Tensor) -> Tensor:
    """2 x 2 mean of each slice; slices of channels-last volumes are channels-last pictures, and nothing is copied."""
    slices = volume.transpose(1, 2).flatten(0, 1)
    return F.avg_pool2d(slices, 2).unflatten(0, (volume.shape[0], -1)).transpose(1, 2)


class FastHourglass(nn.Module):
    """The hourglass of volumes (N, C, D, H, W) with folded blocks."""

    def __init__(self, hourglass: Hourglass) -> None:
        super().__init__()
        self.down = nn.ModuleList(_fold_block(block) for block in hourglass.encoder.down_blocks)
        self.up = nn.ModuleList(FastUp(block) for block in hourglass.decoder.up_blocks)
        if not isinstance(hourglass.decoder, VolumeDecoder):
            raise TypeError("only the hourglass of volumes is folded so")
        self.last = fold_batch_norm(hourglass.decoder.conv, hourglass.decoder.norm)

    def forward(self, x: Tensor) -> Tensor:
        stages = [x]
        for conv in self.down:
            stages.append(_halve(conv(stages[-1]).relu_()))
        out = stages.pop()
        for block in self.up:
            out = torch.cat([block(out), stages.pop()], dim=1)
        folded: Tensor = self.last(out).relu_()
        return folded


class FastDenseMotion(DenseMotionNetwork):
    """The dense motion network with a folded hourglass; coordinates and warps are float32 in any precision."""

    def __init__(self, network: DenseMotionNetwork, precision: torch.dtype) -> None:
        nn.Module.__init__(self)
        self.compress, self.norm = copy.deepcopy(network.compress), copy.deepcopy(network.norm)
        self.precision = precision
        self.fast_hourglass = FastHourglass(network.hourglass).to(precision)
        self.mask, self.occlusion = _as(network.mask, precision), None
        if network.occlusion is not None:
            self.occlusion = _as(network.occlusion, precision)

    def predict(self, inputs: Tensor) -> tuple[Tensor, Tensor | None]:
        features = self.fast_hourglass(inputs.to(self.precision, memory_format=torch.channels_last_3d))
        return self.mask(features), None if self.occlusion is None else self.occlusion(features.flatten(1, 2))


class FastDecoder(nn.Module):
    """Decoder of warped features (N, C, h, w); see SpadeDecoder.

    The first convolution is float32 in any precision: where features hardly vary, the norm behind it blows rounding up.
    """

    def __init__(self, decoder: SpadeDecoder, precision: torch.dtype) -> None:
        super().__init__()
        self.precision = precision
        self.middle = nn.ModuleList(FastSpadeBlock(block) for block in decoder.middle_blocks)
        self.up = nn.ModuleList(
            FastSpadeBlock(block, factor, doubles=True) for block, factor in ((decoder.up_0, 2), (decoder.up_1, 4))
        )
        self.conv_img = copy.deepcopy(decoder.conv_img)
        self.to(precision)
        self.fc = copy.deepcopy(decoder.fc)

    def forward(self, features: Tensor) -> Tensor:
        out, maps = self.fc(features), features.to(self.precision)
        for block in (*self.middle, *self.up):
            out = block(out, maps)
        return at_least_float32(self.conv_img(F.leaky_relu_(out, SLOPE))).sigmoid()


class FastGenerator(OcclusionAwareSPADEGenerator):
    """The generator for inference; the flow of data is inherited, the parts are rearranged.

    Args:
        generator: in eval mode; stays as it is.
        precision: of the convolutions that run for every frame. Coordinates, warps, statistics of norms and the
            source's features are float32 in any case.
    """

    def __init__(self, generator: OcclusionAwareSPADEGenerator, precision: torch.dtype = torch.float32) -> None:
        nn.Module.__init__(self)
        self.precision, self.volume = precision, generator.volume
        self.first, self.down_blocks = copy.deepcopy(generator.first), copy.deepcopy(generator.down_blocks)
        self.second, self.resblocks_3d = copy.deepcopy(generator.second), copy.deepcopy(generator.resblocks_3d)
        self.dense_motion_network = FastDenseMotion(generator.dense_motion_network, precision)
        third = generator.third
        self.flatten = nn.Sequential(
            fold_batch_norm(third.conv, third.norm), nn.LeakyReLU(0.01, inplace=True), copy.deepcopy(generator.fourth)
        )
        self.fast_decoder = FastDecoder(generator.decoder, precision)
        self.requires_grad_(False).eval()
        for part in (self.flatten, self.fast_decoder):
            part.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        volumes = self.dense_motion_network.fast_hourglass
        volumes.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]

    def draw(self, features: Tensor, motion: DenseMotion) -> Tensor:
        out = self.deform(features, motion.deformation).flatten(1, 2)
        out = self.flatten(out.contiguous(memory_format=torch.channels_last))
        if motion.occlusion is not None:
            out = out * resize_map(motion.occlusion, (out.shape[-2], out.shape[-1]))
        drawn: Tensor = self.fast_decoder(out)
        return drawn
