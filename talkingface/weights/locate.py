"""Finds the weight file that a command means, and tells which files are there and how to get the others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..errors import UnknownNameError, WeightsError, did_you_mean
from .catalogue import Catalogue, Entry, ManualSource, load_catalogue
from .matlab import check_mat
from .read import read

State = Literal["present", "missing", "damaged"]


@dataclass(frozen=True)
class Resolved:
    """The weight file of a run.

    Attributes:
        path: the file; it is there.
        entry: its catalogue entry, by name or by published file name; None for a file of the user's own.
        label: one line for the user.
    """

    path: Path
    entry: Entry | None
    label: str


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


def resolve(model: str, checkpoint: str | None, root: Path, catalogue: Catalogue | None = None) -> Resolved:
    """The weights to use: the named file or entry, else the official default if its file is there, else ours.

    Args:
        model: name of the model.
        checkpoint: a path or a name of the catalogue; None leaves the choice to the order above.
        root: folder of the weights that the user has added.

    Raises:
        UnknownNameError: if the checkpoint is neither a file nor a name, with the nearest name.
        WeightsError: if the file is not there, saying where it goes and how to get it.
    """
    catalogue = catalogue or load_catalogue()
    if checkpoint is None:
        return _default(model, root, catalogue)
    if checkpoint in catalogue.entries:
        return _named(catalogue[checkpoint], model, root)
    return _given(Path(checkpoint).expanduser(), checkpoint, model, catalogue)


def _given(path: Path, word: str, model: str, catalogue: Catalogue) -> Resolved:
    if not path.exists():
        names = [entry.name for entry in catalogue.of(model)]
        if path.suffix or len(path.parts) > 1:
            raise WeightsError("no such weight file", where=word, cure=f"Names of {model}: {', '.join(names)}.")
        raise UnknownNameError(
            f"{word!r} is neither a file nor a known checkpoint", where="--checkpoint", cure=did_you_mean(word, names)
        )
    published = (entry for entry in catalogue.of(model) if Path(entry.file).name == path.name)
    return Resolved(path, next(published, None), f"weights: {path} ({_size(path)})")


def _named(entry: Entry, model: str, root: Path) -> Resolved:
    if entry.model != model:
        raise WeightsError(
            f"belongs to {entry.model}, but --model={model}", where=entry.name, cure=f"Use --model={entry.model}."
        )
    path = entry.path(root)
    if not path.is_file():
        raise WeightsError(f"its file {path} is not there", where=entry.name, cure=advice(entry, root))
    kind = "shipped, " if entry.shipped_path else ""
    return Resolved(path, entry, f"weights: {entry.name} ({kind}{_size(path)})")


def _default(model: str, root: Path, catalogue: Catalogue) -> Resolved:
    entries = list(catalogue.of(model))
    official = next((entry for entry in entries if entry.official_default), None)
    if official is not None and official.path(root).is_file():
        return _named(official, model, root)
    ours = next((entry for entry in entries if entry.shipped_path and entry.shipped_path.is_file()), None)
    if ours is not None:
        note = f"; official {official.name} not found in {root}/" if official else ""
        path = ours.path(root)
        return Resolved(path, ours, f"weights: {ours.name} (shipped, {_size(path)}{note})")
    if official is None:
        raise WeightsError(f"no weights of {model} are known", where="--checkpoint", cure="Name a file.")
    raise WeightsError(f"no weights of {model} were found in {root}/", cure=advice(official, root))


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
    if path.suffix in (".tflite", ".onnx", ".bin", ".txt", ".npy"):
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


def _size(path: Path) -> str:
    """Size for reading: 8.1 MB."""
    files = path.iterdir() if path.is_dir() else [path]
    size = sum(file.stat().st_size for file in files if file.is_file())
    return f"{size / 1e6:.1f} MB" if size < 100e6 else f"{size / 1e6:.0f} MB"
