"""``--train.sweep=FILE``: trainings with different settings, one after another, and a table of their scores."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config import read_settings
from ..errors import ConfigError, TalkingFaceError, TrainingError, together
from ..paths import inside
from ..text.plain_yaml import load
from ..text.read import read_text
from .data import run_folder

if TYPE_CHECKING:
    from ..config import Settings


@dataclass(frozen=True)
class Trial:
    """One training of a sweep.

    Attributes:
        name: its folder's name.
        words: its own flags.
        settings: all of its settings.
    """

    name: str
    words: tuple[str, ...]
    settings: Settings


def read_trials(words: Sequence[str], settings: Settings) -> list[Trial]:
    """Trainings of the file of ``--train.sweep``, a list of mappings with the settings that differ; none without it.

    Args:
        words: the command line; what the file says wins over it.
        settings: those of the command line.

    Raises:
        ConfigError: if the file is no such list, or a setting in it is wrong; all wrong ones at once.
    """
    path = settings.train.sweep
    if path is None:
        return []
    if settings.train.launch > 1 or "RANK" in os.environ:
        raise ConfigError("a sweep trains in one process", where="--train.sweep", cure="Leave --train.launch out.")
    from .checks import job_problems  # pictures and weights are looked at only here

    content = load(path)
    if not isinstance(content, list) or not content or not all(isinstance(one, dict) and one for one in content):
        raise ConfigError("holds no list of settings", where=path, cure="Write lines such as '- train.batch_size: 4'.")
    folder, trials, problems = run_folder(settings), list[Trial](), list[TalkingFaceError]()
    for number, changes in enumerate(content, 1):
        own = tuple(f"--{key}={_text(value, path)}" for key, value in changes.items())
        name = f"trial-{number:02d}"
        found, wrong = read_settings([*words, *own, f"--output_dir={inside(folder, name)}"])
        found = found.model_copy(update={"train": found.train.model_copy(update={"sweep": None})})
        problems += wrong or job_problems(found)
        trials.append(Trial(name, own, found))
    if problems:
        raise together(problems)
    return trials


def _text(value: Any, path: Path) -> str:
    """A value of the file as a flag has it."""
    if isinstance(value, Mapping) or value is None:
        raise ConfigError(f"{value!r} is no value of a flag", where=path, cure="Write 'train.augment.hue: 0.05'.")
    if isinstance(value, list):
        return ",".join(_text(one, path) for one in value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def score_table(trials: Sequence[Trial]) -> str:
    """A row for each training: its flags, and its best validation score, or else its last losses."""
    found = [_scores(run_folder(trial.settings) / "scalars.jsonl", trial.settings.train.best_score) for trial in trials]
    columns = list(dict.fromkeys(name for scores in found for name in scores))
    rows = [["trial", *columns, "settings"]]
    for trial, scores in zip(trials, found, strict=True):
        numbers = [f"{scores[name]:.5g}" if name in scores else "" for name in columns]
        rows.append([trial.name, *numbers, " ".join(trial.words)])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    lines = ["  ".join([*map(str.ljust, row[:-1], widths), row[-1]]) for row in rows]
    return "\n".join(line.rstrip() for line in lines)


def _scores(path: Path, best_score: str) -> dict[str, float]:
    """Scores of the validation with the lowest ``best_score`` (its first, if empty), or losses of the last log line."""
    entries = [json.loads(line) for line in read_text(path, TrainingError).splitlines()]
    left_out = ("seconds", "group", "steps_per_s")
    kept = {
        group: [{k: v for k, v in entry.items() if k not in left_out} for entry in entries if entry["group"] == group]
        for group in ("validation", "train")
    }
    if not kept["validation"]:
        last = kept["train"][-1] if kept["train"] else {}
        return {name: value for name, value in last.items() if not name.endswith("/learning_rate")}
    first = best_score or next(name for name in kept["validation"][0] if name != "step")
    return min(kept["validation"], key=lambda scores: scores[first])
