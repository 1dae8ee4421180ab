"""The compact renderer's generator: that of the compact First Order Motion Model, guided by points of the face.

Keypoints carry the head, hair and shoulders. Lips and lids are finer than they can say, so the points of the face mesh
lay their own warp field over the face, and the decoder is shown the rings of eyes and lips: inside an open mouth the
source has nothing to copy, and it has to paint. docs/compact-sadtalker.md has the experiments.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ....face3d.mesh import INNER_LIPS
from ....nn.compact.face_motion import inside, points_field
from ....nn.compact.generator import CompactState
from ....nn.geometry.keypoints import Keypoints
from ....nn.precision import float32_region
from ...points_generator import (
    FIELD_SCALE,
    FaceMotion,
    FastPointsGenerator,
    PointsGenerator,
    face_rings,
    face_size,
    overlaid,
)


def face_motion(source: Tensor, driving: Tensor, spread: Tensor, size: tuple[int, int]) -> FaceMotion:
    """The face's own motion.

    Args:
        source: (1 or N, 468, 2), points of the face in the source, (x, y) in [-1, 1].
        driving: (N, 468, 2), and in the frames.
        spread: (468,), size of each point's spot, where the face is 1 wide between the eyes.
        size: (height, width).
    """
    source = source.expand(len(driving), -1, -1)
    field, confidence = points_field(source, driving, face_size(driving)[:, None] * spread, size)
    rings = face_rings(driving, size), inside(source[:, INNER_LIPS], size)
    return FaceMotion(field, confidence, torch.cat([confidence, field * FIELD_SCALE, *rings], dim=1))


class FaceGenerator(PointsGenerator):
    """Draws a source as keypoints and points of the face say."""

    maps = 6  # confidence, two of movement, lips and eyes of the frame, lips of the source

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
        state = state.expand(len(points_driving))
        motion = self.motion_of(state, kp_source, kp_driving)
        size = (state.image.shape[-2] // 2, state.image.shape[-1] // 2)
        with float32_region(state.image):
            face = face_motion(points_source, points_driving, self.spread, size)
        encoded = self.tell(face.maps)
        gate = self.gate_of(encoded, motion, face.confidence)
        out = self.draw(state, overlaid(motion, face, gate), self.hints_of(encoded), explain=explain)
        return {**out, "gate": gate} if explain else out


class FastFaceGenerator(FastPointsGenerator, FaceGenerator):
    """The generator for inference; see `FastCompactGenerator`."""

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
        with self._autocast(state.image):
            return super().decode_face(state, kp_source, kp_driving, points_source, points_driving, explain=explain)
