"""The catalogue of weight files, ``properties/checkpoints.yaml``: description, sources and checksum of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from ..errors import ConfigError, PathError, UnknownNameError, did_you_mean, quoted
from ..paths import inside, is_below, plain_name, shipped
from ..text.plain_yaml import load

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Strict(BaseModel):
    """Base of all catalogue items: an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class UrlSource(Strict):
    """Source of a file that can be downloaded over HTTP."""

    kind: Literal["url"]
    urls: tuple[str, ...] = Field(min_length=1, description="Addresses of the same file, tried in this order.")

    @field_validator("urls")
    @classmethod
    def _web_only(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        for url in urls:
            if not url.startswith(("https://", "http://")):
                raise ValueError(f"{url!r} is not a web address")
        return urls


class ShippedSource(Strict):
    """Source of a file that ships with the toolkit."""

    kind: Literal["shipped"]
    path: str = Field(
        description="Path below the folder of shipped files, such as checkpoints/compact/fom.safetensors."
    )

    @field_validator("path")
    @classmethod
    def _stays_below(cls, path: str) -> str:
        return _below(path)


class ManualSource(Strict):
    """Source of a file that a person has to get, because it needs a licence, a form or an account."""

    kind: Literal["manual"]
    what: str = Field(description="What to get and how, as a sentence.")
    where: str = Field(description="The page to get it from.")


class WheelSource(Strict):
    """Source of a file inside a pinned, hash-checked Python wheel; the package is not installed."""

    kind: Literal["wheel"]
    package: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    version: str = Field(pattern=r"^[0-9][A-Za-z0-9.+!_-]*$")
    sha256: Sha256 = Field(description="Of the wheel.")
    member: str = Field(description="Path of the file inside the wheel.")
    platform: str | None = Field(None, description="Platform tag of the wheel; None takes the one for this machine.")
    python: str | None = Field(None, description="Python version of the wheel, such as 3.12; None takes this one.")


class NpmSource(Strict):
    """Source of a file inside a pinned, hash-checked package of npm; the package is not installed."""

    kind: Literal["npm"]
    package: str = Field(pattern=r"^(@[a-z0-9][a-z0-9._-]*/)?[a-z0-9][a-z0-9._-]*$")
    version: str = Field(pattern=r"^[0-9][A-Za-z0-9.+-]*$")
    sha256: Sha256 = Field(description="Of the package's archive (.tgz).")
    member: str = Field(description="Path of the file inside the archive, which starts with package/.")


def _below(path: str) -> str:
    """A path that stays below its folder; ValueError for others."""
    if not is_below(path):
        raise ValueError(f"{quoted(path)} leaves the checkpoint folder")
    return path


def _plain(name: str) -> str:
    """A name of the catalogue, which names a lock file too; ValueError for others."""
    try:
        return plain_name(name, "name") if name else name
    except PathError as error:
        raise ValueError(str(error)) from None


Source = Annotated[UrlSource | ShippedSource | ManualSource | WheelSource | NpmSource, Field(discriminator="kind")]


Sha256Start = Annotated[str, Field(pattern=r"^[0-9a-f]{8,63}$")]


class Entry(Strict):
    """One weight file."""

    name: str = Field("", description="The word after --checkpoint=; the key in the catalogue.")
    model: str = Field(description="Name of the model it belongs to.")
    variant: str = Field(description="The model's configuration it was trained with, the word after --variant=.")
    title: str = Field(description="What it draws best, in a few words.")
    file: str = Field(description="Path below the checkpoint folder.")
    also_at: tuple[str, ...] = Field((), description="Other such paths where published programs keep it.")
    size: int | None = Field(None, gt=0, description="In bytes; None where not known.")
    sha256: Sha256 | None = Field(None, description="Of the whole file; None where not known.")
    sha256_start: Sha256Start | None = Field(
        None, description="First digits of it, where the file's published name has them and the rest is not known."
    )
    licence: str = Field(description="Terms of the weights.")
    networks: dict[str, str] = Field(description="Network -> prefix of its keys in the file.")
    bundle: str | None = Field(None, description="A word that fetches all files at once that only work together.")
    official_default: bool = Field(False, description="Taken when its file is there and no checkpoint is named.")
    sources: tuple[Source, ...] = Field(min_length=1, description="Ways to get it, tried in this order.")

    @field_validator("file", "also_at")
    @classmethod
    def _stays_below(cls, files: str | tuple[str, ...]) -> str | tuple[str, ...]:
        return _below(files) if isinstance(files, str) else tuple(map(_below, files))

    @field_validator("name")
    @classmethod
    def _is_plain(cls, name: str) -> str:
        return _plain(name)

    @property
    def digest(self) -> str | None:
        """Known part of the file's sha256, from its first digit on; None where nothing is known."""
        return self.sha256 or self.sha256_start

    @property
    def file_names(self) -> set[str]:
        """Names that the file has where it is published, without folders."""
        return {Path(place).name for place in (self.file, *self.also_at)}

    @property
    def shipped_path(self) -> Path | None:
        """Place of a file that ships with the toolkit, else None."""
        paths = [source.path for source in self.sources if isinstance(source, ShippedSource)]
        return shipped(*Path(paths[0]).parts) if paths else None

    def path(self, root: Path) -> Path:
        """Place of the file, whether it exists or not: among the shipped files, or below ``root``."""
        if self.shipped_path:
            return self.shipped_path
        places = [inside(root, place, own_links=True) for place in (self.file, *self.also_at)]
        return next((place for place in places if place.is_file()), places[0])

    @property
    def origin(self) -> str:
        """The first place to get it from, for messages."""
        source = self.sources[0]
        match source:
            case UrlSource():
                return source.urls[0]
            case ManualSource():
                return f"{source.where} ({source.what.rstrip('.')})"
            case WheelSource():
                return f"{source.member} in the wheel {source.package}=={source.version}"
            case NpmSource():
                return f"{source.member} in the npm package {source.package}@{source.version}"
            case _:
                return "the toolkit's own files"


class Assembly(Strict):
    """Weight files that make one model together."""

    name: str = Field("", description="The word after --checkpoint=; the key in the catalogue.")
    model: str = Field(description="Name of the model.")
    variant: str = Field(description="The model's configuration, the word after --variant=.")
    title: str = Field(description="What it draws best, in a few words.")
    parts: tuple[str, ...] = Field(
        min_length=1, description="Entries whose networks are taken; where two hold the same one, the first."
    )
    needs: tuple[str, ...] = Field((), description="Entries that the model works with beside its own networks.")
    official_default: bool = Field(False, description="Taken when its files are there and no checkpoint is named.")
    suits: dict[str, tuple[str | int, ...]] = Field(
        {}, description="Setting -> values; a run that asks for another value does not take it by default."
    )

    def unmet_preferences(self, preferences: Mapping[str, Any]) -> int:
        """Count the preferences that it does not match; an absent one or None matches everything."""
        return sum(preferences.get(key) not in (None, *values) for key, values in self.suits.items())


class Catalogue(Strict):
    """All known weight files, and what they make together, by name."""

    entries: dict[str, Entry]
    assemblies: dict[str, Assembly] = Field({})

    @model_validator(mode="after")
    def _check_names(self) -> Catalogue:
        bundles = {entry.bundle for entry in self.entries.values()}
        clash = (bundles & self._names) | (set(self.entries) & set(self.assemblies))
        if clash:
            raise ValueError(f"{', '.join(sorted(map(str, clash)))} has two meanings")
        defaults = [entry.model for entry in self.entries.values() if entry.official_default]
        defaults += [item.model for item in self.assemblies.values() if item.official_default and not item.suits]
        twice = {model for model in defaults if defaults.count(model) > 1}
        if twice:
            raise ValueError(f"more than one official default of {', '.join(sorted(twice))}")
        return self

    @model_validator(mode="after")
    def _check_parts(self) -> Catalogue:
        for assembly in self.assemblies.values():
            unknown = [part for part in (*assembly.parts, *assembly.needs) if part not in self.entries]
            strange = [part for part in assembly.parts if part not in unknown and self[part].model != assembly.model]
            if unknown or strange:
                raise ValueError(f"{assembly.name}: {', '.join(unknown + strange)} is no entry of {assembly.model}")
        return self

    @property
    def _names(self) -> set[str]:
        return {*self.entries, *self.assemblies}

    def __getitem__(self, name: str) -> Entry:
        """The entry of a name.

        Raises:
            UnknownNameError: with the nearest name.
        """
        if name not in self.entries:
            raise UnknownNameError(f"no checkpoint named {name!r}", cure=did_you_mean(name, self.entries))
        return self.entries[name]

    def name_of(self, word: str) -> str:
        """The name of the entry whose published file is called ``word``; ``word`` itself for all others."""
        if word in self._names:
            return word
        named = (entry.name for entry in self.entries.values() if word in entry.file_names)
        return next(named, word)

    def entries_for(self, word: str) -> tuple[Entry, ...]:
        """Entries of a word: one by its name or that of its file, all files of an assembly, or all of a bundle.

        Raises:
            UnknownNameError: with the nearest word.
        """
        word = self.name_of(word)
        if word in self.assemblies:
            return (*self.parts_of(self.assemblies[word]), *self.needs_of(self.assemblies[word]))
        together = tuple(entry for entry in self.entries.values() if entry.bundle == word)
        if together or word in self.entries:
            return together or (self.entries[word],)
        words = {*self._names, *(entry.bundle for entry in self.entries.values() if entry.bundle)}
        raise UnknownNameError(f"no checkpoint named {word!r}", cure=did_you_mean(word, words))

    def of(self, model: str) -> Iterator[Entry]:
        """Entries of one model, in the order of the catalogue."""
        return (entry for entry in self.entries.values() if entry.model == model)

    def choices(self, model: str) -> list[Entry | Assembly]:
        """Weights that a run of one model can use, in the order of the catalogue: assemblies and single files."""
        mine = [assembly for assembly in self.assemblies.values() if assembly.model == model]
        parts = {part for assembly in mine for part in assembly.parts}
        return [*mine, *(entry for entry in self.of(model) if entry.name not in parts)]

    def parts_of(self, item: Entry | Assembly) -> tuple[Entry, ...]:
        """Files that hold the networks of an item."""
        return (item,) if isinstance(item, Entry) else tuple(self[part] for part in item.parts)

    def needs_of(self, item: Entry | Assembly) -> tuple[Entry, ...]:
        """Files that an item needs beside its networks."""
        return () if isinstance(item, Entry) else tuple(self[part] for part in item.needs)


@lru_cache(maxsize=8)
def load_catalogue(path: Path | None = None) -> Catalogue:
    """Read the catalogue.

    Args:
        path: the file; None takes the shipped one.

    Raises:
        ConfigError: if it is missing or does not match the schema, with the entry and the field.
    """
    path = path or shipped("properties", "checkpoints.yaml")
    try:
        raw = load(path)
    except ConfigError as error:
        what = f"the catalogue of checkpoints cannot be read: {error.what}"
        raise ConfigError(what, where=error.where, cure=error.cure) from None
    if not isinstance(raw, dict) or not all(isinstance(entry, dict) for entry in raw.values()):
        raise ConfigError("the catalogue of checkpoints is not a list of entries by name", where=path)
    items: dict[str, dict[str, Any]] = {"entries": {}, "assemblies": {}}
    for name, item in raw.items():
        items["assemblies" if "parts" in item else "entries"][name] = {**item, "name": name}
    try:
        return Catalogue.model_validate(items)
    except ValidationError as error:
        first = error.errors()[0]
        place = quoted(".".join(str(part) for part in first["loc"][1:]))[1:-1]
        raise ConfigError(f"{place}: {quoted(first['msg'], 300)[1:-1]}", where=path) from error
