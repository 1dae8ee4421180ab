"""A small real step for tests of engines and manifests: the sha256 of each item's file, and files that kill it."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from talkingface.data.prepare.items import ClipFile
from talkingface.data.prepare.step import Step, StepResult
from talkingface.errors import DataError
from talkingface.part_files import atomic_file
from talkingface.weights.download.http import sha256_of


@dataclass(frozen=True)
class Hash(Step[ClipFile]):
    """Writes ``<name>.sha256``.

    A file that begins with ``kill`` kills the process that reads it, as the system does when memory is short; one that
    begins with ``once`` does so the first time only; one that begins with ``bad`` cannot be used, and ``bug`` is a bug.
    """

    salt: str = ""

    name = "hash"

    def inputs(self, item: ClipFile) -> list[Path]:
        return [item.path]

    def outcome_settings(self) -> dict[str, Any]:
        return {"salt": self.salt}

    def perform(self, item: ClipFile) -> StepResult:
        word = item.path.read_text()
        met = self.root / f"{item.name}.met"
        if word.startswith("kill") or (word.startswith("once") and not met.exists()):
            met.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if word.startswith("bad"):
            raise DataError("cannot be used", where=item.path)
        if word.startswith("bug"):
            raise ZeroDivisionError("a bug")
        target = self.root / f"{item.name}.sha256"
        with atomic_file(target) as part:
            part.write_text(self.salt + sha256_of(item.path))
        return StepResult([target], {"pid": os.getpid()}, payload={"bytes": item.path.read_bytes()})


def items(root: Path, *words: str) -> list[ClipFile]:
    """An item for each word, whose file holds it."""
    root.mkdir(parents=True, exist_ok=True)
    made = []
    for number, word in enumerate(words):
        path = root / f"{number}.txt"
        path.write_text(word)
        made.append(ClipFile(f"item{number}", "train", path))
    return made
