"""The fixed camera of the ``bfm`` space: it looks at the middle of the 224 crop, and x goes right, y up."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Camera:
    """A pinhole in front of the face. Lengths are in units of the face model (0.1 m).

    Attributes:
        focal: in pixels.
        center: middle of the picture, in pixels, along both axes; the picture is twice as wide and high.
        distance: from the camera to the origin of the face model.
        near, far: depths between which a renderer looks.
    """

    focal: float = 1015.0
    center: float = 112.0
    distance: float = 10.0
    near: float = 5.0
    far: float = 15.0

    def see(self, points: Tensor) -> Tensor:
        """Points of the world as the camera sees them: the third number becomes the depth.

        Args:
            points: (..., 3), z towards the camera.

        Returns:
            (..., 3), z away from the camera.
        """
        return torch.cat([points[..., :2], self.distance - points[..., 2:]], -1)

    def project(self, seen: Tensor) -> Tensor:
        """Where points appear.

        Args:
            seen: (..., 3) of `see`.

        Returns:
            (..., 2), pixels, y upwards.
        """
        return self.focal * seen[..., :2] / seen[..., 2:] + self.center

    def clip_matrix(self) -> Tensor:
        """(4, 4): what takes (x, y, depth, 1), as `see` gives them, to the clip space of OpenGL."""
        across = self.focal / self.center
        depth = self.far - self.near
        return torch.tensor(
            [
                [across, 0, 0, 0],
                [0, across, 0, 0],
                [0, 0, (self.far + self.near) / depth, -2 * self.far * self.near / depth],
                [0, 0, 1, 0],
            ]
        )

    def clip(self, seen: Tensor) -> Tensor:
        """Points for a rasteriser with OpenGL's clip space whose first row is the upper one.

        Args:
            seen: (..., 3) of `see`.

        Returns:
            (..., 4): x, y (downwards), z, w.
        """
        flipped = seen * seen.new_tensor([1, -1, 1])
        return torch.cat([flipped, torch.ones_like(seen[..., :1])], -1) @ self.clip_matrix().to(seen).mT

    @property
    def field_of_view(self) -> float:
        """In radians, along both axes."""
        return 2 * math.atan(self.center / self.focal)
