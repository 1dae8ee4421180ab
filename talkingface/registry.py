"""Names of models -> where they live. Listing them loads none; asking for one loads no other.

Packages of other people add models through entry points of the group ``talkingface.models``: the entry point's name
is the word after ``--model=``, and it leads to a :class:`ModelEntry` in a module that is quick to import.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import ConfigError, UnknownNameError, did_you_mean
from .paths import shipped

if TYPE_CHECKING:
    from pydantic import BaseModel

    from .models.base import ModelPlugin
    from .models.settings import ModelOptions

GROUP = "talkingface.models"
OURS = "talkingface"
logger = logging.getLogger("talkingface")

# What importing a broken module raises in practice: a stranger's fault becomes one line, never the end of our models.
IMPORT_FAILURES = (
    *(ImportError, SyntaxError, NameError, AttributeError, TypeError),
    *(ValueError, LookupError, RuntimeError, OSError),
)


@dataclass(frozen=True)
class ModelEntry:
    """Where a model lives.

    Attributes:
        plugin: import string ``module:class`` of its :class:`~talkingface.models.base.ModelPlugin`.
        config: import string of its pydantic configuration class, in a module that loads no torch.
        properties: folder with ``<Name>.yaml`` (defaults of the family) and ``<Name>/<variant>.yaml``.
        options: the model's own inference flags: a :class:`~talkingface.models.settings.ModelOptions`, or its import
            string, in a module that loads no torch; None: it has none.
        coefficients: whether face coefficients drive it. This and the next let flags be refused before networks are
            loaded; None: not said, and found out only then.
        pose_styles: how many styles of head motion its voice knows; 0: it has no voice.
    """

    plugin: str
    config: str
    properties: Path
    options: str | type[ModelOptions] | None = None
    coefficients: bool | None = None
    pose_styles: int | None = None


def _builtin() -> dict[str, ModelEntry]:
    folder = shipped("properties", "model")
    return {
        "FOM": ModelEntry(
            "talkingface.models.fom.plugin:FOM",
            "talkingface.models.fom.config:FOMConfig",
            folder,
            coefficients=False,
            pose_styles=0,
        ),
        "SadTalker": ModelEntry(
            "talkingface.models.sadtalker.plugin:SadTalker",
            "talkingface.models.sadtalker.config:SadTalkerConfig",
            folder,
            coefficients=True,
            pose_styles=46,
        ),
        "StyleHeat": ModelEntry(
            "talkingface.models.styleheat.plugin:StyleHeat",
            "talkingface.models.styleheat.config:StyleHeatConfig",
            folder,
            options="talkingface.models.styleheat.edits.options:EditOptions",
            coefficients=True,
            pose_styles=0,
        ),
    }


def models() -> list[str]:
    """Names of all models, ours and other people's; broken ones are still named."""
    return sorted({*_builtin(), *(point.name for point in _strangers())})


def entry(name: str) -> ModelEntry:
    """Where the model ``name`` lives.

    Raises:
        UnknownNameError: if there is no such model, or its package is broken (with the reason).
        ConfigError: if two packages offer the name.
    """
    owners = [point for point in _strangers() if point.name == name]
    names = [*([OURS] if name in _builtin() else []), *map(_owner, owners)]
    if len(names) > 1:
        cure = f"Uninstall {' or '.join(owner for owner in names if owner != OURS)}."
        raise ConfigError(f"model '{name}' is offered by {' and by '.join(names)}", cure=cure)
    if name in _builtin():
        return _builtin()[name]
    if not owners:
        raise UnknownNameError(f"unknown model '{name}'", cure=did_you_mean(name, models()))
    reason = _reason(owners[0])
    if reason is not None:
        raise UnknownNameError(f"model '{name}' of {names[0]} is broken: {reason}", cure="Update or uninstall it.")
    found: ModelEntry = owners[0].load()
    return found


def model(name: str) -> type[ModelPlugin]:
    """The plug-in class of a model (loads torch); errors as :func:`entry`."""
    plugin: type[ModelPlugin] = _load(name, entry(name).plugin)
    return plugin


def config_class(name: str) -> type[BaseModel]:
    """The pydantic class of a model's own settings (loads no torch); errors as :func:`entry`."""
    config: type[BaseModel] = _load(name, entry(name).config)
    return config


def options_class(name: str) -> type[ModelOptions] | None:
    """The pydantic class of a model's own inference flags, None where it has none; errors as :func:`entry`."""
    options = entry(name).options
    found: type[ModelOptions] | None = _load(name, options) if isinstance(options, str) else options
    return found


def all_options() -> dict[str, type[ModelOptions]]:
    """Models with inference flags of their own -> the class of these flags; models that are broken are left out."""
    found = {}
    for name in models():
        try:
            options = options_class(name)
        except (UnknownNameError, ConfigError):
            continue
        if options is not None:
            found[name] = options
    return found


def broken() -> dict[str, str]:
    """Models of other packages that cannot be used -> the reason; each is also logged, once."""
    reasons = {point.name: _reason(point) for point in _strangers()}
    return {name: reason for name, reason in reasons.items() if reason is not None}


def _load(name: str, target: str) -> Any:
    """The object of an import string; faults of our own modules keep their traceback."""
    module, _, attribute = target.partition(":")
    if name in _builtin():
        return getattr(import_module(module), attribute)
    try:
        return getattr(import_module(module), attribute)
    except IMPORT_FAILURES as error:
        raise UnknownNameError(f"model '{name}' is broken: {_told(error)}", cure="Update or uninstall it.") from error


def _strangers() -> Iterator[EntryPoint]:
    return iter(sorted(entry_points(group=GROUP), key=lambda point: (point.name, _owner(point))))


@cache
def _reason(point: EntryPoint) -> str | None:
    """Why a stranger's entry point cannot be used, or None; found out and logged once."""
    try:
        found = point.load()
    except IMPORT_FAILURES as error:
        reason = _told(error)
    else:
        if isinstance(found, ModelEntry):
            return None
        reason = f"{point.value} is no talkingface.registry.ModelEntry"
    logger.warning("model '%s' of %s is broken: %s", point.name, _owner(point), reason)
    return reason


def _told(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())


def _owner(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else point.value.partition(":")[0]
