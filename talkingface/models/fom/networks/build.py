"""FOM's discriminator, and all of its networks built from settings.

Whatever the architecture, there are three: ``kp_detector`` (pictures -> Keypoints), ``generator`` (with `encode` and
`decode`, see generator.py) and ``discriminator``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ....nn.compact.generator import CompactGenerator, FastCompactGenerator
from ....nn.compact.motion import CompactKPDetector
from ....nn.geometry.grids import gaussian_heatmaps
from ....nn.geometry.keypoints import Keypoints
from ....nn.losses.gan import PatchDiscriminator
from ...mixed_generator import FastMixedGenerator, MixedGenerator
from ..config import CommonParams, DiscriminatorParams, FOMConfig
from ..renderer import Generator
from .generator import FastGenerator, OcclusionAwareGenerator
from .motion import KPDetector
from .student import narrow, separate


class Discriminator(PatchDiscriminator):
    """Score the patches of a picture; with `use_kp` the driving keypoints go in as heatmaps too."""

    def __init__(self, params: DiscriminatorParams, common: CommonParams) -> None:
        in_channels = common.num_channels + common.num_kp * params.use_kp
        super().__init__(in_channels, params.block_expansion, params.max_features, params.num_blocks, sn=params.sn)
        self.kp_variance = params.kp_variance if params.use_kp else None

    def forward(self, image: Tensor, keypoints: Keypoints | None = None) -> tuple[list[Tensor], Tensor]:
        """Features after each block, and the scores (N, 1, h, w), of pictures (N, 3, H, W) in [0, 1]."""
        if self.kp_variance is None:
            return self.score(image)
        if keypoints is None:
            raise ValueError("this discriminator was built with use_kp, so it needs the driving keypoints")
        size = (image.shape[-2], image.shape[-1])
        return self.score(torch.cat([image, gaussian_heatmaps(keypoints["value"], size, self.kp_variance)], dim=1))


class MultiScaleDiscriminator(nn.Module):
    """One discriminator for each scale; scale 0.5 is named ``discs.0-5`` since module names hold no dots."""

    def __init__(self, params: DiscriminatorParams, common: CommonParams) -> None:
        super().__init__()
        self.scales = tuple(params.scales)
        self.discs = nn.ModuleDict({self._name(scale): Discriminator(params, common) for scale in self.scales})

    @staticmethod
    def _name(scale: float) -> str:
        return f"{scale:g}".replace(".", "-")

    def forward(
        self, pyramid: dict[float, Tensor], keypoints: Keypoints | None = None
    ) -> dict[float, tuple[list[Tensor], Tensor]]:
        """Scale -> (features after each block, scores (N, 1, h, w)) of the pictures that an ImagePyramid made."""
        return {scale: self.discs[self._name(scale)](pyramid[scale], keypoints) for scale in self.scales}


def build_published(config: FOMConfig) -> nn.ModuleDict:
    """The networks of the paper, under the parameter names of the released checkpoints."""
    common = config.common_params
    return nn.ModuleDict(
        {
            "kp_detector": KPDetector(config.kp_detector_params, common),
            "generator": OcclusionAwareGenerator(config.generator_params, common, align_corners=config.align_corners),
            "discriminator": MultiScaleDiscriminator(config.discriminator_params, common),
        }
    )


def build_compact(config: FOMConfig) -> nn.ModuleDict:
    """This project's small networks, with the discriminator of the paper."""
    common, params = config.common_params, config.compact_params
    return nn.ModuleDict(
        {
            "kp_detector": CompactKPDetector(params, common),
            "generator": CompactGenerator(params, common),
            "discriminator": MultiScaleDiscriminator(config.discriminator_params, common),
        }
    )


def build_mixed(config: FOMConfig) -> nn.ModuleDict:
    """The small networks with a generator that sees points of the face mesh too."""
    common, params = config.common_params, config.compact_params
    return nn.ModuleDict(
        {
            "kp_detector": CompactKPDetector(params, common),
            "generator": MixedGenerator(params, common),
            "discriminator": MultiScaleDiscriminator(config.discriminator_params, common),
        }
    )


@dataclass(frozen=True)
class Architecture:
    """Builders of the networks of an architecture.

    Attributes:
        build: settings -> fresh networks.
        accelerate: (generator in eval mode, precision) -> the same for inference only, faster.
    """

    build: Callable[[FOMConfig], nn.ModuleDict]
    accelerate: Callable[..., Generator]


ARCHITECTURES: dict[str, Architecture] = {
    "published": Architecture(build_published, FastGenerator),
    "compact": Architecture(build_compact, FastCompactGenerator),
    "mixed": Architecture(build_mixed, FastMixedGenerator),
}


def build_networks(config: FOMConfig) -> nn.ModuleDict:
    """All networks of the architecture that the settings name, freshly initialised.

    Raises:
        ConfigError: if the networks have no layers, or not so many channels, as the settings say pruning has left.
    """
    networks = ARCHITECTURES[config.architecture].build(config)
    if config.separable:
        separate(networks, trained=False)
    if config.pruned:
        narrow(networks, config)
    return networks


def fast_generator(config: FOMConfig, generator: nn.Module, precision: torch.dtype) -> Generator:
    """A generator of these settings rearranged for inference; the given one stays as it is."""
    return ARCHITECTURES[config.architecture].accelerate(generator, precision)
