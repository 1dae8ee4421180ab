"""FOM with mixed keypoints as the trainer sees it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from torch import Tensor

from ....nn.losses.perceptual import VGG16
from ...base import Batch, Phase
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
