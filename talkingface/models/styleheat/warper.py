"""The warpers: motion -> a flow field for the features of the generator (StyleHEAT, section 3.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...nn.geometry.grids import flow_to_field, warp_by_field
from ...nn.window_encoder import WindowEncoder
from .adain_hourglass import SLOPE, AdaINHourglass
from .guide import SEEN_BY_WARPER, Guide
from .structure import WarperStructure

OTHER_SPELLING = {"warpping_net.": "warping_net."}  # PIRenderer's files have it so, StyleHEAT's video warper not


class Warp(NamedTuple):
    """What moves a picture.

    Attributes:
        flow: (N, 2, h, w), pixels to the right and below from where each pixel is taken.
        descriptor: (N, features), the motion as a vector.
    """

    flow: Tensor
    descriptor: Tensor

    @property
    def field(self) -> Tensor:
        """(N, h, w, 2), the points to sample."""
        return flow_to_field(self.flow)

    def apply(self, picture: Tensor) -> Tensor:
        """The picture or features (N, C, H, W), moved; black comes in from outside."""
        return warp_by_field(picture, self.field)


class SampleNorm(nn.Module):
    """Norm of each sample over channels and places (layer norm), with a gain and a bias for each channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, x.shape[1:]) * self.weight + self.bias


class WarpingNet(nn.Module):
    """A picture and a descriptor -> flow, at the size to which the hourglass comes back."""

    def __init__(self, structure: WarperStructure) -> None:
        super().__init__()
        s = structure
        seen = s.picture_channels + (SEEN_BY_WARPER if s.guided else 0)
        self.hourglass = AdaINHourglass(seen, s.features, s.width, s.max_width, s.down, s.up)
        channels = self.hourglass.out_channels
        self.flow_out = nn.Sequential(
            SampleNorm(channels), nn.LeakyReLU(SLOPE), nn.Conv2d(channels, 2, kernel_size=7, padding=3)
        )

    def forward(self, picture: Tensor, descriptor: Tensor) -> Tensor:
        flow: Tensor = self.flow_out(self.hourglass(picture, descriptor))
        return flow


class VideoWarper(nn.Module):
    """The warper that face coefficients steer; 13.4 M parameters as published."""

    def __init__(self, structure: WarperStructure | None = None) -> None:
        super().__init__()
        structure = structure or WarperStructure()
        self.mapping_net = WindowEncoder(structure.numbers, structure.features, structure.layers)
        self.warping_net = WarpingNet(structure)
        self.guided = structure.guided

    def forward(self, picture: Tensor, windows: Tensor, guide: Guide | None = None) -> Warp:
        """Pictures (N, 3, H, W) in [-1, 1] and windows (N, 73, 27) of coefficients -> how to move them.

        Args:
            guide: at the size of the flow; a guided warper needs it, and no other takes it.
        """
        descriptor = self.mapping_net(windows)
        if not self.guided:
            return Warp(self.warping_net(picture, descriptor), descriptor)
        if guide is None:
            raise ValueError("a guided warper needs a guide")
        return Warp(self.warping_net(guide.beside(picture), descriptor) + guide.flow, descriptor)


class AudioWarper(nn.Module):
    """The warper that speech steers. No weights of it were released; its spelling is that of the published code."""

    def __init__(self, structure: WarperStructure | None = None) -> None:
        super().__init__()
        structure = structure or WarperStructure(numbers=80)
        self.audio_encoder = WindowEncoder(structure.numbers, structure.features, structure.layers)
        self.warpping_net = WarpingNet(structure)

    def forward(self, picture: Tensor, windows: Tensor) -> Warp:
        """Pictures (N, 3, H, W) in [-1, 1] and windows (N, 80, frames) of log-mel bands -> how to move them."""
        descriptor = self.audio_encoder(windows)
        return Warp(self.warpping_net(picture, descriptor), descriptor)


def lower_half(warp: Warp) -> Warp:
    """The warp with the upper half of its flow at zero: speech moves the mouth only."""
    flow = warp.flow.clone()
    flow[:, :, : flow.shape[2] // 2] = 0
    return warp._replace(flow=flow)


def video_warper_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict of the video warper with the spelling of `VideoWarper`, whichever of the two it has.

    Two keys that become one are left as they are, for strict loading to report.
    """
    renamed = {}
    for key, tensor in state.items():
        for other, ours in OTHER_SPELLING.items():
            if key.startswith(other) and ours + key[len(other) :] not in state:
                key = ours + key[len(other) :]
        renamed[key] = tensor
    return renamed
