"""The compact renderer's generator: that of the compact First Order Motion Model, told where the face's points are.

Keypoints carry the head, hair and shoulders. Lips and lids are finer than they can say, so the points of the face mesh
lay their own warp field over the face, and the decoder is shown the rings of eyes and lips: inside an open mouth the
source has nothing to copy, and it has to paint. docs/compact-sadtalker.md has the experiments.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ....face3d.mesh_topology import CHIN, EYE_CORNERS, FOREHEAD, INNER_LIPS, LEFT_EYE, RIGHT_EYE
from ....nn.compact.config import CommonParams, CompactParams
from ....nn.compact.face_motion import inside, points_field
from ....nn.compact.generator import CompactGenerator, CompactState, FastCompactGenerator, Hints
from ....nn.compact.motion import DenseMotion
from ....nn.geometry.grids import coordinate_grid
from ....nn.geometry.keypoints import Keypoints, expand_keypoints
from ....nn.precision import at_least_float32, float32_region

POINTS = 468
_MAPS = 6  # belief, two of movement, lips and eyes of the frame, lips of the source
_TOLD = 24  # channels made of them
_FIELD_SCALE = 4.0  # brings movements of a quarter of the picture to order one
_TRUSTED = 3.0  # logit of the gate before training: the mesh is right about lips and lids
_SMALLEST_FACE = 0.02  # in units of [-1, 1]; keeps spots from vanishing


@dataclass(frozen=True)
class FaceMotion:
    """What the points of the face say, at half the picture's size.

    Attributes:
        field: (N, 2, h, w), to be added to each pixel's own place.
        belief: (N, 1, h, w), 0 off the face.
        maps: (N, 6, h, w), what the networks are told.
    """

    field: Tensor
    belief: Tensor
    maps: Tensor


def face_motion(source: Tensor, driving: Tensor, spread: Tensor, size: tuple[int, int]) -> FaceMotion:
    """The face's own motion.

    Args:
        source: (1 or N, 468, 2), points of the face in the source, (x, y) in [-1, 1].
        driving: (N, 468, 2), and in the frames.
        spread: (468,), size of each point's spot, where the face is 1 wide between the eyes.
        size: (height, width).
    """
    source = source.expand(len(driving), -1, -1)
    field, belief = points_field(source, driving, face_size(driving)[:, None] * spread, size)
    eyes = inside(driving[:, LEFT_EYE], size) + inside(driving[:, RIGHT_EYE], size)
    rings = [inside(driving[:, INNER_LIPS], size), eyes, inside(source[:, INNER_LIPS], size)]
    return FaceMotion(field, belief, torch.cat([belief, field * _FIELD_SCALE, *rings], dim=1))


def face_size(points: Tensor) -> Tensor:
    """(N,): distance of the eyes' outer corners, or half the height of the face where it is turned away."""
    across = (points[:, EYE_CORNERS[1]] - points[:, EYE_CORNERS[0]]).norm(dim=-1)
    tall = (points[:, FOREHEAD] - points[:, CHIN]).norm(dim=-1)
    return torch.maximum(across, tall / 2).clamp(min=_SMALLEST_FACE)


class FaceGenerator(CompactGenerator):
    """Draws a source as keypoints and points of the face say.

    Attributes:
        spread: (468,), see `face_motion`: 0.6 of the mean distance to a point's five neighbours; kept with the weights.
    """

    spread: Tensor

    def __init__(self, params: CompactParams, common: CommonParams) -> None:
        super().__init__(params, common)
        self.register_buffer("spread", torch.full((POINTS,), 0.08))
        _, middle, coarse = params.generator_widths
        self.tell = nn.Sequential(_conv(_MAPS, _TOLD), nn.ReLU(), _conv(_TOLD, _TOLD), nn.ReLU())
        self.tell_middle = nn.Sequential(_conv(_TOLD, _TOLD, stride=2), nn.ReLU())
        self.tell_coarse = nn.Sequential(_conv(_TOLD, _TOLD, stride=2), nn.ReLU())
        self.to_coarse, self.to_middle = _silent(coarse), _silent(middle)
        self.to_fine = _silent(params.decoder_width)
        self.gate = nn.Conv2d(_TOLD + params.motion_features, 1, 1)
        nn.init.zeros_(self.gate.weight)
        nn.init.constant_(self.gate.bias, _TRUSTED)  # type: ignore[arg-type]

    def decode_face(
        self,
        state: CompactState,
        kp_source: Keypoints,
        kp_driving: Keypoints,
        points_source: Tensor,
        points_driving: Tensor,
        *,
        explain: bool = False,
    ) -> dict[str, Tensor]:
        """Draw frames.

        Args:
            state: of `encode`.
            kp_source: of the source, (1 or N, ...).
            kp_driving: of the N frames.
            points_source: (1 or N, 468, 2), (x, y) in [-1, 1].
            points_driving: (N, 468, 2).

        Returns:
            As `CompactGenerator.decode`; with `explain` also ``gate`` (N, 1, h, w), where the face's points decide.
        """
        count = len(points_driving)
        state = state.expand(count)
        motion = self.dense_motion_network(state.small, expand_keypoints(kp_source, count), kp_driving)
        size = (state.image.shape[-2] // 2, state.image.shape[-1] // 2)
        with float32_region(state.image):
            face = face_motion(points_source, points_driving, self.spread, size)
        told = self.tell(face.maps)
        gate = self._gate(told, motion, face.belief)
        out = self.draw(state, _overlaid(motion, face, gate), self._hints(told), explain=explain)
        return {**out, "gate": gate} if explain else out

    def _gate(self, told: Tensor, motion: DenseMotion, belief: Tensor) -> Tensor:
        size = (told.shape[-2], told.shape[-1])
        features = F.interpolate(motion.features, size=size, mode="bilinear")
        return at_least_float32(self.gate(torch.cat([told, features.to(told.dtype)], dim=1))).sigmoid() * belief

    def _hints(self, told: Tensor) -> Hints:
        middle = self.tell_middle(told)
        return self.to_coarse(self.tell_coarse(middle)), self.to_middle(middle), self.to_fine(told)


class FastFaceGenerator(FaceGenerator, FastCompactGenerator):
    """The generator for inference; see `FastCompactGenerator`."""

    def __init__(self, generator: FaceGenerator, precision: torch.dtype = torch.float32) -> None:
        FastCompactGenerator.__init__(self, generator, precision)
        self.register_buffer("spread", generator.spread.clone())

    def decode_face(
        self,
        state: CompactState,
        kp_source: Keypoints,
        kp_driving: Keypoints,
        points_source: Tensor,
        points_driving: Tensor,
        *,
        explain: bool = False,
    ) -> dict[str, Tensor]:
        """As in the base class."""
        with self._autocast(state.image):
            return super().decode_face(state, kp_source, kp_driving, points_source, points_driving, explain=explain)


def _overlaid(motion: DenseMotion, face: FaceMotion, gate: Tensor) -> DenseMotion:
    """The motion with the face's own field where the gate is open, at the finer of both sizes."""
    with float32_region(gate):
        size = (gate.shape[-2], gate.shape[-1])
        coarse = at_least_float32(motion.deformation).permute(0, 3, 1, 2)
        field = F.interpolate(coarse, size=size, mode="bilinear", align_corners=True)
        own = coordinate_grid(*size, like=field).permute(2, 0, 1) + face.field
        return replace(motion, deformation=(field + gate * (own - field)).permute(0, 2, 3, 1))


def _conv(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride, 1)


def _silent(outputs: int) -> nn.Conv2d:
    """Says nothing before it is trained, so that training starts from the generator as it was."""
    layer = nn.Conv2d(_TOLD, outputs, 1)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer
