"""Interface of a preparation step: a function of one item, with its inputs, relevant settings and outputs."""

from __future__ import annotations

import hashlib
import json
import logging
import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from ...errors import PathError, TalkingFaceError
from ...paths import inside
from .files import Fingerprint, Record, fingerprint
from .items import Item

logger = logging.getLogger(__name__)
ItemType = TypeVar("ItemType", bound=Item)


@dataclass(frozen=True)
class StepResult:
    """Result of a step on one item.

    Attributes:
        outputs: files and folders, all complete and in their final places.
        facts: numbers and text about them, for later steps and for the report; plain JSON.
        skipped: reason why there was nothing to do; empty otherwise.
        payload: data that the main process writes itself.
    """

    outputs: Sequence[Path] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    skipped: str = ""
    payload: Any = None


@dataclass(frozen=True)
class WorkerResult:
    """Return value of a worker: the record for the manifest, and the payload."""

    record: Record
    payload: Any = None


class TemporaryError(TalkingFaceError):
    """A failure that may not occur again; the next run tries the item again."""


@dataclass(frozen=True)
class Step(ABC, Generic[ItemType]):
    """One step of the chain; it is sent to another process with each item, so it must be small.

    Attributes:
        root: folder of the data set; paths in the manifest are relative to it.
    """

    root: Path

    name = ""
    version = 1  # raise it when the same settings give another result
    owns_outputs = True  # outputs that it no longer makes may be removed

    @abstractmethod
    def inputs(self, item: ItemType) -> list[Path]:
        """Files that the result depends on."""

    @abstractmethod
    def outcome_settings(self) -> dict[str, Any]:
        """Settings that the result depends on, as plain JSON."""

    @abstractmethod
    def perform(self, item: ItemType) -> StepResult:
        """Process one item.

        Raises:
            TalkingFaceError: if the item cannot be processed; the message becomes the reason in the manifest.
        """

    def folder(self) -> Path:
        """Folder that all outputs lie in."""
        return self.root

    def output(self, known: str) -> Path:
        """Path of an output that a manifest names, relative to the data set; it may be removed.

        Raises:
            PathError: if it does not lie in the folder of the outputs.
        """
        root, folder = self.root.absolute(), self.folder().absolute()
        path = root / known
        return inside(folder, path.relative_to(folder) if path.is_relative_to(folder) else path)

    def owns(self, known: str) -> bool:
        """True if an output that a manifest names may be one of this step."""
        try:
            self.output(known)
        except PathError:
            return False
        return True

    def check(self) -> None:
        """Raise errors that concern every item, such as a missing package, before the first item starts."""
        return

    def digest(self) -> str:
        """Digest of name, version and settings, that is of all that the result depends on beside the inputs."""
        text = json.dumps([self.name, self.version, self.outcome_settings()], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def run(self, item: ItemType) -> WorkerResult:
        """Process one item and record the outcome; a failure is a result too, so that one bad video stops no run."""
        started = time.perf_counter()
        inputs: tuple[Fingerprint, ...] = ()
        try:
            inputs = self._fingerprints(self.inputs(item))
            result = self.perform(item)
            outputs = self._fingerprints(result.outputs)
        except TalkingFaceError as error:
            reason = str(TalkingFaceError(error.what, cure=error.cure))  # the item says where
            return WorkerResult(self.failure(item, reason, inputs, passing=isinstance(error, TemporaryError)))
        except (OSError, MemoryError) as error:
            reason = f"{type(error).__name__}: {error}".rstrip(": ")
            return WorkerResult(self.failure(item, reason, inputs, passing=True))
        except Exception as error:
            # A bug that shows on one video in a hundred thousand: log its traceback and go on with the others.
            logger.error("%s of %s:\n%s", self.name, item.name, traceback.format_exc())
            return WorkerResult(self.failure(item, f"unexpected {type(error).__name__}: {error}", inputs, passing=True))
        record = Record(
            item.name,
            "skipped" if result.skipped else "done",
            self.digest(),
            result.skipped,
            inputs=inputs,
            outputs=outputs,
            facts=result.facts,
            seconds=round(time.perf_counter() - started, 3),
        )
        return WorkerResult(record, result.payload)

    def failure(
        self, item: ItemType, reason: str, inputs: tuple[Fingerprint, ...] = (), *, passing: bool = False
    ) -> Record:
        """Record of a failure."""
        return Record(item.name, "failed", self.digest(), " ".join(reason.split()), passing, inputs)

    def _fingerprints(self, paths: Sequence[Path]) -> tuple[Fingerprint, ...]:
        return tuple(fingerprint(path, self.root) for path in paths)
