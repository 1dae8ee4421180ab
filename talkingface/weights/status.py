"""State of the catalogued weight files on this machine, and advice on getting the missing ones."""

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
    """State of one catalogued file.

    Attributes:
        state: ``"damaged"`` if the file exists but cannot be read as weights.
        path: place of the file, whether it exists or not.
        advice: sentence on how to get or replace it; ``""`` if it is present.
    """

    entry: Entry
    state: State
    path: Path
    advice: str


def status(root: Path, catalogue: Catalogue | None = None) -> list[EntryStatus]:
    """State of every catalogued file. Their structure is checked, their numbers are not read."""
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
    """Check that a file is complete, without reading its numbers; models of other runtimes and plain arrays pass.

    Raises:
        WeightsError: if it is empty, a web page, truncated or otherwise not a readable weight file.
    """
    if path.suffix == ".mat":
        check_mat(path)
        return
    if path.suffix in (".tflite", ".onnx", ".bin", ".txt", ".npy", ".h5", ".json", ".hama"):
        if path.stat().st_size == 0:
            raise WeightsError("an empty file", where=path)
        return
    read(path)


def describe_missing(statuses: Iterable[EntryStatus]) -> list[str]:
    """One line for each file that cannot be used: name, state, place, and advice on getting it."""
    return [
        f"{item.entry.name}: {item.state}, goes to {item.path}. {item.advice}"
        for item in statuses
        if item.state != "present"
    ]


def file_of(name: str, root: Path, where: str | None = None) -> tuple[Path, str | None]:
    """(a file that has to be there, the model that the catalogue says it belongs to).

    Args:
        name: in the catalogue, or a path, of which the catalogue says nothing.
        root: folder of the weights that the user adds.
        where: the flag that needs it; None: its name.

    Raises:
        WeightsError: it is not there; says how to get it.
    """
    entry = load_catalogue().entries.get(name)
    path = Path(name) if entry is None else entry.path(root)
    if not path.is_file():
        cure = "Check the path." if entry is None else advice(entry, root)
        raise WeightsError(f"its file {path} is not there", where=where or name, cure=cure)
    return path, None if entry is None else entry.model


def advice(entry: Entry, root: Path) -> str:
    """Advice on getting a file, as one or two sentences."""
    path = entry.path(root)
    if entry.shipped_path:
        return "It ships with the toolkit: install or clone it again."
    if isinstance(entry.sources[0], ManualSource):
        return f"Get it from {entry.origin} and put it at {path}."
    fetch = f"Run with --run_mode=fetch --checkpoint={entry.name}"
    return f"{fetch}, or get {entry.origin} by hand and put it at {path}."


def advice_for_all(entries: Sequence[Entry], word: str, root: Path) -> str:
    """Advice on getting several files that are needed together.

    Args:
        entries: the files.
        word: value of ``--checkpoint`` that fetches all of them.
        root: folder of the weights that the user adds.
    """
    if len(entries) == 1:
        return advice(entries[0], root)
    by_hand = [entry for entry in entries if entry.shipped_path or isinstance(entry.sources[0], ManualSource)]
    sentences = [advice(entry, root) for entry in by_hand]
    fetchable = [f"{entry.origin} to {entry.path(root)}" for entry in entries if entry not in by_hand]
    if fetchable:
        fetch = f"Run with --run_mode=fetch --checkpoint={word}"
        sentences.insert(0, f"{fetch}, or get by hand: {'; '.join(fetchable)}.")
    return " ".join(sentences)
