"""Normalisation steered from outside: by a vector (AdaIN, Huang and Belongie 2017) or a map (SPADE, Park et al. 2019).

SPADE blocks also come rearranged for inference: the same numbers up to float rounding, in less time.
"""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import spectral_norm

from .folded import add_to_bias, chain_1x1, fold_enlarging, fold_spectral_norm, merge_outputs

HIDDEN = 128  # channels between the vector or map and scale and shift


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


SLOPE = 0.2


class Spade(nn.Module):
    """Instance norm whose scale and shift at each pixel come from a map.

    The map (N, M, h, w) is resized to (N, channels, H, W), which is normalised, by nearest neighbours.
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


def standardise(x: Tensor) -> Tensor:
    """Instance norm of (N, C, H, W), with statistics in float32 whatever the number type.

    Batch norm of a single picture is the same, and on a CPU it goes through channels-last pictures in a tenth of the
    time. As it sums squares, the mean is taken out first.
    """
    centred = (x - x.mean(dim=(2, 3), keepdim=True, dtype=torch.float32)).to(x.dtype)
    pictures = [F.batch_norm(picture, None, None, training=True) for picture in centred.split(1)]
    return torch.cat(pictures) if len(pictures) > 1 else pictures[0]


def scaled(normal: Tensor, scale: Tensor) -> Tensor:
    """`normal` (N, C, H, W), doubled by nearest neighbours where `scale` (N, C, ...) is larger, times `scale`."""
    if normal.shape == scale.shape:
        return normal * scale
    height, width = normal.shape[-2:]
    fine = scale.unflatten(3, (width, 2)).unflatten(2, (height, 2))
    return (normal[:, :, :, None, :, None] * fine).flatten(4, 5).flatten(2, 3)


class FastSpade(nn.Module):
    """A SPADE norm of something already standardised, for a map that is enlarged by `factor`.

    Args:
        spade: stays as it is.
        factor: 1, 2 or 4.
        behind: the shortcut's convolution; then `forward` gives its result.
    """

    def __init__(self, spade: Spade, factor: int, behind: nn.Conv2d | None = None) -> None:
        super().__init__()
        shared = spade.mlp_shared.get_submodule("0")
        if not isinstance(shared, nn.Conv2d):
            raise TypeError("a SPADE norm begins with a convolution")
        self.shared = fold_enlarging(shared, factor) if factor > 1 else copy.deepcopy(shared)
        self.channels, self.behind = spade.mlp_gamma.out_channels, behind
        shift = spade.mlp_beta if behind is None else chain_1x1(spade.mlp_beta, behind)
        self.both = merge_outputs(add_to_bias(spade.mlp_gamma, 1), shift)

    def forward(self, normal: Tensor, maps: Tensor) -> Tensor:
        """(N, C, H, W) of `normal`, at the enlarged map's size; a smaller `normal` is doubled."""
        both = self.both(self.shared(maps).relu_())
        out = scaled(normal, both[:, : self.channels])
        if self.behind is not None:
            out = self.behind(out)
        return out.add_(both[:, self.channels :])


class FastSpadeBlock(nn.Module):
    """A SPADE block in eval mode, with the doubling in front of it where `doubles`.

    Args:
        block: stays as it is.
        factor: by which its map is enlarged.
        doubles: double the input by nearest neighbours first.
    """

    def __init__(self, block: SpadeBlock, factor: int = 1, *, doubles: bool = False) -> None:
        super().__init__()
        self.doubles = doubles
        self.norm_0, self.norm_1 = FastSpade(block.norm_0, factor), FastSpade(block.norm_1, factor)
        self.conv_0, self.conv_1 = fold_spectral_norm(block.conv_0), fold_spectral_norm(block.conv_1)
        self.shortcut: FastSpade | None = None
        if block.conv_s is not None and block.norm_s is not None:
            self.shortcut = FastSpade(block.norm_s, factor, fold_spectral_norm(block.conv_s))

    def forward(self, x: Tensor, maps: Tensor) -> Tensor:
        """(N, in, H, W) -> (N, out, H, W), or (N, out, 2 H, 2 W) where it doubles."""
        normal = standardise(x).to(maps.dtype)
        out = self.conv_0(F.leaky_relu_(self.norm_0(normal, maps), SLOPE))
        out = self.conv_1(F.leaky_relu_(self.norm_1(standardise(out), maps), SLOPE))
        if self.shortcut is not None:
            return out.add_(self.shortcut(normal, maps))
        return out.add_(F.interpolate(x, scale_factor=2, mode="nearest") if self.doubles else x)
