"""SadTalker's voice: the coefficients of every frame of a speech request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
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

BLINK = (0.5, 0.9, 1.0, 0.9, 0.5)
"""Ratio by which the eyes are closed in the five frames of a blink, a fifth of a second."""

PUBLISHED_PAUSES = (10, 70)
"""Frames of the shortest pause, and one more than those of the longest: 32 blinks a minute."""
CALM_PAUSES = (25, 150)
"""16 blinks a minute, as often as people blink who talk into a camera (docs/compact-sadtalker.md)."""
_TOO_SHORT = 20


def random_blinks(frames: int, random: torch.Generator, pauses: tuple[int, int] = PUBLISHED_PAUSES) -> Tensor:
    """Blinks as SadTalker places them; a clip of up to 20 frames has none.

    Args:
        frames: of the clip.
        pauses: frames of the shortest pause between blinks, and one more than those of the longest; half the clip is
            the longest pause in any case.

    Returns:
        (frames, 1), 0 for open eyes to 1 for closed ones.
    """
    return blinks(frames, _pauses(frames, random, *pauses) if frames > _TOO_SHORT else ())


def blinks(frames: int, pauses: Iterable[int], blink: Sequence[float] = BLINK) -> Tensor:
    """Blinks after given pauses, until one does not fit in any more; the last frame is always open.

    Args:
        frames: of the clip.
        pauses: frames with open eyes before each blink.
        blink: ratio by which the eyes are closed in each frame of a blink.

    Returns:
        (frames, 1).
    """
    closed, end = torch.zeros(frames, 1), 0
    for pause in pauses:
        start, end = end + pause, end + pause + len(blink)
        if end > frames - 1:
            break
        closed[start:end, 0] = torch.tensor(blink)
    return closed


def _pauses(frames: int, random: torch.Generator, shortest: int, longest: int) -> Iterator[int]:
    # The published range is empty for 21 frames, where it crashes; here the shortest pause is always possible.
    longest = max(min(frames // 2, longest), shortest + 1)
    while True:
        yield int(torch.randint(shortest, longest, (), generator=random))


WINDOW, ORDER = 13, 2


def smooth_poses(poses: Tensor) -> Tensor:
    """Poses smoothed by a parabola around each frame (Savitzky and Golay, 1964), over 13 frames or a shorter clip.

    Args:
        poses: (T, C).

    Returns:
        (T, C), new memory; the same numbers where fewer than 3 frames leave nothing to fit.
    """
    from scipy.signal import savgol_filter

    window = min(WINDOW, (len(poses) - 1) // 2 * 2 + 1)
    if window <= ORDER:
        return poses.clone()
    smoothed = savgol_filter(poses.cpu().double().numpy(), window, ORDER, axis=0)
    return torch.from_numpy(smoothed).to(poses)


def loop(rows: Tensor, frames: int) -> Tensor:
    """Rows tiled to a length; (R, C) -> (frames, C)."""
    return rows[torch.arange(frames, device=rows.device) % len(rows)]


def reference_rows(source: Tensor, frames: int, eyes: Tensor | None = None) -> Tensor:
    """Rows of every frame from which the expression network takes the person's own expression.

    Args:
        source: (1, 70 or more), of the source picture.
        eyes: (R, 70 or more), of a video that lends its blinks. Its expression is taken as it is, so it brings the
            rest of that face along, the mouth included.

    Returns:
        (frames, 70), to be read only.
    """
    reference = source[:, : LAYOUT_70.width].expand(frames, -1)
    if eyes is not None:
        reference = reference.clone()
        reference[:, LAYOUT_70.exp] = loop(eyes, frames)[:, LAYOUT_70.exp].to(reference)
    return reference


def add_motion(rows: Tensor, poses: Tensor) -> Tensor:
    """Rows with the head motion of another video on top of their own.

    Args:
        rows: (T, 70).
        poses: (R, 70 or more), of the video; its motion since its first frame is added. It is repeated or cut.

    Returns:
        (T, 70), new memory.
    """
    moved, pose = rows.clone(), LAYOUT_70.pose
    motion = loop(poses, len(rows))[:, pose] - poses[:1, pose]
    moved[:, pose] += motion.to(moved)
    return moved


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
