"""Finds the weights that a command means: one file, or several that make a model together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UnknownNameError, WeightsError, did_you_mean
from .catalogue import Assembly, Catalogue, Entry, load_catalogue
from .status import advice_on

Item = Entry | Assembly


@dataclass(frozen=True)
class Resolved:
    """The weights of a run.

    Attributes:
        paths: the files; they are there. Where two hold a network of the same name, the first one's is meant.
        entry: what the catalogue says of them, by name or by published file name; None for files of the user's own.
        label: one line for the user.
    """

    paths: tuple[Path, ...]
    entry: Item | None
    label: str

    @property
    def path(self) -> Path:
        """The first file."""
        return self.paths[0]


def resolve(
    model: str,
    checkpoint: str | None,
    root: Path,
    catalogue: Catalogue | None = None,
    wishes: Mapping[str, Any] | None = None,
) -> Resolved:
    """The weights to use: what is named, else the first official default whose files are there, else ours.

    Args:
        model: name of the model.
        checkpoint: a path or a name of the catalogue, or several with commas between them, whose networks are taken
            from the first that holds them; None leaves the choice to the order above. A file that is one part of
            published weights brings the others, which lie beside it or below `root`.
        root: folder of the weights that the user has added.
        wishes: settings of the run, by which one of several official defaults is taken; None or an absent one is no
            wish.

    Raises:
        UnknownNameError: if the checkpoint is neither a file nor a name, with the nearest name.
        WeightsError: if files are not there, saying of each where it goes and how to get it.
    """
    search = _Search(model, root, catalogue or load_catalogue(), wishes or {})
    if checkpoint is None:
        return search.default()
    words = [word.strip() for word in checkpoint.split(",")]
    if len(words) == 1 or Path(checkpoint).expanduser().exists():
        return search.named(checkpoint) or search.given(checkpoint)
    return _joined([search.named(word) or search.given(word, alone=True) for word in words])


@dataclass(frozen=True)
class _Search:
    """What one search goes by; see `resolve`."""

    model: str
    root: Path
    catalogue: Catalogue
    wishes: Mapping[str, Any]

    def named(self, word: str) -> Resolved | None:
        """What a name of the catalogue means; None if it is no name."""
        item: Item | None = self.catalogue.entries.get(word) or self.catalogue.assemblies.get(word)
        if item is None:
            return None
        if item.model != self.model:
            raise WeightsError(
                f"belongs to {item.model}, but --model={self.model}", where=word, cure=f"Use --model={item.model}."
            )
        return self._whole(self._around(item.name) or item)

    def given(self, word: str, *, alone: bool = False) -> Resolved:
        """A file of the user's, with the other parts if it is one of published weights; `alone` leaves them out."""
        path = Path(word).expanduser()
        if not path.exists():
            raise self._nowhere(path, word)
        entry = next((item for item in self.catalogue.of(self.model) if Path(item.file).name == path.name), None)
        around = None if entry is None or alone else self._around(entry.name)
        if entry is None or around is None:
            return Resolved((path,), entry, f"weights: {path} ({_size([path])})")
        return self._whole(around, {entry.name: path}, beside=path.parent)

    def default(self) -> Resolved:
        """The first official default that is whole, of those that come nearest to what is wished for; else ours."""
        items = self.catalogue.choices(self.model)
        official = self._nearest([item for item in items if item.official_default])
        for item in official:
            if not self._missing(item):
                return self._whole(item)
        ours = next((item for item in items if isinstance(item, Entry) and _ships(item)), None)
        nearest = max(official, key=self._share_there, default=None)
        if ours is not None:
            path = ours.path(self.root)
            return Resolved((path,), ours, f"weights: {ours.name} (shipped, {_size([path])}{self._lack(nearest)})")
        if nearest is None:
            raise WeightsError(f"no weights of {self.model} are known", where="--checkpoint", cure="Name a file.")
        raise WeightsError(f"no weights of {self.model} were found in {self.root}/", cure=self._cure(nearest))

    def _around(self, part: str) -> Assembly | None:
        """The assembly with a part that comes nearest to what is wished for."""
        mine = self._nearest([item for item in self.catalogue.assemblies.values() if part in item.parts])
        return next((item for item in mine if isinstance(item, Assembly)), None)

    def _nearest(self, items: Sequence[Item]) -> list[Item]:
        """Those that leave the fewest wishes unmet, in their order; for most runs, those that leave none."""
        unmet = [0 if isinstance(item, Entry) else item.unmet(self.wishes) for item in items]
        return [item for item, count in zip(items, unmet, strict=True) if count == min(unmet)]

    def _whole(self, item: Item, given: Mapping[str, Path] | None = None, beside: Path | None = None) -> Resolved:
        """All files of an item.

        Args:
            given: files whose place is known, by entry.
            beside: a folder where parts may also lie.
        """
        places = dict(given or {})
        for part in self.catalogue.parts_of(item):
            near = beside / Path(part.file).name if beside else None
            places.setdefault(part.name, near if near is not None and near.is_file() else part.path(self.root))
        needed = [*self.catalogue.parts_of(item), *self.catalogue.needs_of(item)]
        missing = [part for part in needed if not places.get(part.name, part.path(self.root)).is_file()]
        if missing:
            raise WeightsError(self._absent(missing), where=item.name, cure=advice_on(missing, item.name, self.root))
        paths = tuple(places[part.name] for part in self.catalogue.parts_of(item))
        kind = "shipped, " if isinstance(item, Entry) and item.shipped_path else ""
        files = f"{len(paths)} files, " if len(paths) > 1 else ""
        return Resolved(paths, item, f"weights: {item.name} ({kind}{files}{_size(paths)})")

    def _missing(self, item: Item) -> list[Entry]:
        needed = (*self.catalogue.parts_of(item), *self.catalogue.needs_of(item))
        return [entry for entry in needed if not entry.path(self.root).is_file()]

    def _share_there(self, item: Item) -> float:
        """How much of an item is there, 0 to 1, of its own files."""
        parts = self.catalogue.parts_of(item)
        return sum(part.path(self.root).is_file() for part in parts) / len(parts)

    def _lack(self, official: Item | None) -> str:
        """Why ours are taken in place of official weights, as the end of a list."""
        if official is None:
            return ""
        if not self._share_there(official):
            return f"; official {official.name} not found in {self.root}/"
        names = ", ".join(str(entry.path(self.root)) for entry in self._missing(official))
        return f"; official {official.name} lacks {names}"

    def _absent(self, missing: Sequence[Entry]) -> str:
        if len(missing) == 1:
            return f"its file {missing[0].path(self.root)} is not there"
        names = ", ".join(Path(entry.file).name for entry in missing)
        return f"its files {names} are not in {self.root}/"

    def _cure(self, item: Item) -> str:
        return advice_on(self._missing(item), item.name, self.root)

    def _nowhere(self, path: Path, word: str) -> WeightsError | UnknownNameError:
        names = [item.name for item in self.catalogue.choices(self.model)]
        if path.suffix or len(path.parts) > 1:
            return WeightsError("no such weight file", where=word, cure=f"Names of {self.model}: {', '.join(names)}.")
        return UnknownNameError(
            f"{word!r} is neither a file nor a known checkpoint", where="--checkpoint", cure=did_you_mean(word, names)
        )


def _joined(found: Sequence[Resolved]) -> Resolved:
    paths = tuple(dict.fromkeys(path for one in found for path in one.paths))
    entry = next((one.entry for one in found if one.entry is not None), None)
    label = " + ".join(one.label.removeprefix("weights: ") for one in found)
    return Resolved(paths, entry, f"weights: {label}")


def _ships(entry: Entry) -> bool:
    return entry.shipped_path is not None and entry.shipped_path.is_file()


def _size(paths: Iterable[Path]) -> str:
    """Size for reading: 8.1 MB."""
    files = [file for path in paths for file in (path.iterdir() if path.is_dir() else [path])]
    size = sum(file.stat().st_size for file in files if file.is_file())
    return f"{size / 1e6:.1f} MB" if size < 100e6 else f"{size / 1e6:.0f} MB"
