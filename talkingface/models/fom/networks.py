"""Builds FOM's networks from its settings.

Whatever the architecture, there are three: ``kp_detector`` (pictures -> Keypoints), ``generator`` (with `encode` and
`decode`, see generator.py) and ``discriminator``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from ...nn.compact.generator import CompactGenerator, FastCompactGenerator
from ...nn.compact.motion import CompactKPDetector
from ..mixed_generator import FastMixedGenerator, MixedGenerator
from .config import FOMConfig
from .discriminator import MultiScaleDiscriminator
from .fast import FastGenerator
from .generator import OcclusionAwareGenerator
from .inference import Generator
from .keypoints import KPDetector


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
    """How networks of an architecture are made.

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
    """All networks of the architecture that the settings name, freshly initialised."""
    return ARCHITECTURES[config.architecture].build(config)


def fast_generator(config: FOMConfig, generator: nn.Module, precision: torch.dtype) -> Generator:
    """A generator of these settings rearranged for inference; the given one stays as it is."""
    return ARCHITECTURES[config.architecture].accelerate(generator, precision)
