"""StyleHEAT for inference: the published frames, without the published program's needless computations.

Left out, and no picture changes beyond float rounding: a picture of the warp alone that was drawn for each
frame and thrown away; the part of the generator before the features that move, which is the same for all frames;
heads of the calibrator that nothing uses; multiplying the generator's weights by the codes' styles again and
again. A frame of the published structure is drawn in a good third of the operations.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ....nn.geometry.grids import warp_by_field
from ....nn.stylegan2.fixed import FixedGenerator
from ..compact.detail import SourceDetail
from ..compact.guide import WarpInput
from .build import StyleHeatNetworks
from .pictures import resized
from .warper import Warp

DRAWN_AT_ONCE = 2**20  # pixels: more in one go cost memory and save no time


@dataclass(frozen=True)
class Drawable:
    """An inverted picture and a generator made for it.

    Attributes:
        codes: (1, codes, length) of the picture.
        generator: for these codes.
        features: (1, C, f, f), with the picture's details.
        picture: (1, 3, s, s) in [-1, 1], input of the warper.
        details: (1, 3, s, s), the residual of the codes alone.
    """

    codes: Tensor
    generator: FixedGenerator
    features: Tensor
    picture: Tensor
    details: Tensor


class FastStyleHeat:
    """Inverts pictures, and draws them in motion.

    Args:
        networks: in eval mode; they are used, not copied.
    """

    def __init__(self, networks: StyleHeatNetworks) -> None:
        self.networks, self.inverter = networks, networks.generator
        structure = self.inverter.stylegan.structure
        self.at_once = max(1, DRAWN_AT_ONCE // structure.size**2)

    def invert(self, small: Tensor) -> Drawable:
        """A picture (1, 3, s, s) in [-1, 1] at the encoder's side, ready to be moved."""
        codes = self.inverter.e4e_encoder(small)
        generator = FixedGenerator(self.inverter.stylegan, codes)
        rough = self._made(generator, generator.half.features)
        return self._detailed(codes, generator, rough, small - rough)

    def edited(self, codes: Tensor, details: Tensor) -> Drawable:
        """A picture of other codes (1, codes, length) with the details that the first ones lacked."""
        generator = FixedGenerator(self.inverter.stylegan, codes)
        return self._detailed(codes, generator, self._made(generator, generator.half.features), details)

    def of_inversion(self, codes: Tensor, features: Tensor) -> Drawable:
        """A picture of codes (1, codes, length) and features (1, C, f, f) of another inversion."""
        generator = FixedGenerator(self.inverter.stylegan, codes)
        picture = self._made(generator, features)
        return Drawable(codes, generator, features, picture, torch.zeros_like(picture))

    def frames(self, drawable: Drawable, inputs: WarpInput, detail: SourceDetail | None = None) -> Tensor:
        """Frames (n, 3, size, size), about [-1, 1], of n inputs, with the detail of the source where it is given."""
        return torch.cat([self._draw(drawable, part, detail) for part in inputs.split(self.at_once)])

    def uncalibrated(self, drawable: Drawable, inputs: WarpInput) -> Tensor:
        """Frames (n, 3, size, size), about [-1, 1], by the warp alone, without the calibrator."""
        return torch.cat(
            [drawable.generator.finish(self._move(drawable, part)[0]) for part in inputs.split(self.at_once)]
        )

    def detail(self, drawable: Drawable, at_rest: WarpInput, picture: Tensor) -> SourceDetail:
        """Detail of a picture (1, 3, size, size) in [-1, 1] that is lost where it is drawn by its own coefficients.

        Args:
            at_rest: of the picture itself, with a guide.
        """
        drawn, warp = self._drawn(drawable, at_rest)
        assert at_rest.guide is not None  # noqa: S101 (the caller's part)
        return SourceDetail(picture - drawn, warp.field, at_rest.guide.openings)

    def _draw(self, drawable: Drawable, inputs: WarpInput, detail: SourceDetail | None) -> Tensor:
        drawn, warp = self._drawn(drawable, inputs)
        if detail is None or inputs.guide is None:
            return drawn
        return drawn + detail.carried(warp.field, inputs.guide)

    def _drawn(self, drawable: Drawable, inputs: WarpInput) -> tuple[Tensor, Warp]:
        """(frames by the networks alone, warp)."""
        features, warp = self._move(drawable, inputs)
        refine = self.networks.calibrator(features, warp.descriptor, inputs.guide)
        return drawable.generator.finish(refine(features)), warp

    def _move(self, drawable: Drawable, inputs: WarpInput) -> tuple[Tensor, Warp]:
        """(warped features, warp) of each frame."""
        count = len(inputs)
        warp = self.networks.video_warper(drawable.picture.expand(count, -1, -1, -1), inputs.windows, inputs.guide)
        return warp_by_field(drawable.features.expand(count, -1, -1, -1), warp.field), warp

    def _detailed(self, codes: Tensor, generator: FixedGenerator, rough: Tensor, details: Tensor) -> Drawable:
        change = self.inverter.hfgi_encoder(self.inverter.hfgi_aligner(details, rough))
        features = change(generator.half.features)
        return Drawable(codes, generator, features, self._made(generator, features), details)

    def _made(self, generator: FixedGenerator, features: Tensor) -> Tensor:
        made = generator.finish(features)
        return resized(made.clamp(-1, 1), self.inverter.e4e_encoder.side)
