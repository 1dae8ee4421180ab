"""The occlusion-aware SPADE generator (Wang et al. 2021, section 3.3), and the networks that render together.

The generator is split into the part that depends on the source alone and the rest.

A volume is warped, so that turning the head moves near parts further than far ones. Pictures of 256 and of 512
pixels go through the same structure.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from ....nn.blocks.conditional_norm import SLOPE, SpadeBlock
from ....nn.blocks.conv import BatchNorm2d, DownBlock, ResidualBlock, SameBlock
from ....nn.blocks.hourglass import level_widths
from ....nn.geometry.grids import resize_map
from ....nn.geometry.volumes import resize_field_3d, warp_3d
from ....nn.precision import at_least_float32, float32_region
from ..config import CommonParams, GeneratorParams, RenderConfig
from .mapping import MappingNet
from .motion import Angles, DenseMotion, DenseMotionNetwork, KPDetector, transform_keypoints

MIDDLE_BLOCKS = 6


@dataclass(frozen=True)
class SourceState:
    """Encoded source picture, as the generator keeps it.

    Attributes:
        features: (N, C, D, h, w), the volume that is warped.
        small: (N, compress, D, h, w), input of the dense motion network.
    """

    features: Tensor
    small: Tensor

    def expand(self, count: int) -> SourceState:
        """Source for `count` frames; no memory is copied."""
        if self.features.shape[0] == count:
            return self
        return SourceState(*(volume.expand(count, -1, -1, -1, -1) for volume in (self.features, self.small)))


class LeakyBlock(nn.Module):
    """3 x 3 convolution, batch norm, leaky ReLU; (N, C, H, W) -> (N, out, H, W)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.norm = BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        return F.leaky_relu(self.norm(self.conv(x)), 0.01)


class SpadeDecoder(nn.Module):
    """Warped features (N, C, h, w) -> pictures (N, 3, 4 h, 4 w) in [0, 1]; the features steer every norm."""

    def __init__(self, features: int, colours: int) -> None:
        super().__init__()
        self.fc = nn.Conv2d(features, 2 * features, 3, padding=1)
        for index in range(MIDDLE_BLOCKS):
            self.add_module(f"G_middle_{index}", SpadeBlock(2 * features, 2 * features, features))
        self.up_0 = SpadeBlock(2 * features, features, features)
        self.up_1 = SpadeBlock(features, features // 4, features)
        self.conv_img = nn.Conv2d(features // 4, colours, 3, padding=1)

    @property
    def middle_blocks(self) -> list[SpadeBlock]:
        """The blocks at the features' own size, in order."""
        return [block for name, block in self.named_children() if isinstance(block, SpadeBlock) and "middle" in name]

    def forward(self, features: Tensor) -> Tensor:
        out = self.fc(features)
        for block in self.middle_blocks:
            out = block(out, features)
        for block in (self.up_0, self.up_1):
            out = block(F.interpolate(out, scale_factor=2, mode="nearest"), features)
        return at_least_float32(self.conv_img(F.leaky_relu(out, SLOPE))).sigmoid()


class OcclusionAwareSPADEGenerator(nn.Module):
    """Warp the source's feature volume by the dense motion, mask it by the occlusion map, and draw it as a picture."""

    def __init__(self, params: GeneratorParams, common: CommonParams) -> None:
        super().__init__()
        self.dense_motion_network = DenseMotionNetwork(
            params.dense_motion_params, common, estimate_occlusion_map=params.estimate_occlusion_map
        )
        widths = level_widths(params.block_expansion, params.max_features, params.num_down_blocks + 1)
        self.first = SameBlock(common.image_channel, widths[0])
        self.down_blocks = nn.ModuleList(DownBlock(a, b) for a, b in pairwise(widths))
        self.second = nn.Conv2d(widths[-1], params.max_features, 1)
        self.resblocks_3d = nn.Sequential()
        for index in range(params.num_resblocks):
            self.resblocks_3d.add_module(f"3dr{index}", ResidualBlock(params.reshape_channel, dims=3))
        self.third = LeakyBlock(params.max_features, widths[-1])
        self.fourth = nn.Conv2d(widths[-1], widths[-1], 1)
        self.decoder = SpadeDecoder(widths[-1], common.image_channel)
        self.volume = (params.reshape_channel, params.reshape_depth)

    def encode(self, image: Tensor) -> SourceState:
        """The source side of (N, 3, S, S) pictures in [0, 1]; S a multiple of 128 with the published settings."""
        out = self.first(image)
        for block in self.down_blocks:
            out = block(out)
        features = self.resblocks_3d(self.second(out).unflatten(1, self.volume))
        return SourceState(features, self.dense_motion_network.squeeze(features))

    def decode(self, state: SourceState, kp_source: Tensor, kp_driving: Tensor) -> Tensor:
        """Draw the source with the driving keypoints.

        Args:
            state: of one source for all frames, or of one source per frame.
            kp_source: (1 or N, K, 3).
            kp_driving: (N, K, 3).

        Returns:
            (N, 3, S, S), RGB, [0, 1].
        """
        motion = self.move(state, kp_source, kp_driving)
        return self.draw(state.expand(kp_driving.shape[0]).features, motion)

    def move(self, state: SourceState, kp_source: Tensor, kp_driving: Tensor) -> DenseMotion:
        """Dense motion of N driving frames, a field (N, D, h, w, 3) and its masks; arguments as `decode`."""
        count = kp_driving.shape[0]
        motion: DenseMotion = self.dense_motion_network(
            state.expand(count).small, kp_source.expand(count, -1, -1), kp_driving
        )
        return motion

    def draw(self, features: Tensor, motion: DenseMotion) -> Tensor:
        """Pictures (N, 3, S, S) from source volumes and dense motion: warp, flatten, mask, draw."""
        out = self.fourth(self.third(self.deform(features, motion.deformation).flatten(1, 2)))
        if motion.occlusion is not None:
            out = out * resize_map(motion.occlusion, (out.shape[-2], out.shape[-1]))
        drawn: Tensor = self.decoder(out)
        return drawn

    def deform(self, features: Tensor, deformation: Tensor) -> Tensor:
        """Warp (N, C, D, H, W) by a field (N, d, h, w, 3) that is first brought to its size; in float32."""
        with float32_region(features):
            features = at_least_float32(features)
            size = (features.shape[2], features.shape[3], features.shape[4])
            return warp_3d(features, resize_field_3d(deformation, size))

    def forward(self, image: Tensor, kp_source: Tensor, kp_driving: Tensor) -> Tensor:
        """Frames (N, 3, S, S) of pictures (N, 3, S, S) in [0, 1] and keypoints (N, K, 3), as training draws them."""
        return self.decode(self.encode(image), kp_source, kp_driving)


class RenderNetworks(nn.Module):
    """Canonical keypoints, mapping and generator, under the prefixes that released packages give them."""

    def __init__(self, config: RenderConfig) -> None:
        super().__init__()
        common = config.common_params
        self.kp_extractor = KPDetector(config.kp_detector_params, common)
        self.generator = OcclusionAwareSPADEGenerator(config.generator_params, common)
        self.mapping = MappingNet(config.mapping_params)

    def keypoints(self, canonical: Tensor, windows: Tensor, angles: Angles | None = None) -> Tensor:
        """Keypoints (N, K, 3) of frames.

        Args:
            canonical: (1 or N, K, 3), of the source.
            windows: (N, coefficients, 27), around each frame; for the source its own row 27 times.
            angles: degrees (N,) that the user set in place of the predicted ones; never for the source.
        """
        return transform_keypoints(canonical, self.mapping(windows), angles)

    def forward(self, image: Tensor, source: Tensor, windows: Tensor) -> Tensor:
        """Frames (N, 3, S, S) from pictures (1 or N, 3, S, S), their own windows and those of the frames."""
        canonical = self.kp_extractor(image)
        kp_source, kp_driving = self.keypoints(canonical, source), self.keypoints(canonical, windows)
        drawn: Tensor = self.generator(image, kp_source, kp_driving)
        return drawn
