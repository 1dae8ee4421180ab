"""SadTalker's architectures: the networks of each, what draws and speaks with them, and how its stages are trained.

All that differs between architectures is in the table; nothing else asks which one it is. Of the published architecture
the renderer is trained before the mapping network, which learns against it; of the compact one it is the other way
round. What settings have to know without torch is in config.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import nn

from ..base import Renderer, VoiceModel
from .compact.networks import build_compact
from .compact.objective import COMPACT_MAPPING, COMPACT_RENDER
from .compact.renderer import CompactRenderer
from .compact.voice import CompactVoice
from .config import SadTalkerConfig
from .networks.audio2exp import Audio2Exp
from .networks.audio2pose import Audio2Pose
from .networks.generator import RenderNetworks
from .renderer import SadTalkerRenderer
from .training.expression import EXPRESSION
from .training.mapping import MAPPING
from .training.phases import Stage
from .training.pose import POSE
from .training.render import RENDER
from .voice.driver import SadTalkerVoice


def build_published(config: SadTalkerConfig) -> nn.ModuleDict:
    """Networks of the paper, under the parameter names of the released files."""
    render = RenderNetworks(config)
    return nn.ModuleDict(
        {**dict(render.named_children()), "audio2exp": Audio2Exp(), "audio2pose": Audio2Pose()},
    )


@dataclass(frozen=True)
class Architecture:
    """Everything that settings of one architecture lead to.

    Attributes:
        build: settings -> fresh networks by name.
        renderer: (networks in eval mode, settings, precision) -> renderer.
        voice: (networks in eval mode, settings) -> voice; float32 in any precision, as it takes a hundredth of the
            time at most.
        angles_in_rows: whether the user's angles replace those of the rows, or those that the renderer finds in them.
        stages: name -> how it is trained.
        renders_with: names of the networks that draw.
        speaks_with: names of the networks that speak.
    """

    build: Callable[[SadTalkerConfig], nn.ModuleDict]
    renderer: Callable[[nn.ModuleDict, SadTalkerConfig, torch.dtype], Renderer]
    voice: Callable[[nn.ModuleDict, SadTalkerConfig], VoiceModel]
    angles_in_rows: bool
    stages: Mapping[str, Stage]
    renders_with: tuple[str, ...] = ("kp_extractor", "generator", "mapping")
    speaks_with: tuple[str, ...] = ("audio2exp", "audio2pose")


ARCHITECTURES: dict[str, Architecture] = {
    "published": Architecture(
        build_published,
        SadTalkerRenderer,
        lambda networks, config: SadTalkerVoice(networks, config.space),
        angles_in_rows=False,
        stages={"expression": EXPRESSION, "pose": POSE, "render": RENDER, "mapping": MAPPING},
    ),
    "compact": Architecture(
        build_compact,
        CompactRenderer,
        lambda networks, config: CompactVoice(networks),
        angles_in_rows=True,
        stages={"expression": EXPRESSION, "pose": POSE, "render": COMPACT_RENDER, "mapping": COMPACT_MAPPING},
    ),
}
