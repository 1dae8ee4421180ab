"""What an expression looks like: points of the lips and the opening of eyes and mouth, differentiable, in space mesh.

The face model of that space is linear in its expression coefficients (face3d/mesh_space.py), so a fixed matrix is all
that is needed; no identity and no pose.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ...face3d.mesh_space import INNER_LIPS as LIP_PAIR
from ...face3d.mesh_space import LID_PAIRS, MeshSpace, shipped_space
from ...face3d.mesh_topology import CHIN, INNER_LIPS, OUTER_LIPS
from ...nn.precision import float32_region

CLOSED = 0.5
"""What is left of the lids' opening when the eyes are closed, as a part of that of open eyes: the mesh network draws
shut eyes half open (the fullest blinks of 227 clips: 0.38 at least, 0.55 at a quarter of the clips)."""
LIP_SHAPES = 8  # shapes that lips can take, nearly all that matter

_MOUTH = (*INNER_LIPS, *OUTER_LIPS, CHIN)


class ExpressionShape:
    """Measures expressions. Lengths are in units of the space, 0.1 m on a face whose eyes are 62 mm apart.

    Args:
        space: None takes the model that ships.
    """

    def __init__(self, space: MeshSpace | None = None) -> None:
        space = space or shipped_space()
        self._mean = torch.from_numpy(space.mean).float()
        self._directions = torch.from_numpy(space.expression).float()
        self.awake = float(self.lids(torch.zeros(1, len(self._directions))))
        """Opening of the lids of the mean face at rest."""

    def lip_part(self, expression: Tensor) -> Tensor:
        """What of expressions (..., 64) moves the lips; the rest is what they do without."""
        lips = self._directions[:, list(_MOUTH)].flatten(1)
        shapes = torch.linalg.svd(lips, full_matrices=False).U[:, :LIP_SHAPES].to(expression)
        return expression @ shapes @ shapes.T

    def mouth(self, expression: Tensor) -> Tensor:
        """Points of lips and chin (..., 41, 3) of expressions (..., 64)."""
        return self._points(expression, _MOUTH)

    def lips(self, expression: Tensor) -> Tensor:
        """How far the lips are open, (...), of expressions (..., 64)."""
        return self._gap(expression, LIP_PAIR)

    def lids(self, expression: Tensor) -> Tensor:
        """How far the lids are open, (...), the mean of both eyes."""
        return torch.stack([self._gap(expression, pair) for pair in LID_PAIRS]).mean(dim=0)

    def closed(self, expression: Tensor, reference: Tensor) -> Tensor:
        """The ratio that the expression network is told: 0 for eyes as open as the reference's, 1 for closed ones.

        A reference that was taken in the middle of a blink counts as half awake.

        Args:
            expression: (..., 64), of frames.
            reference: the same shape, of the same person's reference frame.
        """
        awake = self.lids(reference).clamp(min=self.awake / 2)
        return ((1 - self.lids(expression) / awake) / (1 - CLOSED)).clamp(0, 1)

    def wanted_lids(self, closed: Tensor, reference: Tensor) -> Tensor:
        """How far the lids are open at a ratio of `closed`: its inverse."""
        awake = self.lids(reference).clamp(min=self.awake / 2)
        return awake * (1 - closed * (1 - CLOSED))

    def _gap(self, expression: Tensor, pair: tuple[int, int]) -> Tensor:
        points = self._points(expression, pair)
        return (points[..., 0, :] - points[..., 1, :]).norm(dim=-1)

    def _points(self, expression: Tensor, numbers: tuple[int, ...]) -> Tensor:
        chosen = list(numbers)
        directions = self._directions[:, chosen].to(expression.device)
        with float32_region(expression):
            moved = torch.tensordot(expression.float(), directions, dims=1)
        return self._mean[chosen].to(expression.device) + moved
