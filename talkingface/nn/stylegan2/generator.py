"""The generator: codes to pictures, with a place in the middle where its features can be changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ...errors import ShapeError
from .conditions import Conditions
from .layers import EqualLinear, StyledConv, ToRGB
from .structure import SMALLEST, StyleGAN2Structure

MAPPING_RATE = 0.01
_NORM_EPSILON = 1e-8


class PixelNorm(nn.Module):
    """Vectors (N, L) with a mean square of 1."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + _NORM_EPSILON)


class ConstantInput(nn.Module):
    """The learned features (1, channels, 4, 4) that every picture starts from."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.input = nn.Parameter(torch.randn(1, channels, SMALLEST, SMALLEST))


class Halfway(NamedTuple):
    """A picture in the making.

    Attributes:
        features: (N, C, s, s), made by the first convolution of the side `StyleGAN2Structure.splice`.
        picture: (N, 3, s / 2, s / 2), the sum of the sizes below.
    """

    features: Tensor
    picture: Tensor


class Synthesis(NamedTuple):
    """Result of a generator.

    Attributes:
        picture: (N, 3, size, size), about [-1, 1].
        features: (N, C, s, s) after the inversion and before every other change.
    """

    picture: Tensor
    features: Tensor


class Generator(nn.Module):
    """StyleGAN2's generator with skip connections.

    Its noise layers are silent unless noise is given: the released weights were tuned without (e4e's faces), and so the
    same codes give the same picture.
    """

    def __init__(self, structure: StyleGAN2Structure | None = None) -> None:
        super().__init__()
        self.structure = structure = structure or StyleGAN2Structure()
        length = structure.code_length
        layers = [
            EqualLinear(length, length, rate=MAPPING_RATE, activate=True) for _ in range(structure.mapping_layers)
        ]
        self.style = nn.Sequential(PixelNorm(), *layers)
        channels = structure.channels(SMALLEST)
        self.input = ConstantInput(channels)
        self.conv1 = StyledConv(channels, channels, length)
        self.to_rgb1 = ToRGB(channels, length, first=True)
        self.convs, self.to_rgbs = nn.ModuleList(), nn.ModuleList()
        for doubling in range(structure.doublings):
            inputs, channels = channels, structure.channels(SMALLEST << doubling + 1)
            self.convs.append(StyledConv(inputs, channels, length, up=True))
            self.convs.append(StyledConv(channels, channels, length))
            self.to_rgbs.append(ToRGB(channels, length))
        self.noises = nn.Module()
        for index, noise in enumerate(self.draw_noise() if structure.keeps_noise else ()):
            self.noises.register_buffer(f"noise_{index}", noise)

    def codes_of(self, drawn: Tensor, *, truncation: float = 1.0, mean: Tensor | None = None) -> Tensor:
        """Codes of pictures of the generator's own.

        Args:
            drawn: (N, code_length) normal numbers.
            truncation: share of the distance of codes from the mean: 1 as they are, 0 the mean itself.
            mean: (1, code_length), see `mean_code`; needed for a truncation.

        Returns:
            (N, codes, code_length).
        """
        code: Tensor = self.style(drawn)
        if mean is not None:
            code = torch.lerp(mean.expand_as(code), code, truncation)
        elif truncation != 1:
            raise ShapeError("truncation needs a mean code", cure="Pass mean=generator.mean_code(4096).")
        return code[:, None].repeat(1, self.structure.codes, 1)

    @torch.no_grad()
    def mean_code(self, count: int, random: torch.Generator | None = None) -> Tensor:
        """Mean (1, code_length) of the codes of `count` draws."""
        constant = self.input.input
        drawn = torch.randn(count, self.structure.code_length, generator=random, dtype=constant.dtype)
        mean: Tensor = self.style(drawn.to(constant.device)).mean(dim=0, keepdim=True)
        return mean

    def forward(
        self, codes: Tensor, conditions: Conditions | None = None, noise: Sequence[Tensor] | None = None
    ) -> Synthesis:
        """Make pictures.

        Args:
            codes: (N, codes, code_length).
            conditions: changes of the features in the middle.
            noise: for each convolution (N or 1, 1, side, side), see `draw_noise` and `stored_noise`; None: silence.

        Raises:
            ShapeError: if there are more or fewer codes, or noises.
        """
        conditions = conditions or Conditions()
        half = self.begin(codes, noise)
        features = conditions.invert(half.features)
        picture = self.finish(Halfway(conditions.move(features), half.picture), codes, noise)
        return Synthesis(picture, features)

    def begin(self, codes: Tensor, noise: Sequence[Tensor] | None = None) -> Halfway:
        """Features before they can be changed, of codes (N, codes, code_length); arguments as for `forward`."""
        noises = self._checked(codes, noise)
        constant = self.input.input.expand(len(codes), -1, -1, -1)
        out = self.conv1(constant, codes[:, 0], noises[0])
        picture = self.to_rgb1(out, codes[:, 1])
        splice = self.structure.splice_doubling
        for doubling in range(splice):
            out = self._double(doubling, out, codes, noises)
            out, picture = self._settle(doubling, Halfway(out, picture), codes, noises)
        return Halfway(self._double(splice, out, codes, noises), picture)

    def finish(self, half: Halfway, codes: Tensor, noise: Sequence[Tensor] | None = None) -> Tensor:
        """Pictures (N, 3, size, size) of features in the middle; arguments as for `forward`."""
        noises = self._checked(codes, noise)
        splice = self.structure.splice_doubling
        half = self._settle(splice, half, codes, noises)
        for doubling in range(splice + 1, self.structure.doublings):
            out = self._double(doubling, half.features, codes, noises)
            half = self._settle(doubling, Halfway(out, half.picture), codes, noises)
        return half.picture

    def _double(self, doubling: int, x: Tensor, codes: Tensor, noise: Sequence[Tensor | None]) -> Tensor:
        index = 2 * doubling + 1
        out: Tensor = self.convs[index - 1](x, codes[:, index], noise[index])
        return out

    def _settle(self, doubling: int, half: Halfway, codes: Tensor, noise: Sequence[Tensor | None]) -> Halfway:
        """Second convolution of a side, and its part of the picture."""
        index = 2 * doubling + 2
        out = self.convs[index - 1](half.features, codes[:, index], noise[index])
        return Halfway(out, self.to_rgbs[doubling](out, codes[:, index + 1], half.picture))

    def draw_noise(self, count: int = 1, random: torch.Generator | None = None) -> list[Tensor]:
        """Fresh noise (count, 1, side, side) for each convolution, in float32 on the CPU."""
        sides = [SMALLEST << (index + 1) // 2 for index in range(self.structure.codes - 1)]
        return [torch.randn(count, 1, side, side, generator=random) for side in sides]

    def stored_noise(self) -> list[Tensor]:
        """Noise (1, 1, side, side) of each convolution that is saved with the weights, of a structure that keeps it."""
        return [self.noises.get_buffer(f"noise_{index}") for index in range(self.structure.codes - 1)]

    def noise_strengths(self) -> list[nn.Module]:
        """Layers whose only parameter is the strength of the noise, for trainings without noise."""
        return [layer.noise for layer in self.modules() if isinstance(layer, StyledConv)]

    def _checked(self, codes: Tensor, noise: Sequence[Tensor] | None) -> Sequence[Tensor | None]:
        wanted = self.structure.codes, self.structure.code_length
        if codes.ndim != 3 or tuple(codes.shape[1:]) != wanted:
            raise ShapeError(f"the generator takes codes (N, {wanted[0]}, {wanted[1]}), not {tuple(codes.shape)}")
        if noise is None:
            return [None] * (wanted[0] - 1)
        if len(noise) != wanted[0] - 1:
            raise ShapeError(f"the generator takes {wanted[0] - 1} noises, not {len(noise)}")
        return noise
