"""The occlusion-aware generator (paper, section 3.3), split into what depends on the source alone and the rest."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from ...nn.blocks.conv import DownBlock, ResidualBlock, SameBlock, UpBlock
from ...nn.blocks.hourglass import level_widths
from ...nn.geometry.grids import resize_field, resize_map, warp
from ...nn.geometry.keypoints import Keypoints, expand_keypoints
from .config import CommonParams, GeneratorParams
from .dense_motion import DenseMotionNetwork


@dataclass(frozen=True)
class SourceState:
    """What the generator keeps of a source picture.

    Attributes:
        image: (N, 3, H, W), the picture itself.
        small: (N, 3, h, w), as the dense motion network sees it.
        features: (N, C, H / 2^d, W / 2^d), what is warped.
    """

    image: Tensor
    small: Tensor
    features: Tensor

    def expand(self, count: int) -> SourceState:
        """The same source for `count` frames; no memory is copied."""
        if self.image.shape[0] == count:
            return self
        return SourceState(*(t.expand(count, -1, -1, -1) for t in (self.image, self.small, self.features)))


class OcclusionAwareGenerator(nn.Module):
    """Warp the source's features by the dense motion, hide what is occluded, and decode them to a picture."""

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
        """Draw the source as the driving keypoints say.

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
        """Dense motion of N driving frames; see DenseMotionNetwork."""
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
        """Pictures (N, 3, H, W) from source features and dense motion: warp, hide what is occluded, decode."""
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
        """Encode and decode at once, with all intermediate maps, as training and the released code do."""
        return self.decode(self.encode(image), kp_source, kp_driving, explain=True)
