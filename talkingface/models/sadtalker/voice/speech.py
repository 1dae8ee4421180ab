"""SadTalker's voice: the coefficients of every frame of a speech request."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor, nn

from ....motion.coefficients import COEFFICIENTS, LAYOUT_70
from ....types import Motion
from ...base import SpeechRequest, VoiceModel
from ..networks.audio2exp import Audio2Exp
from ..networks.audio2pose import Audio2Pose, check_style, draw_latents
from ..networks.pose_cvae import STYLES
from .mel import SAMPLE_RATE_HZ, MelSource, NoVoice, Speech
from .reference import add_motion, random_blinks, reference_rows, smooth_poses


@dataclass(frozen=True)
class SpeechNoise:
    """All that is random in a clip.

    Attributes:
        latents: (pieces, 64), of the head pose, see `audio2pose.latent_count`.
        closed: (T, 1), ratio by which the eyes are closed, 0..1.
    """

    latents: Tensor
    closed: Tensor


def draw_noise(frames: int, random: torch.Generator, *, blink: bool = True) -> SpeechNoise:
    """Draw the noise of a clip; the head moves the same with blinks and without.

    Args:
        frames: of the clip.
        random: on the CPU, so that all devices get the same.
        blink: False leaves the eyes to the expression network, or to a reference video.
    """
    latents = draw_latents(frames, random)
    return SpeechNoise(latents, random_blinks(frames, random) if blink else torch.zeros(frames, 1))


@torch.no_grad()
def speak(
    expression: Audio2Exp,
    pose: Audio2Pose,
    voice: MelSource,
    source: Tensor,
    noise: SpeechNoise,
    *,
    style: int = 0,
    eyes: Tensor | None = None,
    batch_size: int = 64,
) -> Tensor:
    """The rows of every frame of a voice, at 25 frames a second.

    Args:
        expression, pose: in eval mode, on the same device.
        source: (1, 70 or more), of the source picture.
        style: of the head motion, 0..45.
        eyes: (R, 70 or more), of a video that lends its blinks; the noise is then best drawn without them.
        batch_size: frames that go through the networks together; it changes the rows by rounding only.

    Returns:
        (T, 70), float32, on the CPU.

    Raises:
        ConfigError: if there is no such style.
    """
    check_style(style)
    frames, device = voice.frames, expression.mapping1.weight.device
    reference = reference_rows(source, frames, eyes)
    expressions, audio = [], []
    for start in range(0, frames, batch_size):
        part = slice(start, min(start + batch_size, frames))
        windows = voice.windows(part.start, part.stop).to(device)
        faces = expression(windows, reference[part, LAYOUT_70.exp].to(device), noise.closed[part].to(device))
        expressions.append(faces.cpu())
        audio.append(pose.audio_features(windows))
    first = reference[0, LAYOUT_70.pose].to(device)
    motion = pose(torch.cat(audio)[1:], first, style, noise.latents.to(device))
    return torch.cat([torch.cat(expressions), smooth_poses(first + motion).cpu()], 1)


class SadTalkerVoice(VoiceModel):
    """Expression, blinks and head pose from sound.

    Args:
        networks: ``audio2exp`` and ``audio2pose``, with weights; they are put into eval mode.
        space: of the coefficients that they were trained on.
    """

    gives = LAYOUT_70.kind
    fps, sample_rate, styles = Fraction(25), SAMPLE_RATE_HZ, STYLES

    def __init__(self, networks: nn.ModuleDict, space: str = "bfm") -> None:
        self.space = space
        self.expression: Any = networks["audio2exp"].eval()
        self.pose: Any = networks["audio2pose"].eval()

    def speak(self, request: SpeechRequest, source: Tensor) -> Motion:
        """See the base class; latents of the head pose are drawn first, so that blinks do not change it."""
        check_style(request.style)
        voice = mel_source(request)
        random = torch.Generator().manual_seed(request.seed)
        # Where a video shows the eyes, random blinks would come on top of its own.
        noise = draw_noise(voice.frames, random, blink=request.blink and request.eyes is None)
        rows = speak(
            self.expression, self.pose, voice, source.float().cpu(), noise, style=request.style, eyes=request.eyes
        )
        if request.poses is not None:
            rows = add_motion(rows, request.poses)
        return Motion(self.gives, self.fps, {COEFFICIENTS: rows}, self.space)


def mel_source(request: SpeechRequest) -> MelSource:
    """Mel windows of a request; silence follows a wave that is shorter than the request."""
    return NoVoice(request.frames) if request.wave is None else Speech(request.wave, request.frames)
