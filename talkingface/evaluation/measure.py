"""Measuring clips one after another: all metrics of all methods, with what was done kept for a run that is stopped."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor

from ..errors import DataError, NoFaceError
from .metric import ClipFacts, Metric, MetricTools, Observer
from .report import ClipScore
from .results.stills import Still, Stills
from .results.unfinished import Record, Unfinished

logger = logging.getLogger(__name__)

Predict = Callable[[slice], Tensor]


@dataclass(frozen=True)
class Shot:
    """A clip and what methods predict of it.

    Attributes:
        clip, identity: names.
        frames: its number of frames.
        facts: for the metrics.
        real: frames of a slice, (n, 3, H, W) in [0, 1]; asked for once each, in order.
        methods: by name, predictions likewise.
        given: by method, scores that are known without looking at frames.
        sounds: by method, the file with its own sound, where it has one.
    """

    clip: str
    identity: str
    frames: int
    facts: ClipFacts
    real: Predict
    methods: Mapping[str, Predict]
    given: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    sounds: Mapping[str, Path] = field(default_factory=dict)


class Measures:
    """All metrics of one method."""

    def __init__(self, metrics: Mapping[str, type[Metric]], tools: MetricTools) -> None:
        kinds = dict.fromkeys(kind for metric in metrics.values() for kind in _with_theirs(metric.observes))
        self._observers: dict[type[Observer], Observer] = {kind: kind(tools) for kind in kinds}
        self._metrics = {name: metric(tools) for name, metric in metrics.items()}
        self._parts: tuple[Observer | Metric, ...] = (*self._observers.values(), *self._metrics.values())
        for part in self._parts:
            part.observers = self._observers

    def begin(self, facts: ClipFacts) -> None:
        """Take the facts of the clip that comes next."""
        for part in self._parts:
            part.begin(facts)

    def update(self, predicted: Tensor, real: Tensor) -> None:
        """Take the next frames (N, 3, H, W) in [0, 1]."""
        for part in self._parts:
            part.update(predicted, real)

    def finish(self) -> tuple[dict[str, float], dict[str, Tensor]]:
        """(scores of the clip, tensors (n, ...) that metrics of the set gathered in it)."""
        kept: dict[str, Tensor] = {}
        for name, metric in self._metrics.items():
            kept |= {f"{name}/{key}": value for key, value in metric.kept().items()}
        self.take(kept)
        return self._computed("clip"), kept

    def take(self, kept: Mapping[str, Tensor]) -> None:
        """Add tensors (n, ...) that `finish` gave of a clip."""
        for name, metric in self._metrics.items():
            own = {key.partition("/")[2]: value for key, value in kept.items() if key.partition("/")[0] == name}
            if own:
                metric.take(own)

    def of_set(self) -> dict[str, float]:
        """Scores of all clips together."""
        return self._computed("set")

    def _computed(self, over: str) -> dict[str, float]:
        return {name: metric.compute() for name, metric in self._metrics.items() if metric.over == over}


def _with_theirs(kinds: Iterable[type[Observer]]) -> Iterator[type[Observer]]:
    """Kinds of observers, each after those that it reads itself."""
    for kind in kinds:
        yield from _with_theirs(kind.observes)
        yield kind


@dataclass
class Measured:
    """Scores of a table.

    Attributes:
        scores: of each clip and method.
        of_sets: by method, numbers of all its clips together.
        stills: frames worth a look.
        seconds: by method, spent on its predictions, and frames in that time.
    """

    scores: list[ClipScore]
    of_sets: dict[str, dict[str, float]]
    stills: list[Still]
    seconds: dict[str, tuple[float, int]]


def measure(
    table: str,
    shots: Sequence[tuple[str, Callable[[], Shot]]],
    metrics: Mapping[str, type[Metric]],
    tools: MetricTools,
    *,
    chunk: int,
    unfinished: Unfinished | None = None,
) -> Measured:
    """Measure clips; those that an earlier run has measured are taken from it.

    Args:
        table: name of the task.
        shots: name of each clip, and a function that opens it.
        metrics: by name.
        tools: that they share.
        chunk: frames in memory at once.
        unfinished: results of an earlier run, and the place for this one's.

    Raises:
        DataError: if no clip shows a face.
    """
    all_measures: dict[str, Measures] = {}
    records: list[Record] = []
    seconds: dict[str, list[float]] = {}
    for number, (name, opened) in enumerate(shots, 1):
        record = unfinished.get(table, name) if unfinished else None
        if record is None:
            try:
                shot = opened()
                record = _measured(table, shot, metrics, tools, all_measures, chunk, seconds)
            except NoFaceError:
                logger.warning("%s: no face is seen, so it is left out", name)
                continue
            if unfinished:
                unfinished.add(record)
        else:
            for method, kept in record.kept.items():
                all_measures.setdefault(method, Measures(metrics, tools)).take(kept)
        records.append(record)
        logger.info("%d of %d clips, %s", number, len(shots), name)
    if not records:
        raise DataError("no face is seen in any clip")
    methods = dict.fromkeys(method for record in records for method in record.scores)
    scores = [
        ClipScore(method, record.clip, record.identity, record.frames, record.scores[method])
        for method in methods
        for record in records
        if method in record.scores
    ]
    of_sets = {method: all_measures[method].of_set() for method in methods}
    stills = [still for record in records for still in record.stills]
    spent = {method: (sum(times[::2]), int(sum(times[1::2]))) for method, times in seconds.items()}
    return Measured(scores, of_sets, stills, spent)


def _measured(
    table: str,
    shot: Shot,
    metrics: Mapping[str, type[Metric]],
    tools: MetricTools,
    all_measures: dict[str, Measures],
    chunk: int,
    seconds: dict[str, list[float]],
) -> Record:
    """Scores of a clip by all methods; those of the set gather in `all_measures`."""
    for method in shot.methods:
        facts = replace(shot.facts, made_sound=shot.sounds.get(method, shot.facts.made_sound))
        all_measures.setdefault(method, Measures(metrics, tools)).begin(facts)
    stills = Stills(shot.clip, shot.facts.source)
    for start in range(0, shot.frames, chunk):
        chosen = slice(start, min(start + chunk, shot.frames))
        with torch.inference_mode():
            real = shot.real(chosen)
            for method, predict in shot.methods.items():
                begun = time.perf_counter()
                predicted = predict(chosen)
                seconds.setdefault(method, []).extend((time.perf_counter() - begun, len(predicted)))
                all_measures[method].update(predicted, real)
                stills.look(method, start, predicted, real)
    scores, kept = {}, {}
    for method in shot.methods:
        scores[method], kept[method] = all_measures[method].finish()
        scores[method] |= shot.given.get(method, {})
    return Record(table, shot.clip, shot.identity, shot.frames, scores, kept, stills.chosen(next(iter(shot.methods))))
