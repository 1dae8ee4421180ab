"""The voice of the compact networks: the expression network, and coefficients of the mesh space from a request."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ....motion.coefficients import COEFFICIENTS, LAYOUT_70
from ....types import Motion
from ...base import SpeechRequest, VoiceModel
from ..networks.audio2exp import EXPRESSIONS
from ..networks.audio2pose import check_style
from ..networks.pose_cvae import STYLES
from ..voice.mel import BANDS, SAMPLE_RATE_HZ, WINDOW_COLUMNS, MelSource
from ..voice.speech import CALM_PAUSES, add_motion, mel_source, random_blinks, reference_rows
from .pose import AUDIO_FEATURES, draw_pose_latents, loudness

_DILATIONS = (1, 2, 3)
_KERNEL = 5
CONTEXT = sum(_DILATIONS) * (_KERNEL // 2)
"""Frames to each side that a frame depends on."""
_DROPOUT = 0.3


class CompactAudio2Exp(nn.Module):
    """Expression of each frame of a voice from mel windows, the person's expression and the ratio of closed eyes.

    Args:
        width: of all hidden layers.
    """

    def __init__(self, width: int = 96) -> None:
        super().__init__()
        self.hear = nn.Sequential(
            nn.Conv1d(BANDS, width, 3, padding=1),
            nn.GELU(),
            nn.Conv1d(width, width, 3, stride=2, padding=1),
            nn.GELU(),
            nn.Conv1d(width, width, 3, stride=2, padding=1),
            nn.GELU(),
            nn.Flatten(1),
            nn.Dropout(_DROPOUT),
            nn.Linear(width * WINDOW_COLUMNS // 4, width),
        )
        self.context = nn.ModuleList(
            nn.Conv1d(width, width, _KERNEL, padding=dilation * (_KERNEL // 2), dilation=dilation)
            for dilation in _DILATIONS
        )
        self.speak = nn.Sequential(nn.Dropout(_DROPOUT), nn.Linear(width, EXPRESSIONS))
        self.keep = nn.Linear(EXPRESSIONS + 1, EXPRESSIONS)
        nn.init.zeros_(self.keep.weight)
        with torch.no_grad():
            self.keep.weight[:, :EXPRESSIONS] = 0.5 * torch.eye(EXPRESSIONS)

    def sequence(self, windows: Tensor, reference: Tensor, closed: Tensor) -> Tensor:
        """Expressions of consecutive frames of several voices.

        Args:
            windows: (B, T, 80, 16), see mel.py.
            reference: (B, T, 64), expression in the source picture.
            closed: (B, T, 1), 0 for open eyes to 1 for closed ones.

        Returns:
            (B, T, 64).
        """
        out = self.hear(windows.flatten(0, 1)).unflatten(0, windows.shape[:2]).transpose(1, 2)
        for layer in self.context:
            out = out + F.gelu(layer(F.gelu(out)))
        expressions: Tensor = self.speak(out.transpose(1, 2)) + self.keep(torch.cat([reference, closed], dim=2))
        return expressions

    def forward(self, windows: Tensor, reference: Tensor, closed: Tensor) -> Tensor:
        """Expressions (N, 64) of N consecutive frames of one voice, as `Audio2Exp.forward`.

        Args:
            windows: (N, 1, 80, 16).
            reference: (N, 64).
            closed: (N, 1).
        """
        return self.sequence(windows.transpose(0, 1), reference[None], closed[None])[0]


_BATCH = 250  # frames that go through the networks together; it changes the rows by rounding only
SILENT = -4.0  # in a mel window, see mel.py
_SETTLE_FRAMES = 25.0  # time in which the head goes from the source's pose to its motion


class CompactVoice(VoiceModel):
    """Expression, blinks and head pose from sound, or from silence.

    Args:
        networks: ``audio2exp`` and ``audio2pose``, with weights; they are put into eval mode.
    """

    gives, space = LAYOUT_70.kind, "mesh"
    fps, sample_rate, styles = Fraction(25), SAMPLE_RATE_HZ, STYLES

    def __init__(self, networks: nn.ModuleDict) -> None:
        self.expression: Any = networks["audio2exp"].eval()
        self.pose: Any = networks["audio2pose"].eval()

    @torch.inference_mode()
    def speak(self, request: SpeechRequest, source: Tensor) -> Motion:
        """See the base class; latents of the head pose are drawn first, so that blinks do not change it."""
        check_style(request.style)
        voice: MelSource = Silence(request.frames) if request.wave is None else mel_source(request)
        random = torch.Generator().manual_seed(request.seed)
        source = source.float().cpu()
        latents = draw_pose_latents(voice.frames, random)
        closed = torch.zeros(voice.frames, 1)
        if request.blink and request.eyes is None:
            closed = random_blinks(voice.frames, random, CALM_PAUSES)
        reference = reference_rows(source, voice.frames, request.eyes)[:, LAYOUT_70.exp]
        expressions, audio = speak_frames(self.expression, voice, reference, closed)
        audio = audio if request.wave is not None else torch.zeros(voice.frames, AUDIO_FEATURES)
        moved = settled(self.pose.motion(latents, audio, request.style))
        rows = torch.cat([expressions, source[:, LAYOUT_70.pose] + moved], dim=1)
        if request.poses is not None:
            rows = add_motion(rows, request.poses)
        return Motion(self.gives, self.fps, {COEFFICIENTS: rows}, self.space)


class Silence:
    """Silence as a voice: mel windows (n, 1, 80, 16) of -4."""

    def __init__(self, frames: int) -> None:
        self.frames = frames

    def windows(self, start: int, stop: int) -> Tensor:
        return torch.full((stop - start, 1, BANDS, WINDOW_COLUMNS), SILENT)


def speak_frames(
    network: CompactAudio2Exp, voice: MelSource, reference: Tensor, closed: Tensor
) -> tuple[Tensor, Tensor]:
    """Expressions (T, 64) and audio features (T, 5) of the pose network, computed a few seconds at a time.

    Each batch has as many frames around it as a frame depends on, so that there are no seams; before the
    voice and behind it lies silence.

    Args:
        reference: (T, 64).
        closed: (T, 1).
    """
    expressions, audio = torch.empty(voice.frames, EXPRESSIONS), torch.empty(voice.frames, AUDIO_FEATURES)
    for start in range(0, voice.frames, _BATCH):
        stop = min(start + _BATCH, voice.frames)
        frames = torch.arange(start - CONTEXT, stop + CONTEXT)
        around = frames.clamp(0, voice.frames - 1)
        windows = voice.windows(int(around[0]), int(around[-1]) + 1)[around - around[0]]
        windows[(frames < 0) | (frames >= voice.frames)] = SILENT
        own = slice(CONTEXT, CONTEXT + stop - start)
        expressions[start:stop] = network(windows, reference[around], closed[around])[own]
        audio[start:stop] = loudness(windows[own])
    return expressions, audio


def settled(motion: Tensor) -> Tensor:
    """Motion (T, 6) that begins at zero: where it would begin elsewhere, the difference fades away."""
    fading = torch.exp(-torch.arange(len(motion)) / _SETTLE_FRAMES)
    return motion - motion[:1] * fading[:, None]
