"""The warpers: motion -> a flow field for the features of the generator (StyleHEAT, section 3.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ....errors import ShapeError
from ....nn.blocks.conditional_norm import AdaIN
from ....nn.blocks.hourglass import level_widths
from ....nn.geometry.grids import flow_to_field, warp_by_field
from ..compact.guide import WARPER_CHANNELS, MotionGuide
from ..structure import WarperStructure

FIRST, KERNEL, DILATION = 7, 3, 3  # frames of the first convolution; of the others, and the distance between these
SLOPE = 0.1


class WindowEncoder(nn.Module):
    """Convolutions over time without padding, each but the first with a shortcut, and a mean over the rest.

    Args:
        numbers: of one frame: coefficients, or bands of a spectrum.
        features: length of the vector.
        layers: dilated convolutions; each shortens the window by 6 frames.
    """

    def __init__(self, numbers: int, features: int, layers: int = 3) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv1d(numbers, features, FIRST))
        self.layers = [f"encoder{index}" for index in range(layers)]
        for name in self.layers:
            convolution = nn.Conv1d(features, features, KERNEL, dilation=DILATION)
            self.add_module(name, nn.Sequential(nn.LeakyReLU(SLOPE), convolution))
        self.shortest = FIRST + layers * DILATION * (KERNEL - 1)

    def forward(self, windows: Tensor) -> Tensor:
        """(N, numbers, frames) -> (N, features).

        Raises:
            ShapeError: if the windows are too short.
        """
        if windows.shape[-1] < self.shortest:
            raise ShapeError(f"a window of {windows.shape[-1]} frames", cure=f"It takes {self.shortest} at least.")
        out = self.first(windows)
        for name in self.layers:
            out = self.get_submodule(name)(out) + out[:, :, DILATION:-DILATION]
        return F.adaptive_avg_pool1d(out, 1).squeeze(-1)


class DownBlock(nn.Module):
    """Halves a picture: (N, inputs, H, W) -> (N, outputs, H / 2, W / 2)."""

    def __init__(self, inputs: int, outputs: int, features: int) -> None:
        super().__init__()
        self.norm_0, self.norm_1 = AdaIN(inputs, features), AdaIN(outputs, features)
        self.conv_0 = nn.Conv2d(inputs, outputs, 4, stride=2, padding=1)
        self.conv_1 = nn.Conv2d(outputs, outputs, 3, padding=1)

    def forward(self, x: Tensor, vector: Tensor) -> Tensor:
        out = self.conv_0(F.leaky_relu(self.norm_0(x, vector), SLOPE))
        out = self.conv_1(F.leaky_relu(self.norm_1(out, vector), SLOPE))
        return out


class UpBlock(nn.Module):
    """Doubles a picture: (N, inputs, H, W) -> (N, outputs, 2 H, 2 W); a residual block with a norm in its shortcut."""

    def __init__(self, inputs: int, outputs: int, features: int) -> None:
        super().__init__()
        self.norm_0, self.norm_1 = AdaIN(inputs, features), AdaIN(outputs, features)
        self.norm_s = AdaIN(inputs, features)
        self.conv_0 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.conv_1 = nn.ConvTranspose2d(outputs, outputs, 3, stride=2, padding=1, output_padding=1)
        self.conv_s = nn.ConvTranspose2d(inputs, outputs, 3, stride=2, padding=1, output_padding=1)

    def forward(self, x: Tensor, vector: Tensor) -> Tensor:
        out = self.conv_0(F.leaky_relu(self.norm_0(x, vector), SLOPE))
        out = self.conv_1(F.leaky_relu(self.norm_1(out, vector), SLOPE))
        return out + self.conv_s(F.leaky_relu(self.norm_s(x, vector), SLOPE))


class Encoder(nn.Module):
    """Halves a picture (N, C, H, W) once for each block and keeps every stage but the picture itself."""

    def __init__(self, channels: int, widths: list[int], features: int) -> None:
        super().__init__()
        self.input_layer = nn.Conv2d(channels, widths[0], 7, padding=3)
        self.blocks = [f"encoder{level}" for level in range(len(widths) - 1)]
        for level, name in enumerate(self.blocks):
            self.add_module(name, DownBlock(widths[level], widths[level + 1], features))

    def forward(self, picture: Tensor, vector: Tensor) -> list[Tensor]:
        stages = [self.input_layer(picture)]
        for name in self.blocks:
            stages.append(self.get_submodule(name)(stages[-1], vector))
        return stages


class Decoder(nn.Module):
    """Doubles the deepest stage (N, C, h, w) `up` times, joining the encoder's stage of each size on the way."""

    def __init__(self, widths: list[int], up: int, features: int) -> None:
        super().__init__()
        deepest = len(widths) - 1
        levels = range(deepest - 1, deepest - 1 - up, -1)
        self.blocks = [f"decoder{level}" for level in levels]
        for level, name in zip(levels, self.blocks, strict=True):
            joined = 1 if level == deepest - 1 else 2
            self.add_module(name, UpBlock(joined * widths[level + 1], widths[level], features))

    def forward(self, stages: list[Tensor], vector: Tensor) -> Tensor:
        out = stages[-1]
        for name, skip in zip(self.blocks, reversed(stages[:-1]), strict=False):
            out = torch.cat([self.get_submodule(name)(out, vector), skip], dim=1)
        return out


class AdaINHourglass(nn.Module):
    """(N, channels, H, W) and (N, features) -> (N, out_channels, H / f, W / f), f two to the power of `down` - `up`.

    Args:
        width, max_width: channels at the full size, doubled with each halving, and the most there may be.
        down, up: halvings of the picture, and doublings after them; 1 <= up <= down.

    Raises:
        ShapeError: in `forward`, if H or W is not a multiple of 2 ** down, or the deepest stage is a single pixel, over
            which no instance norm exists.
    """

    def __init__(self, channels: int, features: int, width: int, max_width: int, down: int, up: int) -> None:
        super().__init__()
        widths = level_widths(width, max_width, down + 1)
        self.encoder = Encoder(channels, widths, features)
        self.decoder = Decoder(widths, up, features)
        self.out_channels = 2 * widths[down - up]
        self.multiple = 2**down

    def forward(self, picture: Tensor, vector: Tensor) -> Tensor:
        height, width = picture.shape[-2:]
        if height % self.multiple or width % self.multiple or height * width == self.multiple**2:
            raise ShapeError(
                f"the warper halves its {height} x {width} picture {len(self.encoder.blocks)} times",
                cure=f"Both sides must be multiples of {self.multiple}, and one of them twice that.",
            )
        out: Tensor = self.decoder(self.encoder(picture, vector), vector)
        return out


OTHER_SPELLING = {"warpping_net.": "warping_net."}  # in PIRenderer's files, not in StyleHEAT's video warper


class Warp(NamedTuple):
    """Flow that moves a picture, and the descriptor it was made of.

    Attributes:
        flow: (N, 2, h, w), distance in pixels (right, down) to the place that each pixel is taken from.
        descriptor: (N, features), the motion as a vector.
    """

    flow: Tensor
    descriptor: Tensor

    @property
    def field(self) -> Tensor:
        """Points (N, h, w, 2) to sample."""
        return flow_to_field(self.flow)

    def apply(self, picture: Tensor) -> Tensor:
        """The picture or features (N, C, H, W), moved; black comes in from outside."""
        return warp_by_field(picture, self.field)


class SampleNorm(nn.Module):
    """Norm of each sample (C, H, W) (layer norm), with a gain and a bias for each channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, x.shape[1:]) * self.weight + self.bias


class WarpingNet(nn.Module):
    """Pictures (N, C, H, W) and descriptors (N, features) -> flow (N, 2, h, w), at the hourglass' last size."""

    def __init__(self, structure: WarperStructure) -> None:
        super().__init__()
        s = structure
        in_channels = s.picture_channels + (WARPER_CHANNELS if s.guided else 0)
        self.hourglass = AdaINHourglass(in_channels, s.features, s.width, s.max_width, s.down, s.up)
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

    def forward(self, picture: Tensor, windows: Tensor, guide: MotionGuide | None = None) -> Warp:
        """Warp of pictures (N, 3, H, W) in [-1, 1] by windows (N, 73, 27) of coefficients.

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
        """Warp of pictures (N, 3, H, W) in [-1, 1] by windows (N, 80, frames) of log-mel bands."""
        descriptor = self.audio_encoder(windows)
        return Warp(self.warpping_net(picture, descriptor), descriptor)


def lower_half(warp: Warp) -> Warp:
    """The warp with the upper half of its flow at zero: speech moves the mouth only."""
    flow = warp.flow.clone()
    flow[:, :, : flow.shape[2] // 2] = 0
    return warp._replace(flow=flow)


def video_warper_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """State dict of the video warper with the names of `VideoWarper`, from either spelling.

    Two keys that become one are left as they are, for strict loading to report.
    """
    renamed = {}
    for key, tensor in state.items():
        for other, ours in OTHER_SPELLING.items():
            if key.startswith(other) and ours + key[len(other) :] not in state:
                key = ours + key[len(other) :]
        renamed[key] = tensor
    return renamed
