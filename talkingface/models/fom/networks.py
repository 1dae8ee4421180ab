"""Builds FOM's networks from its settings.

Whatever the architecture, there are three: ``kp_detector`` (pictures -> Keypoints), ``generator`` (with `encode` and
`decode`, see generator.py) and ``discriminator``.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from .config import FOMConfig
from .discriminator import MultiScaleDiscriminator
from .generator import OcclusionAwareGenerator
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


BUILDERS: dict[str, Callable[[FOMConfig], nn.ModuleDict]] = {"published": build_published}


def build_networks(config: FOMConfig) -> nn.ModuleDict:
    """All networks of the architecture that the settings name, freshly initialised."""
    return BUILDERS[config.architecture](config)
