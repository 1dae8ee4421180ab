"""Training of the compact mapping network and of the compact generator.

The keypoints are those of the compact First Order Motion Model, whose detector stays as it is. The mapping network
learns how they follow the coefficients; then the generator learns to draw with the keypoints of the mapping network, so
that it is trained on the errors that it will meet. Lips and lids fill few pixels and count more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ....face3d.mesh import LEFT_EYE, OUTER_LIPS, RIGHT_EYE
from ....motion.coefficients import row70
from ....nn.geometry.keypoints import Keypoints
from ...base import Batch, Losses
from ...mesh_faces import face_points, surroundings
from ...mixed_training import edge_error, smaller_error
from ..config import CompactTrain
from ..training.phases import Stage
from ..training.pictures import middle, picture_samples, pictures_of


class CompactMappingObjective:
    """Losses of ``mapping``, weighted scalars by name.

    Args:
        networks: with ``kp_extractor``, which stays as it is.
        train: weights of the losses.
    """

    learns, through, discriminators = ("mapping",), ("kp_extractor",), ()

    def __init__(self, networks: nn.ModuleDict, train: CompactTrain) -> None:
        self.networks, self.train = networks, train

    def losses(self, batch: Batch) -> Losses:
        """Weighted distance of keypoints and their Jacobians from those of the picture itself."""
        wanted, moved = self._both(batch)
        jacobian = (moved["jacobian"] - wanted["jacobian"]).abs().mean()
        return {
            "keypoints": (moved["value"] - wanted["value"]).abs().mean(),
            "jacobians": self.train.jacobians * jacobian,
        }

    def validate(self, batch: Batch) -> tuple[dict[str, float], dict[str, Tensor]]:
        """Mean distance of keypoints, in units of [-1, 1]."""
        wanted, moved = self._both(batch)
        return {"l1": float((moved["value"] - wanted["value"]).abs().mean())}, {}

    def _both(self, batch: Batch) -> tuple[Keypoints, Keypoints]:
        detector = self.networks["kp_extractor"].eval()
        with torch.no_grad():
            source, driving = detector(batch["source"]), detector(batch["driving"])
        return driving, self.networks["mapping"](*_rows(batch), source)


class CompactRenderObjective:
    """Losses of ``generator``, weighted scalars by name.

    Args:
        networks: with ``kp_extractor`` and ``mapping``, which stay as they are.
        train: weights of the losses.
    """

    learns, through, discriminators = ("generator",), ("kp_extractor", "mapping"), ()

    def __init__(self, networks: nn.ModuleDict, train: CompactTrain) -> None:
        self.networks, self.train = networks, train

    def losses(self, batch: Batch) -> Losses:
        """Weighted errors of the driving frame redrawn from the source frame."""
        redrawn, real, train = self.redraw(batch), batch["driving"], self.train
        made, lips = redrawn.out["prediction"], surroundings(redrawn.points, [OUTER_LIPS], real)
        eyes = surroundings(redrawn.points, [LEFT_EYE, RIGHT_EYE], real)
        face = F.interpolate(redrawn.out["gate"].detach(), size=real.shape[-2:], mode="bilinear")
        weight = 1 + train.lips * lips + train.eyes * eyes + face
        warped = (redrawn.out["deformed"] - real).abs() * (1 - lips)  # an open mouth cannot be warped from a shut one
        return {
            "error": ((made - real).abs() * weight).mean(),
            "smaller": train.smaller * smaller_error(made, real),
            "edges": train.edges * edge_error(made, real, weight),
            "deformed": train.deformed * warped.mean(),
        }

    def redraw(self, batch: Batch) -> Redrawn:
        """Redraw the driving frames from the source frames."""
        detector, mapping = (self.networks[name].eval() for name in self.through)
        rows = middle(batch["source_rows"]), middle(batch["driving_rows"])
        points = [face_points(row, batch["source"]) for row in rows]
        with torch.no_grad():
            source = detector(batch["source"])
            driving = mapping(*_rows(batch), source)
        generator: Any = self.networks["generator"]
        state = generator.encode(batch["source"])
        return Redrawn(generator.decode_face(state, source, driving, *points, explain=True), points[1])

    def validate(self, batch: Batch) -> tuple[dict[str, float], dict[str, Tensor]]:
        """Mean absolute error of the driving frames redrawn from the source frames, and the pictures."""
        made = self.redraw(batch).out["prediction"]
        return {"l1": float((made - batch["driving"]).abs().mean())}, pictures_of(batch, made)


@dataclass(frozen=True)
class Redrawn:
    """Driving frames drawn from the source frames.

    Attributes:
        out: of `FaceGenerator.decode_face`.
        points: (N, 468, 2), of the driving faces.
    """

    out: dict[str, Tensor]
    points: Tensor


def _rows(batch: Batch) -> tuple[Tensor, Tensor]:
    """(source, driving), (N, 70) each."""
    return row70(middle(batch["source_rows"])), row70(middle(batch["driving_rows"]))


COMPACT_MAPPING = Stage(
    picture_samples,
    objective=lambda networks, config, train, vgg: CompactMappingObjective(networks, train),
)
COMPACT_RENDER = Stage(
    picture_samples,
    objective=lambda networks, config, train, vgg: CompactRenderObjective(networks, train),
)
