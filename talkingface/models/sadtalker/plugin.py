"""SadTalker as the toolkit sees it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from ...types import Motion
from ..base import Batch, ModelPlugin, Phase, Renderer, VoiceModel
from .architectures import ARCHITECTURES
from .config import SadTalkerConfig
from .retarget import retarget_rows

if TYPE_CHECKING:
    from ...nn.losses.perceptual import VGG19


class SadTalker(ModelPlugin):
    """SadTalker: Learning Realistic 3D Motion Coefficients for Stylized Audio-Driven Single Image Talking Face
    Animation (Zhang et al., CVPR 2023)."""

    name: ClassVar[str] = "SadTalker"
    Config: ClassVar[type] = SadTalkerConfig

    inference_networks = ARCHITECTURES["published"].renders_with + ARCHITECTURES["published"].speaks_with
    voice_networks = ARCHITECTURES["published"].speaks_with
    stages = ("expression", "pose", "render", "mapping")
    config: SadTalkerConfig

    def __init__(self, config: SadTalkerConfig) -> None:
        self.config = config
        self.architecture = ARCHITECTURES[config.architecture]
        self.networks = self.architecture.build(config)
        self.voice_networks = self.architecture.speaks_with
        self.inference_networks = self.architecture.renders_with + self.voice_networks
        self.vgg: VGG19 | None = None

    def voice(self, precision: torch.dtype = torch.float32) -> VoiceModel:
        """Expression and head pose from sound."""
        return self.architecture.voice(self.networks, self.config, precision)

    def renderer(self, precision: torch.dtype = torch.float32) -> Renderer:
        """The renderer, over a copy of the generator that is rearranged for speed."""
        return self.architecture.renderer(self.networks, self.config, precision)

    def retarget(self, source: Motion, driving: Motion, options: Mapping[str, Any]) -> Motion:
        """As in the base class; options and errors as :func:`~.retarget.retarget_rows`."""
        return retarget_rows(
            source,
            driving,
            options,
            columns=self.config.coefficients,
            angles_in_rows=self.architecture.angles_in_rows,
        )

    def samples(self) -> Mapping[str, Any]:
        """Frames, coefficients and sound, as the stage needs them."""
        from .training.phases import samples

        return samples(self.config, self.stage)

    def auxiliary(self, train: Any) -> Mapping[str, Callable[[Mapping[str, Tensor]], None]]:
        """Fixed networks that the losses of the stage look through."""
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

        return validate(self, batch, self.stage)
