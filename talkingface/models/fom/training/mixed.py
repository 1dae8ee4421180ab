"""FOM with mixed keypoints as the trainer sees it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ....face3d.mesh_topology import OUTER_LIPS
from ....nn.losses.vgg16 import VGG16
from ...base import Batch, Phase
from ...mesh_faces import surroundings
from ...mixed_generator import FacePoints
from ..config import FOMConfig
from ..plugin import FOM
from .mixed_objective import MixedObjective, RegionDiscriminator
from .mixed_settings import MixedLosses


class MixedTraining(FOM):
    """The model of the architecture ``mixed``, whose generator is trained and whose detector stays as it is.

    Args:
        config: of the networks.
        losses: weights.
        rates: learning rate by phase, ``generator`` and ``discriminator``.
        vgg: fixed features of the perceptual loss; None where its weight is zero.
    """

    def __init__(
        self, config: FOMConfig, losses: MixedLosses, rates: Mapping[str, float], vgg: VGG16 | None = None
    ) -> None:
        super().__init__(config)
        self.networks["discriminator"] = RegionDiscriminator()
        self.losses, self.rates, self.features = losses, dict(rates), vgg

    def phases(self, train: Any) -> list[Phase]:
        """The generator, then the discriminators where a loss asks for them."""
        objective = MixedObjective(self.networks, self.losses, self.features)
        phases = [Phase("generator", ["generator"], objective.generator_losses, self._optimizer("generator"))]
        if self.losses.adversarial:
            judge = self._optimizer("discriminator")
            phases.append(Phase("discriminator", ["discriminator"], objective.discriminator_losses, judge))
        return phases

    def _optimizer(self, name: str) -> Any:
        return partial(_adam, rate=self.rates[name])

    @torch.no_grad()
    def validate(self, batch: Batch) -> tuple[dict[str, float], dict[str, Tensor]]:
        """Errors of the driving frames redrawn with points and without, and the pictures.

        ``l1`` is that with points, ``l1_lips`` the same around the lips, ``l1_keypoints`` that without points.
        """
        detector: Any = self.networks["kp_detector"]
        generator: Any = self.networks["generator"]
        source, driving = batch["source"], batch["driving"]
        keypoints = detector(source), detector(driving)
        known = torch.ones(len(source), device=source.device)
        face = FacePoints(batch["points_driving"], known)
        state = generator.encode_face(source, FacePoints(batch["points_source"], known))
        drawn = generator.decode_face(state, *keypoints, face, explain=True)
        plain = generator.decode_face(state, *keypoints, FacePoints(face.points, 0 * known))["prediction"]
        error = (drawn["prediction"] - driving).abs()
        lips = surroundings(face.points, [OUTER_LIPS], driving)
        scores = {
            "l1": float(error.mean()),
            "l1_lips": float((error * lips).sum() / (3 * lips.sum()).clamp(min=1)),
            "l1_keypoints": float((plain - driving).abs().mean()),
        }
        return scores, {"prediction": drawn["prediction"], "keypoints": plain, "deformed": drawn["deformed"]}


def _adam(parameters: Iterable[nn.Parameter], rate: float) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, lr=rate, betas=(0.5, 0.999))
