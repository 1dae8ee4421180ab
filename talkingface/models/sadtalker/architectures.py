"""SadTalker's architectures: which networks there are, and what draws and speaks with them.

All that differs between architectures is in the table; nothing else asks which one it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from ..base import Renderer, VoiceModel
from .compact.networks import build_compact, compact_renderer, compact_voice
from .config import SadTalkerConfig
from .networks.audio2exp import Audio2Exp
from .networks.audio2pose import Audio2Pose
from .networks.generator import RenderNetworks
from .renderer import SadTalkerRenderer
from .voice.driver import SadTalkerVoice


def build_published(config: SadTalkerConfig) -> nn.ModuleDict:
    """The networks of the paper, under the parameter names of the released files."""
    render = RenderNetworks(config)
    return nn.ModuleDict(
        {**dict(render.named_children()), "audio2exp": Audio2Exp(), "audio2pose": Audio2Pose()},
    )


def published_renderer(networks: nn.ModuleDict, config: SadTalkerConfig, precision: torch.dtype) -> Renderer:
    """What draws with the networks of the paper."""
    return SadTalkerRenderer(networks, config, precision)


def published_voice(networks: nn.ModuleDict, config: SadTalkerConfig, precision: torch.dtype) -> VoiceModel:
    """What speaks with the networks of the paper: in float32 in any precision, as it takes a thousandth of the time."""
    return SadTalkerVoice(networks, config.space)


@dataclass(frozen=True)
class Architecture:
    """What is made of settings.

    Attributes:
        build: settings -> fresh networks by name.
        renderer: (networks in eval mode, settings, precision) -> what draws.
        voice: the same -> what speaks.
        renders_with: names of the networks that draw.
        speaks_with: names of the networks that speak.
        angles_in_rows: whether the user's angles replace those of the rows, or those that the renderer finds in them.
    """

    build: Callable[[SadTalkerConfig], nn.ModuleDict]
    renderer: Callable[[nn.ModuleDict, SadTalkerConfig, torch.dtype], Renderer]
    voice: Callable[[nn.ModuleDict, SadTalkerConfig, torch.dtype], VoiceModel]
    renders_with: tuple[str, ...]
    speaks_with: tuple[str, ...]
    angles_in_rows: bool


ARCHITECTURES: dict[str, Architecture] = {
    "published": Architecture(
        build_published,
        published_renderer,
        published_voice,
        renders_with=("kp_extractor", "generator", "mapping"),
        speaks_with=("audio2exp", "audio2pose"),
        angles_in_rows=False,
    ),
    "compact": Architecture(
        build_compact,
        compact_renderer,
        compact_voice,
        renders_with=("kp_extractor", "generator", "mapping"),
        speaks_with=("audio2exp", "audio2pose"),
        angles_in_rows=True,
    ),
}
