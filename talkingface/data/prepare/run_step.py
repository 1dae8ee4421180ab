"""Run one step over its items: skip valid ones, record the others, remove outputs that were replaced."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from .engine import Engine
from .files import remove
from .items import ClipFile
from .manifest import Manifest, Record
from .report import StepReport
from .step import ItemType, Step, WorkerResult

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
    for path in manifest.superseded() if step.owns_outputs else ():
        remove(step.root / path)
    records = manifest.of(item.name for item in items)
    kept, seconds = len(items) - len(todo), time.monotonic() - started
    return StepReport.of(step.name, records, items=len(items), kept=kept, seconds=seconds), records


def clips_of(records: Sequence[Record], root: Path) -> list[ClipFile]:
    """Clips of the records of the step ``crop``, sorted by name."""
    paths = [root / known.path for record in records if record.outcome == "done" for known in record.outputs]
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
