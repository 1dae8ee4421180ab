"""From a picture to what the generator makes it of: e4e's codes, and HFGI's details (StyleHEAT, section 3.1)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from ...nn.stylegan2.conditions import Affine
from ...nn.stylegan2.generator import Generator, Halfway
from .e4e import E4eEncoder
from .pictures import resized
from .residual import ResidualAligner, ResidualEncoder
from .structure import StyleHeatStructure


class Rough(NamedTuple):
    """What codes alone make of a picture.

    Attributes:
        codes: (N, codes, length).
        half: the generator's work up to the features that can be changed, which every later picture shares.
        picture: (N, 3, s, s) in [-1, 1], at the side s of the encoder.
        residual: what it lacks of the picture, same shape.
    """

    codes: Tensor
    half: Halfway
    picture: Tensor
    residual: Tensor


class Inversion(NamedTuple):
    """A picture as the generator knows it.

    Attributes:
        codes: (N, codes, length).
        features: (N, C, f, f) with the details; motion warps them.
        skip: (N, 3, f / 2, f / 2), the picture of the sizes below, which motion does not change.
        picture: (N, 3, s, s) in [-1, 1], at the side s of the encoder; the warper looks at it.
        full: (N, 3, size, size), the same at the generator's size, not limited to [-1, 1].
        aligned: (N, 3, s, s), the residual as it fits the picture of the codes.
        details: how the residual changes the features.
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
        """Codes of pictures, and what they lack."""
        small = resized(pictures, self.e4e_encoder.side)
        return self.make(self.e4e_encoder(small), small)

    def make(self, codes: Tensor, small: Tensor) -> Rough:
        """What given codes make, compared with pictures (N, 3, s, s) at the side of the encoder."""
        half = self.stylegan.begin(codes)
        made = self._small(self.stylegan.finish(half, codes))
        return Rough(codes, half, made, (small - made).detach())

    def detail(self, rough: Rough, residual: Tensor) -> Inversion:
        """Give a rough picture its details.

        Args:
            residual: that of the rough picture; for edited codes, that of the codes before the edit.
        """
        aligned = self.hfgi_aligner(residual, rough.picture)
        details: Affine = self.hfgi_encoder(aligned)
        features = details(rough.half.features)
        full = self.stylegan.finish(Halfway(features, rough.half.picture), rough.codes)
        return Inversion(rough.codes, features, rough.half.picture, self._small(full), full, aligned, details)

    def _small(self, pictures: Tensor) -> Tensor:
        return resized(torch.clamp(pictures, -1, 1), self.e4e_encoder.side)
