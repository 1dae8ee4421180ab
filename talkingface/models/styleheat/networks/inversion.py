"""Inversion of a picture to input of the generator: e4e's codes, and HFGI's details (StyleHEAT, section 3.1)."""

from __future__ import annotations

from itertools import accumulate
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ....errors import ShapeError, WeightsError
from ....nn.blocks.ir_se import Stage, first_layer, ir_body, upsample_add
from ....nn.stylegan2.conditions import Affine
from ....nn.stylegan2.generator import Generator, Halfway
from ....nn.stylegan2.layers import EqualLinear
from ..structure import EncoderStructure, StyleHeatStructure
from .pictures import resized
from .residual import ResidualAligner, ResidualEncoder

COARSE, MIDDLE = 3, 7  # first code that the middle, and the fine features are for
SLOPE = 0.01


class StyleBlock(nn.Module):
    """Halves features (N, inputs, side, side) down to one pixel and makes a code (N, outputs) of it.

    Args:
        width: channels on the way; None: as many as a code is long.
    """

    def __init__(self, inputs: int, outputs: int, side: int, width: int | None = None) -> None:
        super().__init__()
        width = width or outputs
        layers: list[nn.Module] = []
        for _ in range(side.bit_length() - 1):
            layers += [nn.Conv2d(inputs, width, 3, stride=2, padding=1), nn.LeakyReLU(SLOPE)]
            inputs = width
        self.convs = nn.Sequential(*layers)
        self.linear = EqualLinear(width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        code: Tensor = self.linear(self.convs(x).flatten(1))
        return code


class Pyramid(nn.Module):
    """Feature pyramid, (N, 3, size, size) in [-1, 1] -> codes (N, codes, features) less the mean code.

    All codes are the first one plus offsets of their own. Its names are those in ``Encoder_e4e.pth['encoder']``.
    """

    def __init__(self, structure: EncoderStructure) -> None:
        super().__init__()
        stages = [Stage(*stage) for stage in structure.stages]
        self.ends = [blocks - 1 for blocks in accumulate(stage.blocks for stage in stages)][-3:]
        fine, middle, coarse = (stage.channels for stage in stages[-3:])
        self.input_layer = first_layer(3, stages[0].channels)
        self.body = ir_body(stages)
        side = structure.size >> len(stages)
        sides = [side if code < COARSE else 2 * side if code < MIDDLE else 4 * side for code in range(structure.codes)]
        self.styles = nn.ModuleList(
            StyleBlock(coarse, structure.features, side, structure.head_width) for side in sides
        )
        self.latlayer1 = nn.Conv2d(middle, coarse, 1)
        self.latlayer2 = nn.Conv2d(fine, coarse, 1)

    def forward(self, pictures: Tensor) -> Tensor:
        fine, middle, coarse = self.stages(pictures)
        middle = upsample_add(coarse, self.latlayer1(middle))
        fine = upsample_add(middle, self.latlayer2(fine))
        levels = [coarse] * COARSE + [middle] * (MIDDLE - COARSE) + [fine] * max(len(self.styles) - MIDDLE, 0)
        first, *offsets = [style(level) for style, level in zip(self.styles, levels, strict=False)]
        return torch.stack([first, *(first + offset for offset in offsets)], dim=1)

    def stages(self, pictures: Tensor) -> list[Tensor]:
        """Features (N, C, h, w) after the last three stages, from fine to coarse."""
        out, features = self.input_layer(pictures), []
        for index, block in enumerate(self.body):
            out = block(out)
            if index in self.ends:
                features.append(out)
        return features


class E4eEncoder(nn.Module):
    """Codes of faces; 267 M parameters as published.

    Attributes:
        latent_avg: (codes, features), the generator's mean code; the released file has it beside the weights, and so
            has the state dict.
    """

    latent_avg: Tensor

    def __init__(self, structure: EncoderStructure | None = None) -> None:
        super().__init__()
        structure = structure or EncoderStructure()
        self.encoder = Pyramid(structure)
        self.side = structure.size
        self.register_buffer("latent_avg", torch.zeros(structure.codes, structure.features))

    def load_mean(self, mean: Tensor) -> None:
        """Take the mean code, (codes, features) or one (features,) for all.

        Raises:
            WeightsError: if it has another shape.
        """
        if mean.shape not in (self.latent_avg.shape, self.latent_avg.shape[1:]):
            wanted = tuple(self.latent_avg.shape)
            raise WeightsError(f"'latent_avg' is {tuple(mean.shape)}, not {wanted}", where="the e4e encoder")
        self.latent_avg.copy_(mean)

    def forward(self, pictures: Tensor) -> Tensor:
        """(N, 3, size, size) in [-1, 1] -> (N, codes, features).

        Raises:
            ShapeError: if the pictures have another size.
        """
        if pictures.shape[-2:] != (self.side, self.side):
            raise ShapeError(f"the e4e encoder takes {self.side} x {self.side}, not {tuple(pictures.shape[-2:])}")
        codes: Tensor = self.encoder(pictures) + self.latent_avg
        return codes


class Rough(NamedTuple):
    """Picture made of codes alone.

    Attributes:
        codes: (N, codes, length).
        half: the generator's work up to the features that can be changed, which every later picture shares.
        picture: (N, 3, s, s) in [-1, 1], at the side s of the encoder.
        residual: the real picture less this one, same shape.
    """

    codes: Tensor
    half: Halfway
    picture: Tensor
    residual: Tensor


class Inversion(NamedTuple):
    """A picture as input of the generator.

    Attributes:
        codes: (N, codes, length).
        features: (N, C, f, f) with the details; motion warps them.
        skip: (N, 3, f / 2, f / 2), the picture of the sizes below, which motion does not change.
        picture: (N, 3, s, s) in [-1, 1], at the side s of the encoder; input of the warper.
        full: (N, 3, size, size), the same at the generator's size, not limited to [-1, 1].
        aligned: (N, 3, s, s), the residual as it fits the picture of the codes.
        details: change of the features by the residual.
    """

    codes: Tensor
    features: Tensor
    skip: Tensor
    picture: Tensor
    full: Tensor
    aligned: Tensor
    details: Affine


class Inverter(nn.Module):
    """Generator and encoders, under the names that the published model gives them."""

    def __init__(self, structure: StyleHeatStructure | None = None) -> None:
        super().__init__()
        structure = structure or StyleHeatStructure()
        self.e4e_encoder = E4eEncoder(structure.encoder)
        self.hfgi_aligner = ResidualAligner(structure.residual)
        self.hfgi_encoder = ResidualEncoder(structure.residual)
        self.stylegan = Generator(structure.generator)

    def forward(self, pictures: Tensor) -> Inversion:
        """Invert aligned faces (N, 3, H, W) in [-1, 1], of any size."""
        rough = self.encode(pictures)
        return self.detail(rough, rough.residual)

    def encode(self, pictures: Tensor) -> Rough:
        """Codes of pictures (N, 3, H, W) in [-1, 1], and the residual of these."""
        small = resized(pictures, self.e4e_encoder.side)
        return self.make(self.e4e_encoder(small), small)

    def make(self, codes: Tensor, small: Tensor) -> Rough:
        """Picture that given codes make, compared with pictures (N, 3, s, s) at the side of the encoder."""
        half = self.stylegan.begin(codes)
        made = self._small(self.stylegan.finish(half, codes))
        return Rough(codes, half, made, (small - made).detach())

    def detail(self, rough: Rough, residual: Tensor) -> Inversion:
        """Invert a picture with its details.

        Args:
            residual: (N, 3, s, s), that of the rough picture; for edited codes, that of the codes before the edit.
        """
        aligned = self.hfgi_aligner(residual, rough.picture)
        details: Affine = self.hfgi_encoder(aligned)
        features = details(rough.half.features)
        full = self.stylegan.finish(Halfway(features, rough.half.picture), rough.codes)
        return Inversion(rough.codes, features, rough.half.picture, self._small(full), full, aligned, details)

    def _small(self, pictures: Tensor) -> Tensor:
        return resized(torch.clamp(pictures, -1, 1), self.e4e_encoder.side)
