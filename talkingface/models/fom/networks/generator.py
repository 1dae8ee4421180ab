"""The occlusion-aware generator (paper, section 3.3), split into a part for the source alone and the rest."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import torch
from torch import Tensor, nn

from ....nn.blocks.conv import DownBlock, ResidualBlock, SameBlock, UpBlock
from ....nn.blocks.folded import fold_blocks, merge_outputs
from ....nn.blocks.hourglass import level_widths
from ....nn.geometry.grids import resize_field, resize_map, warp
from ....nn.geometry.keypoints import Keypoints, expand_keypoints
from ..config import CommonParams, GeneratorParams
from .motion import DenseMotionNetwork


@dataclass(frozen=True)
class SourceState:
    """Encoded source picture, as the generator keeps it.

    Attributes:
        image: (N, 3, H, W), the picture itself.
        small: (N, 3, h, w), input of the dense motion network.
        features: (N, C, H / 2^d, W / 2^d), which motion warps.
    """

    image: Tensor
    small: Tensor
    features: Tensor

    def expand(self, count: int) -> SourceState:
        """Source for `count` frames; no memory is copied."""
        if self.image.shape[0] == count:
            return self
        return SourceState(*(t.expand(count, -1, -1, -1) for t in (self.image, self.small, self.features)))


class OcclusionAwareGenerator(nn.Module):
    """Warp the source's features by the dense motion, mask them by the occlusion map, and decode them to a picture."""

    def __init__(self, params: GeneratorParams, common: CommonParams, *, align_corners: bool = True) -> None:
        super().__init__()
        self.dense_motion_network = DenseMotionNetwork(
            params.dense_motion_params,
            common,
            estimate_occlusion_map=params.estimate_occlusion_map,
            align_corners=align_corners,
        )
        widths = level_widths(params.block_expansion, params.max_features, params.num_down_blocks + 1)
        self.first = SameBlock(common.num_channels, widths[0], 7)
        self.down_blocks = nn.ModuleList(DownBlock(a, b) for a, b in pairwise(widths))
        self.up_blocks = nn.ModuleList(UpBlock(b, a) for a, b in reversed(list(pairwise(widths))))
        self.bottleneck = nn.Sequential()
        for index in range(params.num_bottleneck_blocks):
            self.bottleneck.add_module(f"r{index}", ResidualBlock(widths[-1]))
        self.final = nn.Conv2d(widths[0], common.num_channels, 7, padding=3)
        self.align_corners = align_corners

    def encode(self, image: Tensor) -> SourceState:
        """The source side of (N, 3, H, W) pictures in [0, 1]."""
        features = self.first(image)
        for block in self.down_blocks:
            features = block(features)
        return SourceState(image, self.dense_motion_network.down(image), features)

    def decode(
        self, state: SourceState, kp_source: Keypoints, kp_driving: Keypoints, *, explain: bool = False
    ) -> dict[str, Tensor]:
        """Draw the source with the driving keypoints.

        Args:
            state: of one source for all frames, or of one source per frame.
            kp_source: of as many pictures as the state.
            kp_driving: of the N frames to draw.
            explain: give the intermediate maps too.

        Returns:
            ``prediction`` (N, 3, H, W) in [0, 1]; with `explain` also ``deformed`` (the source warped, at full size),
            ``mask``, ``sparse_deformed`` and, where it is estimated, ``occlusion_map`` of the dense motion network.
        """
        count = kp_driving["value"].shape[0]
        motion = self.move(state, kp_source, kp_driving)
        out = {"prediction": self.draw(state.expand(count).features, motion)}
        if explain:
            out["deformed"] = self.deform(state.expand(count).image, motion["deformation"])
            out |= {name: value for name, value in motion.items() if name != "deformation"}
        return out

    def move(self, state: SourceState, kp_source: Keypoints, kp_driving: Keypoints) -> dict[str, Tensor]:
        """Dense motion of N driving frames, a field (N, h, w, 2) and its masks; see DenseMotionNetwork."""
        count = kp_driving["value"].shape[0]
        network = self.dense_motion_network
        small = state.small
        heatmaps = network.heatmaps(kp_source["value"], (small.shape[-2], small.shape[-1]))
        return network(state.expand(count).small, heatmaps, expand_keypoints(kp_source, count), kp_driving)

    def deform(self, image: Tensor, deformation: Tensor) -> Tensor:
        """Warp (N, C, H, W) by a field (N, h, w, 2) that is first brought to H x W."""
        field = resize_field(deformation, (image.shape[-2], image.shape[-1]))
        return warp(image, field, align_corners=self.align_corners)

    def draw(self, features: Tensor, motion: dict[str, Tensor]) -> Tensor:
        """Pictures (N, 3, H, W) from source features and dense motion: warp, mask, decode."""
        out = self.deform(features, motion["deformation"])
        if "occlusion_map" in motion:
            out = out * resize_map(motion["occlusion_map"], (out.shape[-2], out.shape[-1]))
        return self.decode_features(out)

    def decode_features(self, features: Tensor) -> Tensor:
        """Pictures (N, 3, H, W) in [0, 1] from warped features."""
        out = self.bottleneck(features)
        for block in self.up_blocks:
            out = block(out)
        return torch.sigmoid(self.final(out))

    def forward(self, image: Tensor, kp_source: Keypoints, kp_driving: Keypoints) -> dict[str, Tensor]:
        """Encode pictures (N, 3, H, W) and decode them at once, with all intermediate maps, as training does."""
        return self.decode(self.encode(image), kp_source, kp_driving, explain=True)


Network = TypeVar("Network", bound=nn.Module)


class InPrecision(nn.Module):
    """A network in another precision; pictures or features (N, C, H, W) go in and come out in float32."""

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
        out: Tensor = self.decoder(features)
        return out.sigmoid_()
