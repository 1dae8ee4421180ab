"""The mapping network: a window of face coefficients -> head pose and expression (SadTalker, section 3.3).

Its structure is that of PIRenderer's mapping network (Ren et al. 2021, section 3.2).
"""

from __future__ import annotations

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from ....motion.windows import RADIUS
from ..config import MappingParams

WINDOW = 2 * RADIUS + 1  # frames: 27 -> 21 -> 15 -> 9 -> 3 -> mean


class HeadMotion(NamedTuple):
    """Head pose and expression, which move the canonical keypoints.

    Attributes:
        yaw, pitch, roll: (N, 66), logits of angles three degrees apart, from -99.
        t: (N, 3), shift.
        exp: (N, 3 K), shift of each keypoint.
    """

    yaw: Tensor
    pitch: Tensor
    roll: Tensor
    t: Tensor
    exp: Tensor

    def expand(self, count: int) -> HeadMotion:
        """Motion for `count` frames; no memory is copied."""
        return HeadMotion(*(values.expand(count, -1) for values in self))


class MappingNet(nn.Module):
    """Convolutions over time without padding, the mean of what is left, and five linear heads."""

    def __init__(self, params: MappingParams) -> None:
        super().__init__()
        channels = params.descriptor_nc
        self.first = nn.Sequential(nn.Conv1d(params.coeff_nc, channels, 7))
        self.layers = [f"encoder{index}" for index in range(params.layer)]
        for name in self.layers:
            self.add_module(name, nn.Sequential(nn.LeakyReLU(0.1), nn.Conv1d(channels, channels, 3, dilation=3)))
        self.fc_roll = nn.Linear(channels, params.num_bins)
        self.fc_pitch = nn.Linear(channels, params.num_bins)
        self.fc_yaw = nn.Linear(channels, params.num_bins)
        self.fc_t = nn.Linear(channels, 3)
        self.fc_exp = nn.Linear(channels, 3 * params.num_kp)

    def forward(self, windows: Tensor) -> HeadMotion:
        """Motion of the middle frames of windows (N, coefficients, 27)."""
        out = self.first(windows)
        for name in self.layers:
            out = self.get_submodule(name)(out) + out[:, :, 3:-3]
        out = F.adaptive_avg_pool1d(out, 1).squeeze(-1)
        return HeadMotion(self.fc_yaw(out), self.fc_pitch(out), self.fc_roll(out), self.fc_t(out), self.fc_exp(out))
