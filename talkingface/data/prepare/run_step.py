"""Run one step over its items: skip valid ones, record the others, remove outputs that were replaced."""

from __future__ import annotations

import json
import logging
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ...errors import DataError, PathError
from ...part_files import atomic_file, remove
from ..store import identity_of
from .engine import Engine
from .files import Manifest, Record
from .items import SPLITS, ClipFile
from .step import ItemType, Step, WorkerResult

_REASONS_SHOWN = 5


@dataclass
class StepReport:
    """Counts of one step.

    Attributes:
        name: name of the step.
        items: number of items.
        kept: items done in an earlier run and still valid.
        done, skipped, failed: outcomes over all items.
        seconds: wall time of this run.
        failures: item -> reason.
        refused: sentences about segments of videos that were left out.
    """

    name: str
    items: int = 0
    kept: int = 0
    done: int = 0
    skipped: int = 0
    failed: int = 0
    seconds: float = 0.0
    failures: dict[str, str] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, name: str, records: Sequence[Record], *, items: int, kept: int, seconds: float) -> StepReport:
        """Count the records of all items of a step."""
        outcomes = Counter(record.outcome for record in records)
        return cls(
            name=name,
            items=items,
            kept=kept,
            done=outcomes["done"],
            skipped=outcomes["skipped"],
            failed=outcomes["failed"],
            seconds=round(seconds, 1),
            failures={record.item: record.reason for record in records if record.outcome == "failed"},
            refused=[sentence for record in records for sentence in record.facts.get("refused", [])],
        )


@dataclass
class PreparationReport:
    """Report of all steps.

    Attributes:
        root: folder of the data set.
        steps: steps of this run, in order.
        clips, frames, identities: their numbers in the data set now, by split.
        space: space of the coefficients; empty if there are none.
        notes: sentences that the user should read.
    """

    root: Path
    steps: list[StepReport] = field(default_factory=list)
    clips: dict[str, int] = field(default_factory=dict)
    frames: dict[str, int] = field(default_factory=dict)
    identities: dict[str, int] = field(default_factory=dict)
    space: str = ""
    notes: list[str] = field(default_factory=list)

    @property
    def usable(self) -> bool:
        """True if the last step has any result."""
        return bool(self.steps) and self.steps[-1].done + self.steps[-1].skipped > 0

    def count(self, clips: Sequence[ClipFile], frames: Mapping[str, int]) -> None:
        """Count clips, frames and identities of the data set.

        Args:
            clips: all clips of the data set.
            frames: name of a clip -> number of frames.
        """
        for clip in clips:
            self.clips[clip.split] = self.clips.get(clip.split, 0) + 1
            self.frames[clip.split] = self.frames.get(clip.split, 0) + frames.get(clip.name, 0)
        for split in self.clips:
            self.identities[split] = len({identity_of(clip.name) for clip in clips if clip.split == split})
        if clips and "test" not in self.clips:
            cure = "put videos of some people into a folder 'test', or give a larger --prepare.test_share"
            self.notes.append(f"nobody is left for testing; {cure}")

    def table(self) -> str:
        """Text for the terminal: the steps, counted reasons of failures, and the size of the data set."""
        lines = [f"{'step':<13}{'items':>7}{'kept':>7}{'done':>7}{'failed':>7}{'seconds':>9}"]
        for step in self.steps:
            lines.append(
                f"{step.name:<13}{step.items:>7}{step.kept:>7}{step.done:>7}{step.failed:>7}{step.seconds:>9.1f}"
            )
        for step in self.steps:
            lines += _counted(f"{step.name} failed", [f"{item}: {reason}" for item, reason in step.failures.items()])
            lines += _counted(f"{step.name} left out", step.refused)
        for split, count in sorted(self.clips.items()):
            people = f"{self.identities.get(split, 0)} identities"
            lines.append(f"{split}: {count} clips, {self.frames.get(split, 0)} frames, {people}")
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])

    def save(self, path: Path) -> Path:
        """Write the report as JSON; returns the path."""
        values: dict[str, Any] = {**asdict(self), "root": self.root.as_posix()}
        with atomic_file(path, durable=True) as part:
            part.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        return path


def _counted(heading: str, sentences: Iterable[str]) -> list[str]:
    """Lines with the most frequent sentences; those that differ only in names and numbers count as one."""
    kinds: dict[str, list[str]] = {}
    for sentence in sentences:
        key = re.sub(r"\d+", "0", re.sub(r"\S*#\S+", "", sentence))
        kinds.setdefault(key, []).append(sentence)
    most = sorted(kinds.values(), key=len, reverse=True)
    lines = [f"{heading} ({len(alike)}), such as {alike[0]}" for alike in most[:_REASONS_SHOWN]]
    rest = sum(map(len, most[_REASONS_SHOWN:]))
    return lines + ([f"{heading} ({rest}) for other reasons: see report.json"] if rest else [])


logger = logging.getLogger(__name__)
_PROGRESS_S = 5.0
Store = Callable[[ItemType, WorkerResult], None]
IsStored = Callable[[ItemType], bool]


def run_step(
    step: Step[ItemType],
    items: Sequence[ItemType],
    engine: Callable[[], Engine],
    manifests: Path,
    *,
    retry_failed: bool = False,
    store: Store[ItemType] | None = None,
    is_stored: IsStored[ItemType] | None = None,
) -> tuple[StepReport, list[Record]]:
    """Run a step.

    Args:
        step: the step.
        items: all present items.
        engine: returns the engine; called only if there is work to do.
        manifests: folder of the manifests.
        retry_failed: try items again that failed before.
        store: called in this process with each result before it is recorded; writes what the workers must not write.
        is_stored: true if ``store`` has written an item and it still exists.

    Returns:
        The report, and the records of the items in their order.
    """
    manifest = Manifest(manifests / f"{step.name}.jsonl")
    digest, started = step.digest(), time.monotonic()

    def holds(item: ItemType) -> bool:
        record = manifest.records.get(item.name)
        if record is None or not record.holds(step.root, digest, retry_failed=retry_failed):
            return False
        if step.owns_outputs and not all(step.owns(known.path) for known in record.outputs):
            return False
        return is_stored is None or record.outcome != "done" or is_stored(item)

    todo = [item for item in items if not holds(item)]
    if todo:
        step.check()
        progress = _Progress(step.name, len(todo), len(items))
        for item, result in engine().results(step, todo):
            if store is not None and result.record.outcome == "done":
                store(item, result)
            manifest.add(result.record)
            progress.update(result.record)
        progress.log()
    _remove_superseded(step, manifest)
    records = manifest.of(item.name for item in items)
    kept, seconds = len(items) - len(todo), time.monotonic() - started
    return StepReport.of(step.name, records, items=len(items), kept=kept, seconds=seconds), records


def _remove_superseded(step: Step[ItemType], manifest: Manifest) -> None:
    for known in manifest.superseded() if step.owns_outputs else ():
        try:
            remove(step.output(known))
        except PathError as error:
            logger.warning("%s: %s Nothing was removed.", manifest.path, error)


def clips_of(records: Sequence[Record], step: Step[Any]) -> list[ClipFile]:
    """Clips of the records of the step ``crop``, sorted by name.

    Raises:
        PathError, DataError: if a record names something else than a clip of a split in the step's own folder.
    """
    paths = [step.output(known.path) for record in records if record.outcome == "done" for known in record.outputs]
    for path in paths:
        if path.parent.name not in SPLITS:
            cure = f"Remove the manifest of '{step.name}' to have its clips made again."
            raise DataError(f"a clip in no folder {' or '.join(SPLITS)}", where=path, cure=cure)
    return sorted(
        (ClipFile(path.stem if path.suffix == ".mp4" else path.name, path.parent.name, path) for path in paths),
        key=lambda clip: clip.name,
    )


class _Progress:
    """Logs a line every few seconds."""

    def __init__(self, name: str, todo: int, items: int) -> None:
        self._name, self._todo, self._done, self._failed = name, todo, 0, 0
        self._start = self._logged = time.monotonic()
        logger.info("%s: %d of %d to do", name, todo, items)

    def update(self, record: Record) -> None:
        self._done += 1
        self._failed += record.outcome == "failed"
        if record.outcome == "failed":
            logger.debug("%s: %s failed: %s", self._name, record.item, record.reason)
        if time.monotonic() - self._logged >= _PROGRESS_S:
            self.log()

    def log(self) -> None:
        self._logged = time.monotonic()
        rate = 60 * self._done / max(self._logged - self._start, 1e-3)
        left = (self._todo - self._done) / max(rate, 1e-9)
        ahead = f", about {left:.0f} min left" if left >= 1 else ""
        logger.info(
            "%s: %d of %d, %d failed, %.0f a minute%s", self._name, self._done, self._todo, self._failed, rate, ahead
        )
