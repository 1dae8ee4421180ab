"""The schema as a flat table: dotted key -> its option on the command line."""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from .. import registry
from ..errors import ConfigError
from ..models.settings import ModelOptions
from ..plugins import DRIVERS, DriverEntry, OneOf
from .schema import HEADINGS, Movement, Settings


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
        """True where the bare flag means true."""
        return bool in self.members

    @property
    def is_list(self) -> bool:
        """True where the flag takes several words."""
        return any(get_origin(member) in (list, tuple) for member in self.members)

    @property
    def is_open(self) -> bool:
        """True where it is a mapping whose keys belong to a model, so that the schema cannot list them."""
        return any(get_origin(member) is dict for member in self.members)

    @property
    def may_be_none(self) -> bool:
        """True where the word ``none`` means that there is no value."""
        return type(None) in self.members

    @property
    def choices(self) -> tuple[str, ...]:
        """The words it accepts, where they are listed."""
        if self.names is not None:
            return self.names.words
        return tuple(word for member in self.members if get_origin(member) is Literal for word in get_args(member))


def settings_class(model: str | None = None) -> type[Settings]:
    """The class of a run's settings: those that all models share, and the model's own flags.

    Args:
        model: None: the shared ones alone.

    Raises:
        UnknownNameError, ConfigError: there is no such model, or one of its flags has a name of the shared ones.
    """
    own = None if model is None else registry.options_class(model)
    drivers = _driver_options()
    shared = _joined(None, drivers) if drivers else Settings
    if own is None:
        return shared
    taken = sorted(own.model_fields.keys() & shared.model_fields.keys())
    if taken:
        what = f"the flag --{taken[0]} of model '{model}' has the name of one that all models share"
        raise ConfigError(what, cure="Update or uninstall the package that brings it.")
    return _joined(own, drivers)


def drivers() -> dict[str, DriverEntry]:
    """Drivers that can be used, by signal."""
    return {name: entry for name, entry in DRIVERS.usable().items() if driver_fault(name, entry) is None}


def driver_fault(name: str, entry: DriverEntry) -> str | None:
    """Reason why the settings of a driver cannot stand beside the shared ones; None if they can."""
    if DRIVERS.owns(name):
        return None
    brought = {} if entry.options is None else entry.options.model_fields
    taken = sorted(brought.keys() & Settings.model_fields.keys())
    if taken:
        return f"its flag --{taken[0]} has the name of one of ours"
    return None if entry.flag in brought else f"its flag '{entry.flag}' is no setting that it brings"


def _driver_options() -> tuple[type[BaseModel], ...]:
    """Settings that drivers of other packages bring."""
    return tuple(entry.options for entry in drivers().values() if entry.options is not None)


@cache
def _joined(own: type[ModelOptions] | None, drivers: tuple[type[BaseModel], ...]) -> type[Settings]:
    facts = {"__module__": __name__, "DriverOptions": drivers} | ({} if own is None else {"OwnOptions": own})
    bases = (Settings, *drivers, *([] if own is None else [own]))
    joined: type[Settings] = types.new_class("Settings", bases, exec_body=lambda body: body.update(facts))
    return joined


def options(model: str | None = None) -> dict[str, Option]:
    """The shared settings and the own flags of ``model`` by dotted key, in the order of ``--help``."""
    return table(settings_class(model))


@cache
def table(settings: type[Settings]) -> dict[str, Option]:
    """All settings of a class of settings by dotted key, in the order of ``--help``."""
    names = [name for heading in _headings(settings) for name in heading.model_fields]
    nested = [name for name in settings.model_fields if name not in names]
    return {option.key: option for option in walk(settings, "", [*names, *nested])}


def groups(model: str | None = None) -> frozenset[str]:
    """Keys that hold other keys, such as ``train``."""
    keys = [key.split(".") for key in options(model)]
    return frozenset(".".join(parts[:depth]) for parts in keys for depth in range(1, len(parts)))


def find(key: str, model: str | None = None) -> Option | None:
    """The setting of a dotted key; keys below an open mapping share one made-up entry; None if there is none."""
    known = options(model)
    if key in known:
        return known[key]
    parts = key.split(".")
    parents = (".".join(parts[:depth]) for depth in range(1, len(parts)))
    parent = next((known[name] for name in parents if name in known and known[name].is_open), None)
    return Option(key, Any, None, parent.meaning, parent.heading) if parent else None


def find_anywhere(key: str, model: str | None = None) -> Option | None:
    """Like `find`, also among keys of other models; those are refused later unless they hold the default."""
    option = find(key, model)
    return option or next((find(key, owner) for owner in owners(key)), None)


def owners(key: str) -> list[str]:
    """Models that have an own flag of this dotted key."""
    name = key.partition(".")[0]
    named = (model for model, own in registry.all_options().items() if name in own.model_fields)
    return [model for model in named if not _clashes(model) and find(key, model)]


def _clashes(model: str) -> bool:
    """True where a model's flags cannot stand beside the shared ones, which concerns its own users alone."""
    try:
        settings_class(model)
    except ConfigError:
        return True
    return False


def _headings(settings: type[Settings]) -> tuple[type[BaseModel], ...]:
    at = HEADINGS.index(Movement) + 1
    return (*HEADINGS[:at], *settings.DriverOptions, settings.OwnOptions, *HEADINGS[at:])


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
    headings = _headings(model) if issubclass(model, Settings) else ()
    owner = next((heading for heading in headings if name in heading.model_fields), model)
    return " ".join((owner.__doc__ or "").split()).partition(". ")[0].rstrip(".")
