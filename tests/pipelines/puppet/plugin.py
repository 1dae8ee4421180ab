"""Puppet: the picture is shifted, and its lower half squeezed, as windows of coefficients say."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from talkingface.models.base import Batch, ModelPlugin, Phase, Renderer, SpeechRequest, VoiceModel
from talkingface.motion.windows import windows
from talkingface.types import Motion, Source

from .config import PuppetConfig

RADIUS, RATE_HZ, BANDS = 2, 16000, 16


class PuppetRenderer(Renderer):
    """Strings from a window of rows to a shift of the picture and an opening of its lower half."""

    radius = RADIUS

    def __init__(self, networks: nn.ModuleDict, config: PuppetConfig) -> None:
        self.strings, self.columns = networks["strings"].eval(), config.columns
        self.takes, self.space, self.framing = f"3dmm.{config.columns}", config.space, config.framing
        self.size = (config.image_size, config.image_size)

    def encode_source(self, source: Source) -> tuple[Tensor, Tensor]:
        assert source.coefficients is not None and source.coefficients.shape == (1, 73)
        return source.image, source.coefficients[:, : self.columns]

    def render(self, state: tuple[Tensor, Tensor], motion: Motion) -> Tensor:
        return self.render_part(state, motion, slice(None))

    def render_part(self, state: tuple[Tensor, Tensor], motion: Motion, part: slice) -> Tensor:
        image, own = state
        assert (motion.kind, motion.space) == (self.takes, self.space)
        change = motion.values["coefficients"] - own
        seen = windows(change, list(range(len(motion)))[part], RADIUS)
        shift_x, shift_y, opening = self.strings(seen.flatten(1)).tanh().mul(0.3).unbind(1)
        y, x = torch.meshgrid(*[torch.linspace(-1, 1, side) for side in self.size], indexing="ij")
        lower = y.clamp(min=0) * opening[:, None, None]
        grid = torch.stack([x - shift_x[:, None, None], y - shift_y[:, None, None] - lower], dim=-1)
        return F.grid_sample(image.expand(len(seen), -1, -1, -1), grid, padding_mode="border", align_corners=True)


class PuppetVoice(VoiceModel):
    """Expression follows how loud each band of a frame is; the head sways by chance and style."""

    gives, fps, sample_rate, styles = "3dmm.70", Fraction(25), RATE_HZ, 4

    def __init__(self, ear: nn.Module, space: str) -> None:
        self.ear, self.space = ear.eval(), space

    def speak(self, request: SpeechRequest, source: Tensor) -> Motion:
        random = torch.Generator().manual_seed(request.seed)
        sway = torch.randn(request.frames, 3, generator=random).mul_(0.02 * (1 + request.style)).cumsum(0)
        rows = source[:, :70].repeat(request.frames, 1)
        if request.eyes is not None:
            rows[:, :64] = request.eyes[torch.arange(request.frames) % len(request.eyes), :64]
        if request.wave is not None:
            rows[:, :64] += self._heard(request.wave, request.frames)
        if request.blink and request.eyes is None:
            rows[10 + int(torch.randint(5, (), generator=random)) :: 20, 1] += 2.0
        rows[:, 64:67] += sway
        if request.poses is not None:
            poses = request.poses[torch.arange(request.frames) % len(request.poses), 64:70]
            rows[:, 64:70] += poses - request.poses[:1, 64:70]
        return Motion(self.gives, self.fps, {"coefficients": rows}, self.space)

    def _heard(self, wave: Tensor, frames: int) -> Tensor:
        samples = int(RATE_HZ / self.fps)
        pieces = F.pad(wave[: frames * samples], (0, max(0, frames * samples - len(wave)))).view(frames, samples)
        bands = torch.fft.rfft(pieces).abs()[:, : 20 * BANDS].view(frames, BANDS, 20).mean(2)
        return self.ear(bands)


class Puppet(ModelPlugin):
    """A model of coefficients with a voice."""

    name: ClassVar[str] = "Puppet"
    Config: ClassVar[type] = PuppetConfig

    inference_networks = ("strings", "ear")
    voice_networks = ("ear",)
    config: PuppetConfig

    def __init__(self, config: PuppetConfig) -> None:
        self.config = config
        torch.manual_seed(0)
        window = (2 * RADIUS + 1) * config.columns
        self.networks = nn.ModuleDict({"strings": nn.Linear(window, 3), "ear": nn.Linear(BANDS, 64, bias=False)})
        if config.voiceless:
            self.voice_networks = ()

    def voice(self, precision: torch.dtype = torch.float32) -> VoiceModel | None:
        return None if self.config.voiceless else PuppetVoice(self.networks["ear"], self.config.space)

    def renderer(self, precision: torch.dtype = torch.float32) -> Renderer:
        return PuppetRenderer(self.networks, self.config)

    def retarget(self, source: Motion, driving: Motion, options: Mapping[str, Any]) -> Motion:
        own, rows = source.values["coefficients"], driving.values["coefficients"][:, :70].clone()
        assert source.kind == "3dmm.73" and own.shape == (1, 73)
        if options["relative"]:
            rows += own[:, :70] - rows[:1]
        rows[:, :64] *= options["expression_scale"]
        if options["still"]:
            rows[:, 64:70] = own[:, 64:70]
        if "angles" in driving.values:
            asked = driving.values["angles"][:, [1, 0, 2]].deg2rad()
            rows[:, 64:67] = torch.where(asked.isnan(), rows[:, 64:67], asked)
        if self.config.columns == 73:
            rows = torch.cat([rows, own[:, 70:].expand(len(rows), -1)], 1)
        return Motion(f"3dmm.{self.config.columns}", driving.fps, {"coefficients": rows}, driving.space)

    def samples(self) -> Mapping[str, Any]:
        return {}

    def phases(self, train: Any) -> list[Phase]:
        return []

    def validate(self, batch: Batch) -> tuple[dict[str, float], dict[str, Tensor]]:
        return {}, {}
