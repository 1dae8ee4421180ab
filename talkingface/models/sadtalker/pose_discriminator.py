"""Judges whether a piece of head motion is a real one; for training only."""

from __future__ import annotations

from torch import Tensor, nn

from .pose_cvae import POSE


class _Block(nn.Module):
    """Convolution over time, batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(inputs, outputs, kernel, stride, padding=1, bias=False)
        self.norm = nn.BatchNorm1d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(x)).relu()


class PoseDiscriminator(nn.Module):
    """The patch discriminator of SadTalker's PoseVAE (Zhang et al., CVPR 2023, section 3.3), released names."""

    def __init__(self) -> None:
        super().__init__()
        self.seq = nn.Sequential(
            _Block(POSE, 256, kernel=4, stride=2),
            _Block(256, 512, kernel=4, stride=2),
            _Block(512, 1024, kernel=3, stride=1),
            nn.Conv1d(1024, 1, 3, padding=1),
        )

    def forward(self, motion: Tensor) -> Tensor:
        """(N, frames, 6) -> (N, frames // 4), a score for each place."""
        scores: Tensor = self.seq(motion.transpose(1, 2))
        return scores[:, 0]
