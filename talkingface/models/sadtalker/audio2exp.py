"""Expression from sound: ExpNet of SadTalker (Zhang et al., CVPR 2023, section 3.2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .audio_encoder import AudioEncoder

EXPRESSIONS = 64


class Audio2Exp(nn.Module):
    """The expression of each frame from its mel window, the person's own expression and how far the eyes are closed.

    Frames do not see each other; what makes them smooth is that their windows overlap.
    """

    def __init__(self) -> None:
        super().__init__()
        self.audio_encoder = AudioEncoder()
        self.mapping1 = nn.Linear(AudioEncoder.features + EXPRESSIONS + 1, EXPRESSIONS)

    def forward(self, windows: Tensor, reference: Tensor, closed: Tensor) -> Tensor:
        """
        Args:
            windows: (N, 1, 80, 16), see mel.py.
            reference: (N, 64), the expression in the source picture; it carries the identity into the result.
            closed: (N, 1), 0 for open eyes to 1 for closed ones.

        Returns:
            (N, 64), weights of expression directions; not relative to the reference.
        """
        mapped: Tensor = self.mapping1(torch.cat([self.audio_encoder(windows), reference, closed], 1))
        return mapped

    def sequence(self, windows: Tensor, reference: Tensor, closed: Tensor) -> Tensor:
        """The same for consecutive frames of several voices, as training has them.

        Args:
            windows: (B, T, 80, 16).
            reference: (B, T, 64).
            closed: (B, T, 1).

        Returns:
            (B, T, 64).
        """
        flat = self(windows.flatten(0, 1)[:, None], reference.flatten(0, 1), closed.flatten(0, 1))
        return flat.unflatten(0, windows.shape[:2])
