"""The compact expression network: ExpNet of SadTalker (Zhang et al., CVPR 2023, section 3.2) with fewer parameters.

It takes and gives the same. What differs: frames see their neighbours, half a second to each side, which with little
training data is worth more than width; the person's own expression goes through a layer of its own, which learns how
much of it stays when the mouth speaks.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .audio2exp import EXPRESSIONS
from .mel import BANDS, WINDOW_COLUMNS

_DILATIONS = (1, 2, 3)
_KERNEL = 5
CONTEXT = sum(_DILATIONS) * (_KERNEL // 2)
"""Frames to each side that a frame depends on."""
_DROPOUT = 0.3


class CompactAudio2Exp(nn.Module):
    """The expression of each frame of a voice from mel windows, the person's expression and how far eyes are closed.

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
        said: Tensor = self.speak(out.transpose(1, 2)) + self.keep(torch.cat([reference, closed], dim=2))
        return said

    def forward(self, windows: Tensor, reference: Tensor, closed: Tensor) -> Tensor:
        """Expressions (N, 64) of N consecutive frames of one voice, as `Audio2Exp.forward`.

        Args:
            windows: (N, 1, 80, 16).
            reference: (N, 64).
            closed: (N, 1).
        """
        return self.sequence(windows.transpose(0, 1), reference[None], closed[None])[0]
