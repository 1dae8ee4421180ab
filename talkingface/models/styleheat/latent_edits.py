"""Changes of a face's attributes by moving its codes: along directions, and to places on principal components.

Directions are those of InterFaceGAN (Shen et al. 2020), components those of GANSpace (Härkönen et al. 2020).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...errors import ShapeError


def move_along(codes: Tensor, direction: Tensor, strength: float) -> Tensor:
    """Codes (N, codes, length) plus `strength` times (1, length) for all of them, or (1, codes, length) for each."""
    return codes + strength * direction


@dataclass(frozen=True)
class Target:
    """A place on a principal component.

    Attributes:
        component: its index.
        layers: indices of the codes that move.
    """

    component: int
    layers: slice


BEARD = Target(58, slice(7, 9))
LIP = Target(34, slice(10, 11))


@dataclass(frozen=True)
class Components:
    """Principal components of a generator's codes.

    Attributes:
        mean: (1, length).
        directions: (components, 1, length), each of length 1.
        deviations: (components,), how much codes vary along each.
    """

    mean: Tensor
    directions: Tensor
    deviations: Tensor

    def to(self, like: Tensor) -> Components:
        """The same in another number type and on another device."""
        return Components(self.mean.to(like), self.directions.to(like), self.deviations.to(like))

    def place(self, codes: Tensor, target: Target, strength: float) -> Tensor:
        """Codes (N, codes, length) moved to `strength` deviations from the mean along a component.

        Where they are is told by the first code, whatever the layers that move.

        Raises:
            ShapeError: if there is no such component, or no such code.
        """
        if target.component >= len(self.directions) or target.layers.stop > codes.shape[1]:
            raise ShapeError(
                f"component {target.component} and codes up to {target.layers.stop} are asked for, but there are "
                f"{len(self.directions)} components and {codes.shape[1]} codes"
            )
        direction, deviation = self.directions[target.component], self.deviations[target.component]
        now = ((codes[:, 0] - self.mean) * direction).sum(dim=1) / deviation
        step = ((strength - now) * deviation)[:, None] * direction
        moved = torch.zeros_like(codes)
        moved[:, target.layers] = step[:, None]
        return codes + moved
