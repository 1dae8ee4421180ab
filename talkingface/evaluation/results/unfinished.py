"""Results of an evaluation as they come, so that one that is stopped goes on where it was."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from ...errors import DataError
from ...text.read import read_text
from .stills import Still

logger = logging.getLogger(__name__)

FOLDER, RECORDS = "unfinished", "clips.jsonl"
_TENSORS = re.compile(r"[0-9]+\.safetensors")


@dataclass(frozen=True)
class Record:
    """A clip that was measured.

    Attributes:
        table, clip, identity: names.
        frames: of the clip.
        scores: by method and metric.
        kept: by method, tensors that metrics of the set gathered in the clip.
        stills: frames worth a look.
    """

    table: str
    clip: str
    identity: str
    frames: int
    scores: dict[str, dict[str, float]]
    kept: Mapping[str, Mapping[str, Tensor]] = field(default_factory=dict)
    stills: list[Still] = field(default_factory=list)


class Unfinished:
    """A folder with the clips that were measured by one protocol; those of another are thrown away."""

    def __init__(self, folder: Path, protocol: str) -> None:
        """
        Args:
            folder: of the results.
            protocol: hash of everything that the numbers depend on.
        """
        self._folder, self._protocol = folder / FOLDER, protocol
        self._records = self._read()
        if self._records:
            logger.info("going on: %d clips were measured before", len(self._records))

    def get(self, table: str, clip: str) -> Record | None:
        """The record of a clip; None where it has not been measured."""
        entry = self._records.get((table, clip))
        return None if entry is None else self._record(*entry)

    def add(self, record: Record) -> None:
        """Keep a record."""
        number = len(self._records)
        tensors = {f"{m}|{k}": v.contiguous() for m, own in record.kept.items() for k, v in own.items()}
        if tensors:
            save_file(tensors, self._tensors(number))
        document = {key: value for key, value in asdict(record).items() if key != "kept"}
        self._records[record.table, record.clip] = (number, document)
        with (self._folder / RECORDS).open("a", encoding="utf-8") as file:
            file.write(json.dumps({**document, "number": number}) + "\n")

    def done(self) -> None:
        """Remove what was kept, as the report is written; what else lies in a folder of that name is somebody's own."""
        with suppress(OSError):  # there is no such folder, or it holds other files
            for file in self._folder.iterdir():
                if file.name == RECORDS or _TENSORS.fullmatch(file.name):
                    file.unlink()
            self._folder.rmdir()

    def _tensors(self, number: int) -> Path:
        return self._folder / f"{number}.safetensors"

    def _record(self, number: int, document: dict[str, Any]) -> Record:
        kept: dict[str, dict[str, Tensor]] = {method: {} for method in document["scores"]}
        if self._tensors(number).is_file():
            for name, value in load_file(self._tensors(number)).items():
                method, _, key = name.partition("|")
                kept[method][key] = value
        stills = [Still(**still) for still in document["stills"]]
        return Record(**{**document, "kept": kept, "stills": stills})

    def _read(self) -> dict[tuple[str, str], tuple[int, dict[str, Any]]]:
        """Records of an earlier run by the same protocol; a last line that is not whole is left out."""
        file = self._folder / RECORDS
        lines = read_text(file, DataError).splitlines() if file.is_file() else []
        if not lines or lines[0] != self._protocol:
            self.done()
            self._folder.mkdir(parents=True, exist_ok=True)
            file.write_text(self._protocol + "\n", encoding="utf-8")
            return {}
        records = {}
        for line in lines[1:]:
            try:
                document = json.loads(line)
                number = int(document.pop("number"))
                self._record(number, document)
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OSError, SafetensorError):
                logger.warning("an entry of the stopped evaluation is damaged; that clip is measured anew")
                continue
            records[document["table"], document["clip"]] = (number, document)
        return records
