"""Movement of faces in the joint stage: flow of the mesh's points, and weights for lips and eyes.

The paper trains inversion, warp and calibrator one after another, on errors of pictures alone. Here all learn at once.
A warp that learns from errors of pictures finds small movements first and large ones late; the mesh space has the
position of each point of the face before and after, and so the movement itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ....face3d.mesh import LEFT_EYE, OUTER_LIPS, RIGHT_EYE
from ...base import Batch
from ...mesh_faces import face_points, surroundings
from ..config import JointWeights
from ..networks.warper import Warp
from .guide import MotionGuide


@dataclass(frozen=True)
class FacePairs:
    """Points of the faces of a batch, in the order of `objective.Pairs`.

    Attributes:
        source, target: (2 N, 468, 2), (x, y) in [-1, 1].
    """

    source: Tensor
    target: Tensor

    @classmethod
    def of(cls, batch: Batch) -> FacePairs:
        """Points from rows (N, 27, 260) of the mesh space around either frame."""
        windows = [batch[f"{name}_rows"] for name in ("source", "driving")]
        source, driving = (face_points(rows[:, rows.shape[1] // 2], batch["source"]) for rows in windows)
        return cls(torch.cat([source, driving]), torch.cat([driving, source]))

    def guide(self, side: int) -> MotionGuide:
        """Movement of the points, at the side of a flow in pixels."""
        return MotionGuide.of(self.source, self.target, side)

    def counts(self, weights: JointWeights, like: Tensor) -> Tensor:
        """Extra weights (2 N, 1, H, W) of the targets' pixels: lips and eyes are few pixels, but viewers watch them.

        Args:
            like: pictures (2 N, 3, H, W).
        """
        lips = surroundings(self.target, [OUTER_LIPS], like)
        return weights.lips * lips + weights.eyes * surroundings(self.target, [LEFT_EYE, RIGHT_EYE], like)


def flow_error(warp: Warp, guide: MotionGuide) -> Tensor:
    """Mean distance of a warp's field from the movement of the points, weighted by its confidence; a scalar."""
    reach = warp.flow.shape[-1] - 1
    return ((warp.flow - guide.flow).abs() * guide.confidence).mean() * 2 / reach
