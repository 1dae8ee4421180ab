"""The compact generator guided by points of the face mesh: what renderers with such points have in common.

Keypoints carry the head, hair and shoulders. Lips and lids are finer than they can say, so the points of the face mesh
lay their own warp field over the face, and the decoder is shown maps of what they say: inside an open mouth the source
has nothing to copy, and it has to paint. docs/compact-sadtalker.md has the experiments.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..face3d.mesh import CHIN, EYE_CORNERS, FOREHEAD, INNER_LIPS, LEFT_EYE, RIGHT_EYE
from ..nn.compact.config import CommonParams, CompactParams
from ..nn.compact.face_motion import inside
from ..nn.compact.generator import CompactGenerator, CompactState, FastCompactGenerator, Hints
from ..nn.compact.motion import DenseMotion
from ..nn.geometry.grids import coordinate_grid
from ..nn.geometry.keypoints import Keypoints, expand_keypoints
from ..nn.precision import at_least_float32, float32_region

POINTS = 468
FIELD_SCALE = 4.0  # brings movements of a quarter of the picture to order one
ENCODED = 24  # channels that are made of the maps
_TRUSTED = 3.0  # logit of the gate before training: the mesh is right about lips and lids
_SMALLEST_FACE = 0.02  # in units of [-1, 1]; keeps spots from vanishing


@dataclass(frozen=True)
class FaceMotion:
    """Motion of the points of the face, at half the picture's size.

    Attributes:
        field: (N, 2, h, w), to be added to each pixel's own place.
        confidence: (N, 1, h, w), 0 off the face.
        maps: (N, C, h, w), input of the networks.
    """

    field: Tensor
    confidence: Tensor
    maps: Tensor


def face_size(points: Tensor) -> Tensor:
    """(N,): distance of the eyes' outer corners, or half the height of the face where it is turned away."""
    across = (points[:, EYE_CORNERS[1]] - points[:, EYE_CORNERS[0]]).norm(dim=-1)
    tall = (points[:, FOREHEAD] - points[:, CHIN]).norm(dim=-1)
    return torch.maximum(across, tall / 2).clamp(min=_SMALLEST_FACE)


def face_rings(points: Tensor, size: tuple[int, int]) -> Tensor:
    """(N, 2, h, w): inside of the lips and of the eyes of faces (N, 468, 2), at a size (height, width)."""
    eyes = inside(points[:, list(LEFT_EYE)], size) + inside(points[:, list(RIGHT_EYE)], size)
    return torch.cat([inside(points[:, list(INNER_LIPS)], size), eyes], dim=1)


class PointsGenerator(CompactGenerator):
    """Base of generators that are guided by maps of the face's points.

    Attributes:
        maps: channels of `FaceMotion.maps`.
        spread: (468,), size of each point's spot, where the face is 1 wide between the eyes: 0.6 of the mean distance
            to a point's five neighbours; kept with the weights.
    """

    maps: ClassVar[int]
    spread: Tensor

    def __init__(self, params: CompactParams, common: CommonParams) -> None:
        super().__init__(params, common)
        self.register_buffer("spread", torch.full((POINTS,), 0.08))
        _, middle, coarse = params.generator_widths
        self.tell = nn.Sequential(_conv(self.maps, ENCODED), nn.ReLU(), _conv(ENCODED, ENCODED), nn.ReLU())
        self.tell_middle = nn.Sequential(_conv(ENCODED, ENCODED, stride=2), nn.ReLU())
        self.tell_coarse = nn.Sequential(_conv(ENCODED, ENCODED, stride=2), nn.ReLU())
        self.to_coarse, self.to_middle = _silent(coarse), _silent(middle)
        self.to_fine = _silent(params.decoder_width)
        self.gate = nn.Conv2d(ENCODED + params.motion_features, 1, 1)
        nn.init.zeros_(self.gate.weight)
        nn.init.constant_(self.gate.bias, _TRUSTED)  # type: ignore[arg-type]

    def motion_of(self, state: CompactState, kp_source: Keypoints, kp_driving: Keypoints) -> DenseMotion:
        """Motion that the keypoints carry, before the face's own; a single source is repeated for the N frames."""
        count = len(state.small)
        return self.dense_motion_network(state.small, expand_keypoints(kp_source, count), kp_driving)

    def gate_of(self, encoded: Tensor, motion: DenseMotion, confidence: Tensor) -> Tensor:
        """Share (N, 1, h, w) of the points' field in the motion, at the size of `encoded` (N, 24, h, w)."""
        size = (encoded.shape[-2], encoded.shape[-1])
        features = F.interpolate(motion.features, size=size, mode="bilinear")
        return (
            at_least_float32(self.gate(torch.cat([encoded, features.to(encoded.dtype)], dim=1))).sigmoid() * confidence
        )

    def hints_of(self, encoded: Tensor) -> Hints:
        """Additions to the decoder's maps, from `encoded` (N, 24, h, w)."""
        middle = self.tell_middle(encoded)
        return self.to_coarse(self.tell_coarse(middle)), self.to_middle(middle), self.to_fine(encoded)


class FastPointsGenerator(FastCompactGenerator):
    """Base of such generators for inference, in front of the generator's own class; see `FastCompactGenerator`."""

    spread: Tensor

    def __init__(self, generator: PointsGenerator, precision: torch.dtype = torch.float32) -> None:
        super().__init__(generator, precision)
        self.register_buffer("spread", generator.spread.clone())


def overlaid(motion: DenseMotion, face: FaceMotion, gate: Tensor) -> DenseMotion:
    """Lay the face's own field over a motion where the gate (N, 1, H, W) is open, at the finer of both sizes."""
    with float32_region(gate):
        size = (gate.shape[-2], gate.shape[-1])
        coarse = at_least_float32(motion.deformation).permute(0, 3, 1, 2)
        field = F.interpolate(coarse, size=size, mode="bilinear", align_corners=True)
        own = coordinate_grid(*size, like=field).permute(2, 0, 1) + face.field
        return replace(motion, deformation=(field + gate * (own - field)).permute(0, 2, 3, 1))


def _conv(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride, 1)


def _silent(outputs: int) -> nn.Conv2d:
    """A layer that gives nothing before it is trained, so that training starts from the generator as it was."""
    layer = nn.Conv2d(ENCODED, outputs, 1)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer
