"""The schema as a flat table: dotted key -> what may be said about it on the command line."""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from ..plugins import OneOf
from .schema import HEADINGS, Settings


@dataclass(frozen=True)
class Option:
    """One setting.

    Attributes:
        key: dotted name, such as ``train.max_steps``.
        annotation: its Python type.
        default: its default in the schema.
        meaning: a sentence with unit and effect.
        heading: the heading it stands under in ``--help``.
        names: the registry whose names it accepts; None for any other setting.
    """

    key: str
    annotation: Any
    default: Any
    meaning: str
    heading: str
    names: OneOf | None = None

    @property
    def members(self) -> tuple[Any, ...]:
        """The types it may have; a plain type is its own only member."""
        is_union = get_origin(self.annotation) in (Union, types.UnionType)
        return get_args(self.annotation) if is_union else (self.annotation,)

    @property
    def is_switch(self) -> bool:
        """Whether the bare flag means true."""
        return bool in self.members

    @property
    def is_list(self) -> bool:
        """Whether the flag takes several words."""
        return any(get_origin(member) in (list, tuple) for member in self.members)

    @property
    def is_open(self) -> bool:
        """Whether it is a mapping whose keys belong to a model, so that the schema cannot list them."""
        return any(get_origin(member) is dict for member in self.members)

    @property
    def may_be_none(self) -> bool:
        """Whether the word ``none`` means that there is no value."""
        return type(None) in self.members

    @property
    def choices(self) -> tuple[str, ...]:
        """The words it accepts, where they are listed."""
        if self.names is not None:
            return self.names.words
        return tuple(word for member in self.members if get_origin(member) is Literal for word in get_args(member))


@cache
def options() -> dict[str, Option]:
    """All settings by dotted key, in the order of ``--help``."""
    names = [name for heading in HEADINGS for name in heading.__annotations__ if name in Settings.model_fields]
    nested = [name for name in Settings.model_fields if name not in names]
    return {option.key: option for option in walk(Settings, "", [*names, *nested])}


@cache
def groups() -> frozenset[str]:
    """Keys that hold other keys, such as ``train``."""
    keys = [key.split(".") for key in options()]
    return frozenset(".".join(parts[:depth]) for parts in keys for depth in range(1, len(parts)))


def find(key: str) -> Option | None:
    """The setting of a dotted key; keys below an open mapping share one made-up entry; None if there is none."""
    table = options()
    if key in table:
        return table[key]
    parts = key.split(".")
    parents = (".".join(parts[:depth]) for depth in range(1, len(parts)))
    parent = next((table[name] for name in parents if name in table and table[name].is_open), None)
    return Option(key, Any, None, parent.meaning, parent.heading) if parent else None


def walk(model: type[BaseModel], prefix: str = "", names: Iterable[str] | None = None) -> Iterator[Option]:
    """The settings of a pydantic class: its own first, then those of its groups, so that headings do not return."""
    inner: dict[str, type[BaseModel]] = {}
    for name in model.model_fields if names is None else names:
        field = model.model_fields[name]
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            inner[name] = field.annotation
        else:
            default = field.get_default(call_default_factory=True)
            one_of = next((item for item in field.metadata if isinstance(item, OneOf)), None)
            meaning = field.description or ""
            yield Option(f"{prefix}{name}", field.annotation, default, meaning, _heading(model, name), one_of)
    for name, group in inner.items():
        yield from walk(group, f"{prefix}{name}.")


def _heading(model: type[BaseModel], name: str) -> str:
    """The first sentence of the class that defines the setting."""
    owner = next((heading for heading in HEADINGS if model is Settings and name in heading.model_fields), model)
    return " ".join((owner.__doc__ or "").split()).partition(". ")[0].rstrip(".")
