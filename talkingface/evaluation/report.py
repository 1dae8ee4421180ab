"""The result of an evaluation: rows of a table, and every clip's numbers."""

from __future__ import annotations

import json
import math
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

_HEADS = {"l1": "L1", "psnr": "PSNR", "ssim": "SSIM"}
_DIGITS = {"l1": 4, "psnr": 2, "ssim": 4}


@dataclass(frozen=True)
class ClipScore:
    """Scores of one method on one clip, means over its frames."""

    method: str
    clip: str
    identity: str
    frames: int
    scores: dict[str, float]


@dataclass(frozen=True)
class Row:
    """One method.

    Attributes:
        method: name of the model, ``"repeat"`` or ``"affine"``.
        over_identities: by metric, the mean over identities (each the mean of its clips).
        spread: by metric, the standard deviation over identities; NaN for a single one.
        over_clips: by metric, the plain mean over clips.
    """

    method: str
    over_identities: dict[str, float]
    spread: dict[str, float]
    over_clips: dict[str, float]


@dataclass(frozen=True)
class Report:
    """All of an evaluation.

    Attributes:
        rows: one per method.
        clips: one per method and clip.
        facts: what was measured with: data set, split, size, seconds.
    """

    rows: list[Row]
    clips: list[ClipScore]
    facts: dict[str, Any]

    @classmethod
    def of(cls, clips: list[ClipScore], facts: Mapping[str, Any]) -> Report:
        """Sum up the scores of clips; methods keep the order in which they first come."""
        methods = dict.fromkeys(score.method for score in clips)
        return cls([_row(method, clips) for method in methods], clips, dict(facts))

    def table(self) -> str:
        """The rows as text, a line per method and the key below."""
        metrics = list(self.rows[0].over_clips) if self.rows else []
        head = ["method", *(f"{_HEADS.get(name, name)} {mean}" for name in metrics for mean in ("identities", "clips"))]
        lines = [head, *([row.method, *_cells(row, metrics)] for row in self.rows)]
        widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
        text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
        return "\n".join([*(line.rstrip() for line in text), self._key()])

    def _key(self) -> str:
        people = len({score.identity for score in self.clips})
        clips = {score.clip: score.frames for score in self.clips}
        counts = f"{people} identities, {len(clips)} clips, {sum(clips.values())} frames"
        return f"{counts}; 'identities': mean ± standard deviation over identities, 'clips': plain mean over clips"

    def save_json(self, path: Path) -> Path:
        """Write everything, whole or not at all; NaN becomes null."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.parent / f".{secrets.token_hex(4)}.part"
        text = json.dumps(_without_nan(asdict(self)), indent=1, ensure_ascii=False, allow_nan=False)
        try:
            part.write_text(text + "\n", encoding="utf-8")
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        return path


def _row(method: str, clips: Iterable[ClipScore]) -> Row:
    own = [score for score in clips if score.method == method]
    by_identity: dict[str, list[dict[str, float]]] = {}
    for score in own:
        by_identity.setdefault(score.identity, []).append(score.scores)
    people = [_mean(scores) for scores in by_identity.values()]
    spread = {name: stdev(p[name] for p in people) if len(people) > 1 else math.nan for name in people[0]}
    return Row(method, _mean(people), spread, _mean([score.scores for score in own]))


def _mean(scores: list[dict[str, float]]) -> dict[str, float]:
    return {name: fmean(score[name] for score in scores) for name in scores[0]}


def _cells(row: Row, metrics: Iterable[str]) -> Iterable[str]:
    for name in metrics:
        digits = _DIGITS.get(name, 4)
        spread = row.spread[name]
        about = "" if math.isnan(spread) else f" ± {spread:.{digits}f}"
        yield f"{row.over_identities[name]:.{digits}f}{about}"
        yield f"{row.over_clips[name]:.{digits}f}"


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without_nan(inner) for inner in value]
    return None if isinstance(value, float) and math.isnan(value) else value
