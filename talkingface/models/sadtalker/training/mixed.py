"""SadTalker's compact renderer with painters as the trainer sees it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from ....motion.coefficients import row70
from ....nn.geometry.keypoints import Keypoints
from ....nn.losses.perceptual import VGG16
from ...base import Batch, Phase
from ...mixed_settings import MixedLosses
from ...mixed_training import MixedTraining, RegionDiscriminator
from ..config import SadTalkerConfig
from ..plugin import SadTalker
from .pictures import picture_samples


class MixedSadTalker(SadTalker):
    """The model of the architecture ``mixed``, whose generator is trained with the keypoints of its mapping network.

    Args:
        config: of the networks.
        losses, rates, vgg: as in `MixedTraining`.
    """

    stages = ("render",)

    def __init__(
        self, config: SadTalkerConfig, losses: MixedLosses, rates: Mapping[str, float], vgg: VGG16 | None = None
    ) -> None:
        super().__init__(config)
        self.networks["discriminator"] = RegionDiscriminator()
        self._training = MixedTraining(self.networks, self._moves, losses, rates, vgg)

    def samples(self) -> Mapping[str, Any]:
        """Those of pictures, for what asks a store; the recipe's batches come from a cache."""
        return picture_samples(self.networks, self.config)

    def auxiliary(self, train: Any) -> Mapping[str, Callable[[Mapping[str, Tensor]], None]]:
        """Nothing: the recipe brings the features of its perceptual loss."""
        return {}

    def phases(self, train: Any) -> list[Phase]:
        """Those of `MixedTraining`."""
        return self._training.phases()

    def validate(self, batch: Batch) -> tuple[dict[str, float], dict[str, Tensor]]:
        """Scores and pictures of `MixedTraining`."""
        return self._training.validate(batch)

    @torch.no_grad()
    def _moves(self, batch: Batch) -> tuple[Keypoints, Keypoints]:
        """Keypoints of a batch of pairs with ``rows_source`` and ``rows_driving``; see `mixed_training.Moves`."""
        rows = row70(torch.cat([batch["rows_source"], batch["rows_driving"]]))
        found: Keypoints = self.networks["kp_extractor"].eval()(torch.cat([batch["source"], batch["driving"]]))
        mapping = self.networks["mapping"].eval()
        return found, mapping(rows, rows.roll(len(batch["source"]), 0), found)
