"""Hourglass steered by a vector (PIRenderer, Ren et al. 2021, section 3.2), under the names of its released weights."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...errors import ShapeError
from ...nn.blocks.conditional_norm import AdaIN
from ...nn.blocks.hourglass import level_widths

SLOPE = 0.1


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
    """Halves a picture once for each block and keeps every stage but the picture itself."""

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
    """Doubles the deepest stage `up` times, joining the encoder's stage of each size on the way."""

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
        down, up: how often the picture is halved, and doubled again; 1 <= up <= down.

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
