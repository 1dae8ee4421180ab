"""What the joint stage looks at: where the mesh says that a face has moved, and which parts of it count.

The paper trains inversion, warp and calibrator one after another, with pictures alone to say how to move. Here all
learn at once. A warp that only sees errors of pictures finds small movements first and large ones late; the mesh space
knows where each point of the face was and is, and shows the way.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ....face3d.mesh_topology import LEFT_EYE, OUTER_LIPS, RIGHT_EYE
from ...base import Batch
from ...mesh_faces import face_points, surroundings
from ..config import JointWeights
from ..networks.warper import Warp
from .guide import Guide


@dataclass(frozen=True)
class FacePairs:
    """Where faces are, in the order of `objective.Pairs`.

    Attributes:
        source, target: (2 N, 468, 2), (x, y) in [-1, 1].
    """

    source: Tensor
    target: Tensor

    @classmethod
    def of(cls, batch: Batch) -> FacePairs:
        """From rows (N, 27, 260) of the mesh space around either frame."""
        rows = [batch[f"{name}_rows"] for name in ("source", "driving")]
        source, driving = (face_points(some[:, some.shape[1] // 2], batch["source"]) for some in rows)
        return cls(torch.cat([source, driving]), torch.cat([driving, source]))

    def guide(self, side: int) -> Guide:
        """How the points move, at the side of a flow."""
        return Guide.of(self.source, self.target, side)

    def counts(self, weights: JointWeights, like: Tensor) -> Tensor:
        """How much more each pixel of the targets counts, (2 N, 1, H, W): lips and eyes are few pixels that are seen.

        Args:
            like: pictures (2 N, 3, H, W).
        """
        lips = surroundings(self.target, [OUTER_LIPS], like)
        return weights.lips * lips + weights.eyes * surroundings(self.target, [LEFT_EYE, RIGHT_EYE], like)


def flow_error(warp: Warp, guide: Guide) -> Tensor:
    """Mean distance of a warp's field from the movement of the points, where there are points; a scalar."""
    reach = warp.flow.shape[-1] - 1
    return ((warp.flow - guide.flow).abs() * guide.belief).mean() * 2 / reach
