"""What a step is: a function of one item, with what it reads, what shapes its outcome, and what it made."""

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

from ...errors import TalkingFaceError
from .files import Print, print_of
from .items import Item
from .manifest import Record

logger = logging.getLogger(__name__)
Thing = TypeVar("Thing", bound=Item)


@dataclass(frozen=True)
class Made:
    """What a step made of an item.

    Attributes:
        outputs: files and folders, all whole and in their places.
        facts: numbers and words about them, for the steps behind and for the report; plain JSON.
        skipped: why there was nothing to make; empty where there was.
        payload: what the process that keeps the manifests is to write itself.
    """

    outputs: Sequence[Path] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    skipped: str = ""
    payload: Any = None


@dataclass(frozen=True)
class Answer:
    """What a worker gives back: the record for the manifest, and the payload."""

    record: Record
    payload: Any = None


class PassingError(TalkingFaceError):
    """A failure that may be gone another time; the next run tries again."""


@dataclass(frozen=True)
class Step(ABC, Generic[Thing]):
    """One step of the chain. Small enough to be sent to another process with each item.

    Attributes:
        root: folder of the data set; paths in the manifest are relative to it.
    """

    root: Path

    name = ""
    version = 1  # counted up where the same settings would now give something else
    owns_outputs = True  # what it no longer makes may be removed

    @abstractmethod
    def inputs(self, item: Thing) -> list[Path]:
        """Files that the outcome depends on."""

    @abstractmethod
    def shaping(self) -> dict[str, Any]:
        """Settings that the outcome depends on, as plain JSON."""

    @abstractmethod
    def perform(self, item: Thing) -> Made:
        """Do it.

        Raises:
            TalkingFaceError: if nothing can be made of this item; the sentence becomes the reason in the manifest.
        """

    def check(self) -> None:
        """Raise the error that every item would raise, such as a missing package, before the first is begun."""
        return

    def digest(self) -> str:
        """Digest of all that shapes the outcome beside the inputs."""
        text = json.dumps([self.name, self.version, self.shaping()], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def answer(self, item: Thing) -> Answer:
        """Perform and record; a failure is an answer too, so that one bad video never stops a run."""
        started = time.perf_counter()
        inputs: tuple[Print, ...] = ()
        try:
            inputs = self._prints(self.inputs(item))
            made = self.perform(item)
            outputs = self._prints(made.outputs)
        except TalkingFaceError as error:
            reason = str(TalkingFaceError(error.what, cure=error.cure))  # the item says where
            return Answer(self.failure(item, reason, inputs, passing=isinstance(error, PassingError)))
        except (OSError, MemoryError) as error:
            reason = f"{type(error).__name__}: {error}".rstrip(": ")
            return Answer(self.failure(item, reason, inputs, passing=True))
        except Exception as error:
            # A fault of ours on one video in a hundred thousand: its traceback goes to the log, the others go on.
            logger.error("%s of %s:\n%s", self.name, item.name, traceback.format_exc())
            return Answer(self.failure(item, f"unexpected {type(error).__name__}: {error}", inputs, passing=True))
        record = Record(
            item.name,
            "skipped" if made.skipped else "done",
            self.digest(),
            made.skipped,
            inputs=inputs,
            outputs=outputs,
            facts=made.facts,
            seconds=round(time.perf_counter() - started, 3),
        )
        return Answer(record, made.payload)

    def failure(self, item: Thing, reason: str, inputs: tuple[Print, ...] = (), *, passing: bool = False) -> Record:
        """The record of a failure."""
        return Record(item.name, "failed", self.digest(), " ".join(reason.split()), passing, inputs)

    def _prints(self, paths: Sequence[Path]) -> tuple[Print, ...]:
        return tuple(print_of(path, self.root) for path in paths)
