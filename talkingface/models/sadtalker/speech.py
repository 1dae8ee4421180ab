"""From a voice to the coefficient rows of a talking head: both audio networks, batch by batch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .audio2exp import Audio2Exp
from .audio2pose import Audio2Pose, check_style, draw_latents
from .blink import random_blinks
from .rows import EXPRESSION, POSE, reference_rows
from .smooth import smooth_poses
from .voice import Voice


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
