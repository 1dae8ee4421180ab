"""Scores and pictures of a model during training, always of the same items."""

from __future__ import annotations

import torch
from torch import Tensor

from ..data.loader import Batches
from ..data.store import ClipStore
from ..errors import ConfigError, did_you_mean
from ..models.base import ModelPlugin
from .settings import TrainSettings

_SEED = 0


class Validation:
    """Validation of a model on fixed batches of a store.

    Args:
        plugin: the model; the present weights of its networks are validated.
        store: clips of the validation.
        settings: group ``train``.
        scored: the clips are not those of the training, so that their scores are meaningful.
    """

    def __init__(self, plugin: ModelPlugin, store: ClipStore, settings: TrainSettings, *, scored: bool) -> None:
        self._plugin, self.scored, self._best = plugin, scored, settings.best_score
        self._batches = Batches(
            store, plugin.samples(), batch_size=settings.batch_size, image_size=settings.image_size, seed=_SEED
        )
        self._count = settings.validate_batches

    def scores(self, device: torch.device) -> dict[str, float]:
        """Mean scores, by the names of the plug-in."""
        totals: dict[str, float] = {}
        for number in range(self._count):
            scores, _ = self._validate_batch(number, device)
            for name, value in scores.items():
                totals[name] = totals.get(name, 0.0) + value / self._count
        return totals

    def pictures(self, device: torch.device) -> dict[str, Tensor]:
        """Columns of the contact sheet, (N, 3, H, W) in [0, 1]: the inputs, then the pictures of the plug-in."""
        batch = self._batches[0]
        _, shown = self._validate_batch(0, device)
        inputs = {name: value for name, value in batch.items() if value.ndim == 4 and name not in shown}
        return {**inputs, **shown}

    def ranked(self, scores: dict[str, float]) -> float:
        """Score that selects the best state; lower is better.

        Raises:
            ConfigError: if the model has no score of the name in ``best_score``.
        """
        name = self._best or next(iter(scores))
        if name not in scores:
            raise ConfigError(f"no score '{name}'", where="--train.best_score", cure=did_you_mean(name, scores))
        return scores[name]

    def _validate_batch(self, number: int, device: torch.device) -> tuple[dict[str, float], dict[str, Tensor]]:
        batch = {name: value.to(device) for name, value in self._batches[number].items()}
        networks = self._plugin.networks
        networks.eval()
        try:
            with torch.no_grad():
                return self._plugin.validate(batch)
        finally:
            networks.train()
