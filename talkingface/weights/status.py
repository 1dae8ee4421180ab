"""Tells which weight files are there and how to get the others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..errors import WeightsError
from .catalogue import Catalogue, Entry, ManualSource, load_catalogue
from .files.matlab import check_mat
from .files.read import read

State = Literal["present", "missing", "damaged"]


@dataclass(frozen=True)
class EntryStatus:
    """Whether a catalogued file can be used.

    Attributes:
        state: ``"damaged"`` if the file is there but cannot be read as weights.
        path: where it is, or goes.
        advice: how to get or mend it, as a sentence; ``""`` if it is present.
    """

    entry: Entry
    state: State
    path: Path
    advice: str


def status(root: Path, catalogue: Catalogue | None = None) -> list[EntryStatus]:
    """State of every catalogued file. Files are opened and their structure checked, without reading their numbers."""
    catalogue = catalogue or load_catalogue()
    return [_status(entry, root) for entry in catalogue.entries.values()]


def _status(entry: Entry, root: Path) -> EntryStatus:
    path = entry.path(root)
    if not path.is_file():
        return EntryStatus(entry, "missing", path, advice(entry, root))
    try:
        check_usable(path)
    except WeightsError as error:
        return EntryStatus(entry, "damaged", path, f"{error.what}. Delete it. {advice(entry, root)}")
    return EntryStatus(entry, "present", path, "")


def check_usable(path: Path) -> None:
    """Look whether a file is whole, without reading its numbers; models of other runtimes and bare numbers pass.

    Raises:
        WeightsError: if it is empty, a web page, truncated or otherwise not a readable weight file.
    """
    if path.suffix == ".mat":
        check_mat(path)
        return
    if path.suffix in (".tflite", ".onnx", ".bin", ".txt", ".npy", ".h5"):
        if path.stat().st_size == 0:
            raise WeightsError("an empty file", where=path)
        return
    read(path)


def describe_missing(statuses: Iterable[EntryStatus]) -> list[str]:
    """One line for each file that cannot be used: its name, its state, where it goes, how to get it."""
    return [
        f"{item.entry.name}: {item.state}, goes to {item.path}. {item.advice}"
        for item in statuses
        if item.state != "present"
    ]


def advice(entry: Entry, root: Path) -> str:
    """How to get a file, as one or two sentences."""
    path = entry.path(root)
    if entry.shipped_path:
        return "It ships with the toolkit: install or clone it again."
    if isinstance(entry.sources[0], ManualSource):
        return f"Get it from {entry.origin} and put it at {path}."
    fetch = f"Run with --run_mode=fetch --checkpoint={entry.name}"
    return f"{fetch}, or get {entry.origin} by hand and put it at {path}."


def advice_on(entries: Sequence[Entry], word: str, root: Path) -> str:
    """How to get several files that are wanted together, each by name.

    Args:
        word: that fetches all of them.
    """
    if len(entries) == 1:
        return advice(entries[0], root)
    by_hand = [entry for entry in entries if entry.shipped_path or isinstance(entry.sources[0], ManualSource)]
    said = [advice(entry, root) for entry in by_hand]
    by_itself = [f"{entry.origin} to {entry.path(root)}" for entry in entries if entry not in by_hand]
    if by_itself:
        fetch = f"Run with --run_mode=fetch --checkpoint={word}"
        said.insert(0, f"{fetch}, or get by hand: {'; '.join(by_itself)}.")
    return " ".join(said)
