"""Choose the weight files of a run: one file, or several that form a model together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UnknownNameError, WeightsError, did_you_mean
from .catalogue import Assembly, Catalogue, Entry, load_catalogue
from .status import advice, advice_for_all

Item = Entry | Assembly


@dataclass(frozen=True)
class Resolved:
    """Weight files of a run.

    Attributes:
        paths: existing files. Where two hold a network of the same name, the first one counts.
        entry: their catalogue item, by name or by published file name; None for the user's own files.
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
    preferences: Mapping[str, Any] | None = None,
) -> Resolved:
    """Choose weights: the named ones, else those of the variant, else the first official default whose files exist,
    else the shipped ones.

    Args:
        model: name of the model.
        checkpoint: a path, a catalogue name or the name of a published file, or several separated by commas, where
            each network comes from the first file that holds it; None selects the default. A file that is one part of
            published weights brings the other parts, which are looked for beside it and below `root`.
        root: folder of the weights that the user has added.
        preferences: settings of the run that select one of several official defaults; None or absent: no preference.

    Raises:
        UnknownNameError: if the checkpoint is neither a file nor a name, with the nearest name.
        WeightsError: if files are missing; gives the place of each and how to get it.
    """
    search = _Search(model, root, catalogue or load_catalogue(), preferences or {})
    if checkpoint is None:
        return search.default()
    words = [word.strip() for word in checkpoint.split(",")]
    if len(words) == 1 or Path(checkpoint).expanduser().exists():
        return search.named(checkpoint) or search.given(checkpoint)
    return _joined([search.named(word) or search.given(word, alone=True) for word in words])


@dataclass(frozen=True)
class _Search:
    """Arguments of one search; see `resolve`."""

    model: str
    root: Path
    catalogue: Catalogue
    preferences: Mapping[str, Any]

    def named(self, word: str) -> Resolved | None:
        """Files of a catalogue name, or of a published file's name; None if there is no such name."""
        name = self.catalogue.name_of(word)
        name = word if name != word and Path(word).exists() else name
        item: Item | None = self.catalogue.entries.get(name) or self.catalogue.assemblies.get(name)
        if item is None:
            return None
        if item.model != self.model:
            raise WeightsError(
                f"belongs to {item.model}, but --model={self.model}", where=word, cure=f"Use --model={item.model}."
            )
        return self._complete(self._assembly_with(item.name) or item)

    def given(self, word: str, *, alone: bool = False) -> Resolved:
        """The user's own file, with the other parts if it belongs to published weights; `alone` leaves them out."""
        path = Path(word).expanduser()
        if not path.exists():
            raise self._not_found(path, word)
        entry = next((item for item in self.catalogue.of(self.model) if Path(item.file).name == path.name), None)
        assembly = None if entry is None or alone else self._assembly_with(entry.name)
        if entry is None or assembly is None:
            return Resolved((path,), entry, f"weights: {path} ({_size([path])})")
        return self._complete(assembly, {entry.name: path}, beside=path.parent)

    def default(self) -> Resolved:
        """The weights of the preferred variant, else the first complete official default of those that match the
        preferences best, else the shipped weights."""
        items = self.catalogue.choices(self.model)
        variant = self.preferences.get("variant")
        if variant is not None and items:
            return self._of_variant(str(variant), items)
        official = self._best_matches([item for item in items if item.official_default])
        for item in official:
            if not self._missing(item):
                return self._complete(item)
        shipped = next((item for item in items if isinstance(item, Entry) and _ships(item)), None)
        nearest = max(official, key=self._share_present, default=None)
        if shipped is not None:
            path = shipped.path(self.root)
            note = f"shipped, {_size([path])}{self._reason_against(nearest)}"
            return Resolved((path,), shipped, f"weights: {shipped.name} ({note})")
        if nearest is None:
            raise WeightsError(f"no weights of {self.model} are known", where="--checkpoint", cure="Name a file.")
        cure = advice_for_all(self._missing(nearest), nearest.name, self.root)
        raise WeightsError(f"no weights of {self.model} were found in {self.root}/", cure=cure)

    def _of_variant(self, variant: str, items: Sequence[Item]) -> Resolved:
        """The first complete weights of a variant among all of the model."""
        mine = [item for item in items if item.variant == variant]
        complete = next((item for item in mine if not self._missing(item)), None)
        if complete is not None:
            return self._complete(complete)
        where = f"--variant={variant}"
        if not mine:
            cure = "Name a file of yours with --checkpoint, or train one with --run_mode=train."
            raise WeightsError("no weights of this variant are known", where=where, cure=cure)
        missing = self._missing(mine[0])
        cure = advice_for_all(missing, mine[0].name, self.root)
        raise WeightsError(f"needs the weights {mine[0].name}, and {self._absent(missing)}", where=where, cure=cure)

    def _assembly_with(self, part: str) -> Assembly | None:
        """The assembly with a given part that matches the preferences best."""
        matches = self._best_matches([item for item in self.catalogue.assemblies.values() if part in item.parts])
        return next((item for item in matches if isinstance(item, Assembly)), None)

    def _best_matches(self, items: Sequence[Item]) -> list[Item]:
        """Items with the fewest unmet preferences, in their order."""
        unmet = [0 if isinstance(item, Entry) else item.unmet_preferences(self.preferences) for item in items]
        return [item for item, count in zip(items, unmet, strict=True) if count == min(unmet)]

    def _complete(self, item: Item, given: Mapping[str, Path] | None = None, beside: Path | None = None) -> Resolved:
        """All files of an item.

        Args:
            given: known paths, by name of the entry.
            beside: a further folder to look for parts in.
        """
        places = dict(given or {})
        for part in self.catalogue.parts_of(item):
            near = beside / Path(part.file).name if beside else None
            places.setdefault(part.name, near if near is not None and near.is_file() else part.path(self.root))
        needed = [*self.catalogue.parts_of(item), *self.catalogue.needs_of(item)]
        missing = [part for part in needed if not places.get(part.name, part.path(self.root)).is_file()]
        if missing:
            cure = advice_for_all(missing, item.name, self.root)
            raise WeightsError(self._absent(missing), where=item.name, cure=cure)
        paths = tuple(places[part.name] for part in self.catalogue.parts_of(item))
        kind = "shipped, " if isinstance(item, Entry) and item.shipped_path else ""
        files = f"{len(paths)} files, " if len(paths) > 1 else ""
        return Resolved(paths, item, f"weights: {item.name} ({kind}{files}{_size(paths)})")

    def _missing(self, item: Item) -> list[Entry]:
        needed = (*self.catalogue.parts_of(item), *self.catalogue.needs_of(item))
        return [entry for entry in needed if not entry.path(self.root).is_file()]

    def _share_present(self, item: Item) -> float:
        """Share of an item's own files that exist, 0 to 1."""
        parts = self.catalogue.parts_of(item)
        return sum(part.path(self.root).is_file() for part in parts) / len(parts)

    def _reason_against(self, official: Item | None) -> str:
        """Reason why official weights are not used, as the end of a list."""
        if official is None:
            return ""
        if not self._share_present(official):
            return f"; for the published quality: --run_mode=fetch --checkpoint={official.name}"
        names = ", ".join(str(entry.path(self.root)) for entry in self._missing(official))
        return f"; official {official.name} lacks {names}"

    def _absent(self, missing: Sequence[Entry]) -> str:
        if len(missing) == 1:
            return f"its file {missing[0].path(self.root)} is not there"
        names = ", ".join(Path(entry.file).name for entry in missing)
        return f"its files {names} are not in {self.root}/"

    def _not_found(self, path: Path, word: str) -> WeightsError | UnknownNameError:
        names = [item.name for item in self.catalogue.choices(self.model)]
        known = self.catalogue.entries.get(self.catalogue.name_of(path.name))
        if known is not None:
            cure = f"Its name here is --checkpoint={known.name}. {advice(known, self.root)}"
            return WeightsError("no such weight file", where=word, cure=cure)
        if path.suffix or len(path.parts) > 1:
            return WeightsError("no such weight file", where=word, cure=f"Names of {self.model}: {', '.join(names)}.")
        return UnknownNameError(
            f"{word!r} is neither a file nor a known checkpoint", where="--checkpoint", cure=did_you_mean(word, names)
        )


def _joined(items: Sequence[Resolved]) -> Resolved:
    paths = tuple(dict.fromkeys(path for item in items for path in item.paths))
    entry = next((item.entry for item in items if item.entry is not None), None)
    label = " + ".join(item.label.removeprefix("weights: ") for item in items)
    return Resolved(paths, entry, f"weights: {label}")


def _ships(entry: Entry) -> bool:
    return entry.shipped_path is not None and entry.shipped_path.is_file()


def _size(paths: Iterable[Path]) -> str:
    """Total size of files and folders for messages, such as 8.1 MB."""
    files = [file for path in paths for file in (path.iterdir() if path.is_dir() else [path])]
    size = sum(file.stat().st_size for file in files if file.is_file())
    return f"{size / 1e6:.1f} MB" if size < 100e6 else f"{size / 1e6:.0f} MB"
