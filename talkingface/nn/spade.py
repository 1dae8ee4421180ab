"""Spatially adaptive normalisation (SPADE, Park et al. 2019, "Semantic Image Synthesis with SPADE", section 3)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import spectral_norm

HIDDEN = 128  # channels between the map and what is made of it
SLOPE = 0.2


class Spade(nn.Module):
    """Instance norm whose scale and shift at each pixel come from a map.

    The map (N, M, h, w) is brought to the size of what is normalised by nearest neighbours.
    """

    def __init__(self, channels: int, map_channels: int) -> None:
        super().__init__()
        self.mlp_shared = nn.Sequential(nn.Conv2d(map_channels, HIDDEN, 3, padding=1), nn.ReLU())
        self.mlp_gamma = nn.Conv2d(HIDDEN, channels, 3, padding=1)
        self.mlp_beta = nn.Conv2d(HIDDEN, channels, 3, padding=1)

    def forward(self, x: Tensor, maps: Tensor) -> Tensor:
        if maps.shape[-2:] != x.shape[-2:]:
            maps = F.interpolate(maps, size=x.shape[-2:], mode="nearest")
        hidden = self.mlp_shared(maps)
        out: Tensor = F.instance_norm(x) * (1 + self.mlp_gamma(hidden)) + self.mlp_beta(hidden)
        return out


class SpadeBlock(nn.Module):
    """Residual block of two SPADE norms, leaky ReLUs and 3 x 3 convolutions, (N, in, H, W) -> (N, out, H, W).

    Its convolutions are spectrally normalised in the way of `torch.nn.utils.spectral_norm`, whose names released
    weights carry: in eval mode a kernel is divided by u W v with the stored u and v as they are.
    """

    def __init__(self, in_channels: int, out_channels: int, map_channels: int) -> None:
        super().__init__()
        middle = min(in_channels, out_channels)
        self.conv_0 = spectral_norm(nn.Conv2d(in_channels, middle, 3, padding=1))
        self.conv_1 = spectral_norm(nn.Conv2d(middle, out_channels, 3, padding=1))
        self.norm_0 = Spade(in_channels, map_channels)
        self.norm_1 = Spade(middle, map_channels)
        self.conv_s: nn.Module | None = None
        self.norm_s: Spade | None = None
        if in_channels != out_channels:
            self.conv_s = spectral_norm(nn.Conv2d(in_channels, out_channels, 1, bias=False))
            self.norm_s = Spade(in_channels, map_channels)

    def forward(self, x: Tensor, maps: Tensor) -> Tensor:
        out = self.conv_0(F.leaky_relu(self.norm_0(x, maps), SLOPE))
        out = self.conv_1(F.leaky_relu(self.norm_1(out, maps), SLOPE))
        if self.conv_s is not None and self.norm_s is not None:
            x = self.conv_s(self.norm_s(x, maps))
        return x + out
