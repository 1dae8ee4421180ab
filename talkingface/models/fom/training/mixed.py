"""FOM with mixed keypoints as the trainer sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from torch import Tensor, nn

from ....nn.losses.perceptual import VGG16
from ...base import Batch, Phase
from ...mesh_faces import face_points
from ...mixed_settings import MixedLosses
from ...mixed_training import MixedTraining, RegionDiscriminator, detected
from ..config import FOMConfig
from ..plugin import FOM


class MixedFOM(FOM):
    """The model of the architecture ``mixed``, whose generator is trained and whose detector stays as it is.

    Args:
        config: of the networks.
        losses, rates, vgg: as in `MixedTraining`.
    """

    def __init__(
        self, config: FOMConfig, losses: MixedLosses, rates: Mapping[str, float], vgg: VGG16 | None = None
    ) -> None:
        super().__init__(config)
        self.networks["discriminator"] = RegionDiscriminator()
        moves = partial(detected, self.networks["kp_detector"])
        self._training = MixedTraining(self.networks, moves, losses, rates, vgg)

    def phases(self, train: Any) -> list[Phase]:
        """Those of `MixedTraining`."""
        return self._training.phases()

    def validate(self, batch: Batch) -> tuple[dict[str, float], dict[str, Tensor]]:
        """Scores and pictures of `MixedTraining`."""
        return self._training.validate(batch)


RATE = 3e-4
"""Learning rate of the generator, as in the recipe."""


def from_clips(networks: nn.ModuleDict, losses: MixedLosses, vgg: VGG16 | None = None) -> MixedTraining:
    """Training of the generator alone, without discriminators; its batches are those of :func:`with_points`.

    Args:
        networks: ``kp_detector``, which stays as it is, and ``generator``.
        losses: weights.
        vgg: fixed features; without them the perceptual loss is left out.
    """
    moves = partial(detected, networks["kp_detector"])
    alone = losses.model_copy(update={"adversarial": 0.0, "matching": 0.0})
    return MixedTraining(networks, moves, alone, {"generator": RATE}, vgg)


def generator_phase(networks: nn.ModuleDict, losses: MixedLosses, vgg: VGG16 | None) -> Phase:
    """Phase of the generator for items of a store, whose points come from coefficients; arguments as `from_clips`."""
    (phase,) = from_clips(networks, losses, vgg).phases()
    return replace(phase, loss=lambda batch: phase.loss(with_points(batch)), through=("kp_detector",))


def with_points(batch: Batch) -> Batch:
    """Batch with the points of both faces, (N, 468, 2), in place of their coefficients (N, 1, 260)."""
    points = {f"points_{name}": face_points(batch[f"{name}_rows"][:, 0], batch[name]) for name in ("source", "driving")}
    return {"source": batch["source"], "driving": batch["driving"], **points}
