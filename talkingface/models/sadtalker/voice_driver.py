"""SadTalker's voice as the toolkit sees it: from a script to the coefficients of every frame."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import torch
from torch import Tensor, nn

from ...types import Motion
from ..base import Script, VoiceDriver
from .audio2pose import check_style
from .mel import SAMPLE_RATE_HZ
from .pose_cvae import STYLES
from .rows import add_motion
from .speech import draw_chance, speak
from .voice import NoVoice, Speech, Voice


class SadTalkerVoice(VoiceDriver):
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
