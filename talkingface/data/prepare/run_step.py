"""Runs one step over its items: leaves out what is still valid, records the rest, clears away what was replaced."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from .engine import Engine
from .files import remove
from .items import Clip
from .manifest import Manifest, Record
from .report import StepReport
from .step import Answer, Step, Thing

logger = logging.getLogger(__name__)
_PROGRESS_S = 5.0
Take = Callable[[Thing, Answer], None]
There = Callable[[Thing], bool]


def run_step(
    step: Step[Thing],
    items: Sequence[Thing],
    engine: Callable[[], Engine],
    manifests: Path,
    *,
    retry_failed: bool = False,
    take: Take[Thing] | None = None,
    there: There[Thing] | None = None,
) -> tuple[StepReport, list[Record]]:
    """Do a step.

    Args:
        step: what to do.
        items: all items that there are now.
        engine: gives the engine; asked only if there is anything to do.
        manifests: folder of the manifests.
        retry_failed: try again what failed before.
        take: called with each answer before it is recorded, in this process; writes what the workers may not.
        there: whether what ``take`` wrote of an item is still there.

    Returns:
        The report, and the records of the items in their order.
    """
    manifest = Manifest(manifests / f"{step.name}.jsonl")
    digest, started = step.digest(), time.monotonic()

    def holds(item: Thing) -> bool:
        record = manifest.records.get(item.name)
        if record is None or not record.holds(step.root, digest, retry_failed=retry_failed):
            return False
        return there is None or record.outcome != "done" or there(item)

    todo = [item for item in items if not holds(item)]
    if todo:
        step.check()
        progress = _Progress(step.name, len(todo), len(items))
        for item, answer in engine().answers(step, todo):
            if take is not None and answer.record.outcome == "done":
                take(item, answer)
            manifest.add(answer.record)
            progress.one(answer.record)
        progress.say()
    for path in manifest.superseded() if step.owns_outputs else ():
        remove(step.root / path)
    records = manifest.of(item.name for item in items)
    kept, seconds = len(items) - len(todo), time.monotonic() - started
    return StepReport.of(step.name, records, items=len(items), kept=kept, seconds=seconds), records


def clips_of(records: Sequence[Record], root: Path) -> list[Clip]:
    """The clips that the step ``crop`` made, by their records, sorted by name."""
    paths = [root / known.path for record in records if record.outcome == "done" for known in record.outputs]
    return sorted(
        (Clip(path.stem if path.suffix == ".mp4" else path.name, path.parent.name, path) for path in paths),
        key=lambda clip: clip.name,
    )


class _Progress:
    """A line every few seconds."""

    def __init__(self, name: str, todo: int, items: int) -> None:
        self._name, self._todo, self._done, self._failed = name, todo, 0, 0
        self._start = self._said = time.monotonic()
        logger.info("%s: %d of %d to do", name, todo, items)

    def one(self, record: Record) -> None:
        self._done += 1
        self._failed += record.outcome == "failed"
        if record.outcome == "failed":
            logger.debug("%s: %s failed: %s", self._name, record.item, record.reason)
        if time.monotonic() - self._said >= _PROGRESS_S:
            self.say()

    def say(self) -> None:
        self._said = time.monotonic()
        rate = 60 * self._done / max(self._said - self._start, 1e-3)
        left = (self._todo - self._done) / max(rate, 1e-9)
        ahead = f", about {left:.0f} min left" if left >= 1 else ""
        logger.info(
            "%s: %d of %d, %d failed, %.0f a minute%s", self._name, self._done, self._todo, self._failed, rate, ahead
        )
