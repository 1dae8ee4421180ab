"""Changes of the features inside a generator, as StyleHEAT makes them (Yin et al. 2022, section 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from ..geometry.grids import warp


class Affine(NamedTuple):
    """``x * (1 + scale) + shift``; both as large as the features (N, C, H, W)."""

    scale: Tensor
    shift: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        return x * (1 + self.scale) + self.shift


@dataclass(frozen=True)
class Conditions:
    """Changes of the features (N, C, s, s), in the order they are made.

    Attributes:
        inversion: details of a picture that its codes do not hold.
        replacement: other features, (N, C, s, s), in the place of those made so far.
        warps: fields (N, s, s, 2) of points to sample, in [-1, 1] where -1 and +1 are the outer edges; zero outside.
        refine: corrections after the warps.
    """

    inversion: Affine | None = None
    replacement: Tensor | None = None
    warps: Sequence[Tensor] = ()
    refine: Affine | None = None

    def invert(self, features: Tensor) -> Tensor:
        """Apply the first change, whose result may be kept to replace others later."""
        return features if self.inversion is None else self.inversion(features)

    def move(self, features: Tensor) -> Tensor:
        """Apply all other changes."""
        if self.replacement is not None:
            features = self.replacement
        for field in self.warps:
            features = warp(features, field, align_corners=False)
        return features if self.refine is None else self.refine(features)
