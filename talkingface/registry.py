"""Names of models -> where they live. Listing them loads none; asking for one loads no other.

Packages of other people add models through entry points of the group ``talkingface.models``: the entry point's name
is the word after ``--model=``, and it leads to a :class:`ModelEntry` in a module that is quick to import.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import ConfigError, UnknownNameError
from .paths import shipped
from .plugins import IMPORT_FAILURES, Plugins, load, one_line

if TYPE_CHECKING:
    from pydantic import BaseModel

    from .models.base import ModelPlugin
    from .models.settings import ModelOptions

GROUP = "talkingface.models"


@dataclass(frozen=True)
class ModelEntry:
    """Modules and facts of a model that are known before it is loaded.

    Attributes:
        plugin: import string ``module:class`` of its :class:`~talkingface.models.base.ModelPlugin`.
        config: import string of its pydantic configuration class, in a module that loads no torch.
        properties: folder with ``<Name>/<variant>.yaml`` and, where all variants share defaults, ``<Name>.yaml``.
        options: the model's own inference flags: a :class:`~talkingface.models.settings.ModelOptions`, or its import
            string, in a module that loads no torch; None: it has none.
        coefficients: true if face coefficients drive it. This and the next let flags be refused before networks are
            loaded; None: unknown until then.
        pose_styles: number of styles of head motion that its voice has; 0: it has no voice.
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


_MODELS: Plugins[ModelEntry] = Plugins(GROUP, "model", "talkingface.registry:ModelEntry", _builtin())


def models() -> list[str]:
    """Names of all models, ours and third-party ones, the broken ones among them."""
    return sorted(_MODELS.names())


def own_name(word: str) -> str:
    """The name of the model that is written ``word``, in upper or lower case; ``word`` itself if there is none."""
    names = models()
    alike = [name for name in names if name.casefold() == word.casefold()]
    return alike[0] if word not in names and len(alike) == 1 else word


def entry(name: str) -> ModelEntry:
    """Return the entry of the model ``name``.

    Raises:
        UnknownNameError: if there is no such model, or its package is broken (with the reason).
        ConfigError: if two packages offer the name.
    """
    return _MODELS.get(name)


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
    own: type[ModelOptions] | None = _load(name, options) if isinstance(options, str) else options
    return own


def all_options() -> dict[str, type[ModelOptions]]:
    """Models with inference flags of their own -> the class of these flags; models that are broken are left out."""
    classes = {}
    for name in models():
        try:
            options = options_class(name)
        except (UnknownNameError, ConfigError):
            continue
        if options is not None:
            classes[name] = options
    return classes


def broken() -> dict[str, str]:
    """Models of other packages that cannot be used -> the reason; each is also logged, once."""
    return _MODELS.broken()


def _load(name: str, target: str) -> Any:
    """The object of an import string; faults of our own modules keep their traceback."""
    if _MODELS.owns(name):
        return load(target)
    try:
        return load(target)
    except IMPORT_FAILURES as error:
        raise UnknownNameError(
            f"model '{name}' is broken: {one_line(error)}", cure="Update or uninstall it."
        ) from error
