"""The result of an evaluation: rows of a table, and every clip's numbers."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np

from ..part_files import atomic_file
from .metric import heading_of

# Headings and digits of the table of a voice; metrics of frames have their own.
_HEADS = {
    **{"r0": ("r, no lag", 2), "r_best": ("r, best lag", 2), "lag_s": ("that lag, s", 2)},
    **{"opening": ("opening", 3), "opening_sd": ("its deviation", 3)},
    **{"blinks": ("blinks/min", 1), "seen": ("face seen", 2)},
    **{"frames_lost": ("frames lost", 3)},
    **{"pitch_deg": ("pitch, deg", 1), "yaw_deg": ("yaw, deg", 1), "roll_deg": ("roll, deg", 1)},
}
_MANY = 8  # metrics, from which each has a line
_WIDE = 4  # metrics; a table of more leaves the plain means over clips to the file
_DRAWS, _LEVEL = 2000, 0.95  # of the confidence intervals


@dataclass(frozen=True)
class ClipScore:
    """Scores of one method on one clip, means over its frames; NaN where there is nothing to measure."""

    method: str
    clip: str
    identity: str
    frames: int
    scores: dict[str, float]


@dataclass(frozen=True)
class Row:
    """Numbers of one method.

    Attributes:
        method: name of the model or of a baseline.
        over_identities: by metric, the mean over identities (each the mean of its clips); NaN is left out, and stays
            where there is nothing else.
        spread: by metric, the standard deviation over identities; NaN for a single one.
        over_clips: by metric, the plain mean over clips; a number of the whole set stands in both means.
        interval: by metric, bounds of the 95 % confidence interval of the mean over identities.
    """

    method: str
    over_identities: dict[str, float]
    spread: dict[str, float]
    over_clips: dict[str, float]
    interval: dict[str, tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """All of an evaluation.

    Attributes:
        rows: one per method.
        clips: one per method and clip.
        facts: conditions: data set, split, size, seconds.
        notes: lines below the table.
    """

    rows: list[Row]
    clips: list[ClipScore]
    facts: dict[str, Any]
    notes: list[str] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        clips: list[ClipScore],
        facts: Mapping[str, Any],
        notes: Iterable[str] = (),
        of_sets: Mapping[str, Mapping[str, float]] | None = None,
    ) -> Report:
        """Sum up the scores of clips; methods keep the order in which they first come.

        Args:
            of_sets: by method, numbers that all its clips have together.
        """
        methods = dict.fromkeys(score.method for score in clips)
        rows = [_row(method, clips, (of_sets or {}).get(method, {})) for method in methods]
        return cls(rows, clips, dict(facts), list(notes))

    def metrics(self) -> list[str]:
        """Names of all metrics, in the order of the scores."""
        return list(dict.fromkeys(name for row in self.rows for name in row.over_clips))

    def look(self, metric: str) -> tuple[str, int, str]:
        """(heading, digits, direction of good numbers) of a metric; "" where no direction is better."""
        heading, digits = _head(metric)
        return heading, digits, self.facts.get("better", {}).get(metric, "")

    def counts(self) -> str:
        """Numbers of identities, clips and frames."""
        people = len({score.identity for score in self.clips})
        clips = {score.clip: score.frames for score in self.clips}
        return f"{people} identities, {len(clips)} clips, {sum(clips.values())} frames"

    def table(self) -> str:
        """The rows as text with the key below: a line per method, or per metric where there are many."""
        metrics = self.metrics()
        if len(metrics) > _MANY:
            lines = [["", *(row.method for row in self.rows)]]
            lines += [[_head(name)[0], *(_cell(row, name) for row in self.rows)] for name in metrics]
            return "\n".join([*_columns(lines), self._key(True), *self.notes])
        wide = len(metrics) >= _WIDE
        means = ("",) if wide else (" identities", " clips")
        head = ["method", *(f"{_head(name)[0]}{mean}" for name in metrics for mean in means)]
        lines = [head, *([row.method, *_cells(row, metrics, wide)] for row in self.rows)]
        return "\n".join([*_columns(lines), self._key(wide), *self.notes])

    def _key(self, wide: bool) -> str:
        if wide:
            return f"{self.counts()}; mean ± standard deviation over identities"
        return (
            f"{self.counts()}; 'identities': mean ± standard deviation over identities, 'clips': plain mean over clips"
        )

    def save_json(self, path: Path) -> Path:
        """Write everything, whole or not at all; NaN becomes null."""
        return save_json(asdict(self), path)


def save_json(document: Any, path: Path) -> Path:
    """Write a document, whole or not at all; NaN becomes null."""
    return save_text(json.dumps(_without_nan(document), indent=1, ensure_ascii=False, allow_nan=False) + "\n", path)


def save_text(text: str, path: Path) -> Path:
    """Write a text, whole or not at all."""
    path = Path(path)
    with atomic_file(path) as part:
        part.write_text(text, encoding="utf-8", errors="backslashreplace")  # names of files need not be UTF-8
    return path


def interval(values: Sequence[float], seed: int = 0) -> tuple[float, float]:
    """Bounds of the 95 % confidence interval of a mean, by drawing people again and again with replacement.

    Args:
        values: one for each person; NaN is left out.

    Returns:
        (low, high); NaN for fewer than two people.

    Source: Efron 1979, percentile method.
    """
    known = np.array([value for value in values if not math.isnan(value)])
    if len(known) < 2:
        return math.nan, math.nan
    picks = np.random.default_rng(seed).integers(0, len(known), (_DRAWS, len(known)))
    low, high = np.quantile(known[picks].mean(axis=1), [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return float(low), float(high)


def _row(method: str, clips: Iterable[ClipScore], of_set: Mapping[str, float]) -> Row:
    own = [score for score in clips if score.method == method]
    by_identity: dict[str, list[dict[str, float]]] = {}
    for score in own:
        by_identity.setdefault(score.identity, []).append(score.scores)
    people = [_mean(scores) for scores in by_identity.values()]
    spread = {name: _spread([person[name] for person in people]) for name in people[0]}
    intervals = {name: interval([person[name] for person in people]) for name in people[0]}
    over_clips = {**_mean([score.scores for score in own]), **of_set}
    return Row(method, {**_mean(people), **of_set}, spread, over_clips, intervals)


def _mean(scores: list[dict[str, float]]) -> dict[str, float]:
    return {name: mean_of([score[name] for score in scores]) for name in scores[0]}


def mean_of(values: Iterable[float]) -> float:
    """The mean of the numbers among some values; NaN where there are none."""
    known = [value for value in values if not math.isnan(value)]
    return fmean(known) if known else math.nan


def _spread(values: Iterable[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return stdev(known) if len(known) > 1 else math.nan


def _head(metric: str) -> tuple[str, int]:
    return _HEADS.get(metric) or heading_of(metric) or (metric, 4)


def _columns(lines: list[list[str]]) -> list[str]:
    """Lines of cells as text, columns below each other."""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    text = ("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
    return [line.rstrip() for line in text]


def _cell(row: Row, name: str) -> str:
    return _number(row.over_identities.get(name), row.spread.get(name), _head(name)[1])


def _cells(row: Row, metrics: Iterable[str], wide: bool) -> Iterable[str]:
    for name in metrics:
        yield _cell(row, name)
        if not wide:
            yield _number(row.over_clips.get(name), None, _head(name)[1])


def _number(mean: float | None, spread: float | None, digits: int) -> str:
    """A mean and its spread; a dash where nothing was measured."""
    if mean is None or math.isnan(mean):
        return "-"
    about = "" if spread is None or math.isnan(spread) else f" ± {spread:.{digits}f}"
    return f"{mean:.{digits}f}{about}"


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(inner) for inner in value]
    return None if isinstance(value, float) and math.isnan(value) else value
