"""A model whose mouth opens with the loudness, and that draws nothing but the picture it was given."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
import torch
from pydantic import BaseModel
from torch import Tensor, nn

from talkingface.evaluation.talking_curves import loudness
from talkingface.face3d.mesh_measure import curves
from talkingface.face3d.mesh_space import shipped_space
from talkingface.models.base import Batch, ModelPlugin, Phase, Renderer, SpeechRequest, VoiceModel
from talkingface.types import Motion, Source

FPS, RATE = Fraction(25), 16000


def opening_direction() -> Tensor:
    """(64,), of length one: the expression that opens the mouth most."""
    rows = np.concatenate([np.zeros((1, 70)), np.eye(64, 70)])
    opening = curves(shipped_space().decode(rows).astype(np.float64))["mouth opening"]
    direction = opening[1:] - opening[0]
    return torch.from_numpy(direction / np.linalg.norm(direction)).float()


class LoudVoice(VoiceModel):
    gives, space, fps, sample_rate, styles = "3dmm.70", "mesh", FPS, RATE, 1

    def __init__(self, mouth: nn.Linear) -> None:
        self.mouth = mouth

    def speak(self, request: SpeechRequest, source: Tensor) -> Motion:
        assert request.wave is not None
        loud = torch.from_numpy(loudness(request.wave.numpy(), RATE, FPS, request.frames)).float()
        rows = torch.zeros(request.frames, 70)
        rows[:, :64] = self.mouth(loud[:, None] / 60 + 1)
        return Motion(self.gives, FPS, {"coefficients": rows}, self.space)


class StillRenderer(Renderer):
    takes, size, space = "3dmm.70", (256, 256), "mesh"

    def encode_source(self, source: Source) -> Tensor:
        assert source.coefficients is not None and source.coefficients.shape == (1, 73)
        return source.image

    def render(self, state: Tensor, motion: Motion) -> Tensor:
        assert motion.values["coefficients"].shape[1] == 70
        return state.expand(len(motion), -1, -1, -1)


class NoConfig(BaseModel):
    pass


class Puppet(ModelPlugin):
    name: ClassVar[str] = "Puppet"
    Config: ClassVar[type] = NoConfig
    inference_networks = ("mouth",)
    voice_networks = ("mouth",)

    def __init__(self, config: NoConfig) -> None:
        super().__init__(config)
        self.networks = nn.ModuleDict({"mouth": nn.Linear(1, 64)})

    @classmethod
    def trained(cls) -> Puppet:
        plugin = cls(NoConfig())
        mouth: Any = plugin.networks["mouth"]
        with torch.no_grad():
            mouth.weight.copy_(3 * opening_direction()[:, None])
            mouth.bias.zero_()
        return plugin

    def voice(self, precision: torch.dtype = torch.float32) -> VoiceModel:
        mouth: Any = self.networks["mouth"]
        return LoudVoice(mouth)

    def renderer(self, precision: torch.dtype = torch.float32) -> Renderer:
        return StillRenderer()

    def retarget(self, source: Motion, driving: Motion, options: Mapping[str, Any]) -> Motion:
        return driving

    def samples(self) -> Mapping[str, Any]:
        return {}

    def phases(self, train: Any) -> list[Phase]:
        return []

    def validate(self, batch: Batch) -> tuple[dict[str, float], dict[str, Tensor]]:
        return {}, {}
