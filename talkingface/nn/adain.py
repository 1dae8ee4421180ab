"""Adaptive instance normalisation (Huang and Belongie 2017), with scale and shift from a vector.

Names are those of PIRenderer's released weights (Ren et al. 2021), which StyleHEAT took over.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

HIDDEN = 128  # channels between the vector and what is made of it


class AdaIN(nn.Module):
    """Instance norm of (N, channels, H, W) whose scale and shift of each channel come from a vector (N, features)."""

    def __init__(self, channels: int, features: int) -> None:
        super().__init__()
        self.mlp_shared = nn.Sequential(nn.Linear(features, HIDDEN), nn.ReLU())
        self.mlp_gamma = nn.Linear(HIDDEN, channels)
        self.mlp_beta = nn.Linear(HIDDEN, channels)

    def forward(self, x: Tensor, vector: Tensor) -> Tensor:
        hidden = self.mlp_shared(vector)
        gamma, beta = self.mlp_gamma(hidden)[..., None, None], self.mlp_beta(hidden)[..., None, None]
        out: Tensor = F.instance_norm(x) * (1 + gamma) + beta
        return out
