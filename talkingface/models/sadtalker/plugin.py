"""The plug-in of SadTalker, and its architectures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ...types import Motion
from ..base import Batch, ModelPlugin, Phase, Renderer, VoiceModel
from ..fixed import FixedNetworks
from .compact.mixed import MixedRenderer, build_mixed
from .compact.objective import COMPACT_MAPPING, COMPACT_RENDER
from .compact.renderer import CompactRenderer, build_compact
from .compact.voice import CompactVoice
from .config import SadTalkerConfig
from .networks.audio2exp import Audio2Exp
from .networks.audio2pose import Audio2Pose
from .networks.generator import RenderNetworks
from .renderer import SadTalkerRenderer
from .retarget import fit_to_source
from .training.expression import EXPRESSION
from .training.phases import Stage
from .training.pose import POSE
from .training.render import MAPPING, RENDER
from .voice.speech import SadTalkerVoice


def build_published(config: SadTalkerConfig) -> nn.ModuleDict:
    """Networks of the paper, under the parameter names of the released files."""
    render = RenderNetworks(config)
    return nn.ModuleDict(
        {**dict(render.named_children()), "audio2exp": Audio2Exp(), "audio2pose": Audio2Pose()},
    )


@dataclass(frozen=True)
class Architecture:
    """Networks, renderer, voice and stages of an architecture.

    Attributes:
        build: settings -> fresh networks by name.
        renderer: (networks in eval mode, settings, precision) -> renderer.
        voice: (networks in eval mode, settings) -> voice; float32 in any precision, as it takes a hundredth of the
            time at most.
        angles_in_rows: true if the user's angles replace those of the rows, false if those that the renderer predicts.
        stages: name -> its training.
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
    "mixed": Architecture(
        build_mixed,
        MixedRenderer,
        lambda networks, config: CompactVoice(networks),
        angles_in_rows=True,
        stages={"expression": EXPRESSION, "pose": POSE, "mapping": COMPACT_MAPPING},
    ),
}


class SadTalker(ModelPlugin):
    """SadTalker: Learning Realistic 3D Motion Coefficients for Stylized Audio-Driven Single Image Talking Face
    Animation (Zhang et al., CVPR 2023)."""

    name: ClassVar[str] = "SadTalker"
    Config: ClassVar[type] = SadTalkerConfig

    inference_networks = ARCHITECTURES["published"].renders_with + ARCHITECTURES["published"].speaks_with
    voice_networks = ARCHITECTURES["published"].speaks_with
    stages: tuple[str, ...] = ("expression", "pose", "render", "mapping")
    config: SadTalkerConfig

    def __init__(self, config: SadTalkerConfig) -> None:
        self.config = config
        self.architecture = ARCHITECTURES[config.architecture]
        self.networks = self.architecture.build(config)
        self.voice_networks = self.architecture.speaks_with
        self.inference_networks = self.architecture.renders_with + self.voice_networks
        self.fixed = FixedNetworks()

    def voice(self, precision: torch.dtype = torch.float32) -> VoiceModel:
        """Expression and head pose from sound."""
        return self.architecture.voice(self.networks, self.config)

    def renderer(self, precision: torch.dtype = torch.float32) -> Renderer:
        """The renderer, over a copy of the generator that is rearranged for speed."""
        return self.architecture.renderer(self.networks, self.config, precision)

    def retarget(self, source: Motion, driving: Motion, options: Mapping[str, Any]) -> Motion:
        """Driving movement on the source's face; options and errors as :func:`~.retarget.fit_to_source`."""
        width, angles_in_rows = self.config.coefficients, self.architecture.angles_in_rows
        return fit_to_source(source, driving, options, width=width, angles_in_rows=angles_in_rows)

    def samples(self) -> Mapping[str, Any]:
        """Frames, coefficients and sound, as the stage needs them."""
        from .training.phases import samples

        return samples(self)

    def auxiliary(self, train: Any) -> Mapping[str, Callable[[Mapping[str, Tensor]], None]]:
        """Fixed networks that the losses of the stage need."""
        from .training.phases import auxiliary

        return auxiliary(self, train)

    def phases(self, train: Any) -> list[Phase]:
        """The phases of the stage."""
        from .training.phases import phases

        return phases(self, train)

    @torch.no_grad()
    def validate(self, batch: Batch) -> tuple[dict[str, float], dict[str, Tensor]]:
        """Scores and pictures of the stage."""
        from .training.phases import validate

        return validate(self, batch)
