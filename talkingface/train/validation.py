"""Validation of a training: scores on fixed batches, and the weights that they keep."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction

import torch
from torch import Tensor

from ..data.loader import Batches
from ..data.store import ClipStore
from ..errors import ConfigError, did_you_mean
from ..evaluation.measure import Measures
from ..evaluation.metric import ClipFacts, Metric, MetricTools, choose_metrics
from ..models.base import ModelPlugin
from ..models.samples import FPS
from ..plugins import METRICS
from .settings import TrainSettings
from .step import learn

_SEED = 0
REDRAWN = ("prediction", "result")
"""Names that models give to the pictures in which they redraw the driving frames."""


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
        self._fixed_norms = settings.fixed_norms
        self._batches = Batches(
            store, plugin.samples(), batch_size=settings.batch_size, image_size=settings.image_size, seed=_SEED
        )
        self._count = settings.validate_batches
        self._measured = Measured.of(settings.best_score)

    def scores(self, device: torch.device) -> dict[str, float]:
        """Mean scores, by the names of the plug-in."""
        totals: dict[str, float] = {}
        for number in range(self._count):
            scores, shown = self._validate_batch(number, device)
            for name, value in scores.items():
                totals[name] = totals.get(name, 0.0) + value / self._count
            if self._measured is not None and self._measured.name not in scores:
                self._measured.update(self._batches[number], shown)
        if self._measured is not None and self._measured.name not in totals:
            totals[self._measured.name] = self._measured.compute()
        return totals

    def pictures(self, device: torch.device) -> dict[str, Tensor]:
        """Columns of the contact sheet, (N, 3, H, W) in [0, 1]: the inputs, then the pictures of the plug-in."""
        batch = self._batches[0]
        _, shown = self._validate_batch(0, device)
        inputs = {name: value for name, value in batch.items() if value.ndim == 4 and name not in shown}
        return {**inputs, **shown}

    def ranked(self, scores: dict[str, float]) -> float:
        """Number that selects the best state; lower is better, so that scores of the other direction are negative.

        Raises:
            ConfigError: if the model has no score of the name in ``best_score``.
        """
        name = self._best or next(iter(scores))
        if name not in scores:
            raise ConfigError(f"no score '{name}'", where="--train.best_score", cure=did_you_mean(name, scores))
        return self.told(scores[name])

    def told(self, ranked: float) -> float:
        """The score of a number of `ranked`, and the other way round."""
        return -ranked if self._measured is not None and self._measured.higher else ranked

    def _validate_batch(self, number: int, device: torch.device) -> tuple[dict[str, float], dict[str, Tensor]]:
        batch = {name: value.to(device) for name, value in self._batches[number].items()}
        networks = self._plugin.networks
        networks.eval()
        try:
            with torch.no_grad():
                return self._plugin.validate(batch)
        finally:
            learn(networks, fixed_norms=self._fixed_norms)


class Measured:
    """A metric of evaluation, measured on the pictures of a validation, each of them a clip of one frame.

    Args:
        name: of the metric.
        metric: its class.
        tools: device and weights of metrics.

    Attributes:
        name: as above.
        higher: true where higher is better.
    """

    def __init__(self, name: str, metric: type[Metric], tools: MetricTools) -> None:
        self.name, self.higher = name, metric.better == "higher"
        self._metric, self._measures = metric, Measures({name: metric}, tools)
        self._scores: list[float] = []

    @classmethod
    def of(cls, name: str) -> Measured | None:
        """The metric of a name; None where there is none.

        Raises:
            WeightsError, DependencyError: if a file or package that it needs is not there.
        """
        if name not in METRICS.names():
            return None
        tools = MetricTools()
        return cls(name, choose_metrics([name], tools)[name], tools)

    def update(self, batch: Mapping[str, Tensor], shown: Mapping[str, Tensor]) -> None:
        """Take the pictures (N, 3, H, W) of a batch, as `ModelPlugin.validate` names them.

        Raises:
            ConfigError: if the model redraws no driving frames.
        """
        made = next((shown[key] for key in REDRAWN if key in shown), None)
        if made is None or "driving" not in batch:
            raise self._unmeasured("this training redraws no frames that it could be measured on")
        pairs = zip(batch["source"].cpu(), made.float().clamp(0, 1).cpu(), batch["driving"].cpu(), strict=True)
        for source, predicted, real in pairs:
            self._measures.begin(ClipFacts(Fraction(FPS), source[None]))
            self._measures.update(predicted[None], real[None])
            scores, kept = self._measures.finish()
            self._measures.take(kept)
            self._scores += scores.values()

    def compute(self) -> float:
        """The mean over the pictures since the last call, without those where there is nothing to measure.

        Raises:
            ConfigError: if there is nothing to measure on any of them, as for movements.
        """
        found = [value for value in [*self._scores, *self._measures.of_set().values()] if math.isfinite(value)]
        self._scores = []
        if not found:
            raise self._unmeasured("measures nothing on single frames")
        return sum(found) / len(found)

    def _unmeasured(self, what: str) -> ConfigError:
        cure = "Take another, such as ssim; movements are measured by --run_mode=evaluate."
        return ConfigError(what, where=f"--train.best_score={self.name}", cure=cure)


class Guard:
    """Scores on other people, who must not be drawn much worse than at the start.

    Args:
        validation: on their clips.
        settings: group ``train``, with the limit.
    """

    def __init__(self, validation: Validation, settings: TrainSettings) -> None:
        self._validation, self._limit = validation, settings.others_limit
        self._most = float("inf")

    def begin(self, device: torch.device) -> None:
        """Take the present weights as those at the start."""
        begin = self._validation.ranked(self._validation.scores(device))
        self._most = begin + (self._limit - 1) * abs(begin)

    def scores(self, device: torch.device) -> tuple[dict[str, float], bool]:
        """(scores of the present weights, True if they are within the limit)."""
        scores = self._validation.scores(device)
        return scores, self._validation.ranked(scores) <= self._most
