"""The compact renderer with painters of mouth and eyes: the generator of the compact FOM's second generation.

Its points are those that coefficients say, its keypoints those of the mapping network.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor, nn

from ....nn.geometry.keypoints import Keypoints
from ...mixed_generator import FacePoints, FastMixedGenerator, MixedGenerator, MixedState
from ..config import SadTalkerConfig
from .renderer import CompactRenderer, EncodedFace, networks_around


def build_mixed(config: SadTalkerConfig) -> nn.ModuleDict:
    """This project's small networks, with painters of mouth and eyes."""
    return networks_around(MixedGenerator, config)


class MixedRenderer(CompactRenderer):
    """Draws each frame from its own row alone; arguments as in `CompactRenderer`."""

    fast: ClassVar[Callable[..., nn.Module]] = FastMixedGenerator

    def _encode(self, image: Tensor, points: Tensor) -> MixedState:
        state: MixedState = self.generator.encode_face(image, _faces(points))
        return state

    def _draw(self, state: EncodedFace, keypoints: Keypoints, points: Tensor, explain: bool) -> dict[str, Tensor]:
        drawn: dict[str, Tensor] = self.generator.decode_face(
            state.state, state.keypoints, keypoints, _faces(points), explain=explain
        )
        return drawn


def _faces(points: Tensor) -> FacePoints:
    """Points (N, 468, 2) that are there in every frame."""
    return FacePoints(points, torch.ones(len(points), device=points.device, dtype=points.dtype))
