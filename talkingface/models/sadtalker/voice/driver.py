"""SadTalker's voice as the toolkit sees it: from a script to the coefficients of every frame."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor, nn

from ....types import Motion
from ...base import Script, VoiceModel
from ..networks.audio2exp import Audio2Exp
from ..networks.audio2pose import Audio2Pose, check_style, draw_latents
from ..networks.pose_cvae import STYLES
from .blink import random_blinks, smooth_poses
from .mel import SAMPLE_RATE_HZ, NoVoice, Speech, Voice
from .rows import EXPRESSION, POSE, add_motion, reference_rows


@dataclass(frozen=True)
class Chance:
    """All that is random in a clip.

    Attributes:
        latents: (pieces, 64), of the head pose, see `audio2pose.latent_count`.
        closed: (T, 1), how far the eyes are closed, 0..1.
    """

    latents: Tensor
    closed: Tensor


def draw_chance(frames: int, random: torch.Generator, *, blink: bool = True) -> Chance:
    """Draw it; the head moves the same whether there are blinks or not.

    Args:
        frames: of the clip.
        random: on the CPU, so that all devices get the same.
        blink: False leaves the eyes to the expression network, or to a reference video.
    """
    latents = draw_latents(frames, random)
    return Chance(latents, random_blinks(frames, random) if blink else torch.zeros(frames, 1))


@torch.no_grad()
def speak(
    expression: Audio2Exp,
    pose: Audio2Pose,
    voice: Voice,
    source: Tensor,
    chance: Chance,
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
        eyes: (R, 70 or more), of a video whose blinks are wanted; the chance is then best drawn without them.
        batch_size: frames that are heard together; the rows do not depend on it but for rounding.

    Returns:
        (T, 70), float32, on the CPU.

    Raises:
        ConfigError: if there is no such style.
    """
    check_style(style)
    frames, device = voice.frames, expression.mapping1.weight.device
    reference = reference_rows(source, frames, eyes)
    expressions, heard = [], []
    for start in range(0, frames, batch_size):
        part = slice(start, min(start + batch_size, frames))
        windows = voice.windows(part.start, part.stop).to(device)
        faces = expression(windows, reference[part, EXPRESSION].to(device), chance.closed[part].to(device))
        expressions.append(faces.cpu())
        heard.append(pose.hear(windows))
    first = reference[0, POSE].to(device)
    motion = pose(torch.cat(heard)[1:], first, style, chance.latents.to(device))
    return torch.cat([torch.cat(expressions), smooth_poses(first + motion).cpu()], 1)


class SadTalkerVoice(VoiceModel):
    """Expression, blinks and head pose from sound.

    Args:
        networks: ``audio2exp`` and ``audio2pose``, with weights; they are put into eval mode.
        space: of the coefficients that they were trained on.
    """

    gives = "3dmm.70"
    fps, sample_rate, styles = Fraction(25), SAMPLE_RATE_HZ, STYLES

    def __init__(self, networks: nn.ModuleDict, space: str = "bfm") -> None:
        self.space = space
        self.expression: Any = networks["audio2exp"].eval()
        self.pose: Any = networks["audio2pose"].eval()

    def speak(self, script: Script, source: Tensor) -> Motion:
        """As in the base class; latents of the head pose are drawn first, so that blinks do not change it."""
        check_style(script.style)
        voice = hearing(script)
        random = torch.Generator().manual_seed(script.seed)
        # Where a video shows the eyes, random blinks would come on top of its own.
        chance = draw_chance(voice.frames, random, blink=script.blink and script.eyes is None)
        rows = speak(
            self.expression, self.pose, voice, source.float().cpu(), chance, style=script.style, eyes=script.eyes
        )
        if script.poses is not None:
            rows = add_motion(rows, script.poses)
        return Motion(self.gives, self.fps, {"coefficients": rows}, self.space)


def hearing(script: Script) -> Voice:
    """What the audio networks listen to; silence follows a wave that is shorter than its script."""
    return NoVoice(script.frames) if script.wave is None else Speech(script.wave, script.frames)
