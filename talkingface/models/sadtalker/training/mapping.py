"""Training of the mapping network against a renderer that stays as it is (SadTalker, section 3.4).

Coefficients should move the keypoints as what the renderer has learned to read off pictures does, and the picture drawn
with them should be the driving frame.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ....face3d.coefficients import row70, row73
from ....nn.losses.perceptual import VGG19
from ...base import Batch, Losses
from ..config import MappingTrain
from ..networks.keypoints import transform_keypoints
from .pictures import PictureLosses, moving_window, shown, still_window


class MappingObjective:
    """Losses of ``mapping``.

    Args:
        networks: with ``kp_extractor`` and ``generator``, and ``he_estimator`` where keypoints are compared.
        coefficients: of a frame, 70 or 73.
        train: weights of the losses.
        vgg: for the perceptual loss; None where its weights are zero.
    """

    def __init__(
        self, networks: nn.ModuleDict, coefficients: int, train: MappingTrain, vgg: VGG19 | None = None
    ) -> None:
        self.networks, self.train = networks, train
        self._columns = row73 if coefficients == 73 else row70
        self._pictures = PictureLosses(train, vgg)

    @property
    def through(self) -> list[str]:
        """Networks that have to be trained before."""
        return ["kp_extractor", "generator", *(["he_estimator"] if self.train.keypoints else [])]

    def losses(self, batch: Batch) -> Losses:
        """Weighted losses; see `objective_pictures.samples`."""
        for name in self.through:
            self.networks[name].eval()  # their batch statistics must not drift either
        canonical, source, driving = self._keypoints(batch)
        terms: Losses = {}
        if self.train.keypoints:
            with torch.no_grad():
                estimate = self.networks["he_estimator"]
                wanted = [transform_keypoints(canonical, estimate(batch[name])) for name in ("source", "driving")]
            distances = [(a - b).abs().mean() for a, b in zip((source, driving), wanted, strict=True)]
            terms["keypoints"] = self.train.keypoints * torch.stack(distances).mean()
        if self.train.reconstruction or any(self.train.perceptual):
            made = self.networks["generator"](batch["source"], source, driving)
            terms |= self._pictures(made, batch["driving"])
        return terms

    def validate(self, batch: Batch) -> tuple[dict[str, float], dict[str, Tensor]]:
        """Mean absolute error of the driving frames drawn from their coefficients, and the pictures."""
        _, source, driving = self._keypoints(batch)
        made = self.networks["generator"](batch["source"], source, driving)
        return {"l1": float((made - batch["driving"]).abs().mean())}, shown(batch, made)

    def _keypoints(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Canonical keypoints of the source, and those of source and driving frames by their coefficients."""
        with torch.no_grad():
            canonical = self.networks["kp_extractor"](batch["source"])
        windows = still_window(batch["source_rows"]), moving_window(batch["driving_rows"])
        mapping = self.networks["mapping"]
        source, driving = (transform_keypoints(canonical, mapping(self._columns(window.mT).mT)) for window in windows)
        return canonical, source, driving
