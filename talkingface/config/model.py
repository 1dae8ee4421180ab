"""The model's own settings: published variants, and checks against the model's own typed configuration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel, ValidationError

from .. import registry
from ..errors import ConfigError, UnknownNameError, did_you_mean
from .yaml_file import flatten, read_yaml

if TYPE_CHECKING:
    from .schema import Settings


def variant_names(model: str) -> list[str]:
    """The published configurations of a model, by the names that ``--variant`` takes."""
    return sorted(path.stem for path in (registry.entry(model).properties / model).glob("*.yaml"))


def variant_file(model: str, variant: str) -> Path:
    """The YAML file of a variant.

    Raises:
        UnknownNameError: if the model has no such variant.
    """
    names = variant_names(model)
    if variant not in names:
        raise UnknownNameError(f"{model} has no variant '{variant}'", cure=did_you_mean(variant, names))
    return registry.entry(model).properties / model / f"{variant}.yaml"


def variant_params(model: str, variant: str) -> dict[str, Any]:
    """The model's own settings in a variant, as written in its file; errors as :func:`variant_file`."""
    return dict(read_yaml(variant_file(model, variant)).get("model_params") or {})


def model_config(settings: Settings, base: Mapping[str, Any] | None = None) -> Any:
    """The typed configuration to build the model with.

    Args:
        base: the configuration that the weights bring, from their file or from :func:`variant_params`; what the user
            set in ``model_params`` wins over it. Without one, the model's own defaults are the ground.

    Raises:
        ConfigError: for a wrong key, type or range, naming its file or flag.
    """
    config_class = registry.config_class(settings.model)
    try:
        return config_class.model_validate(_merged(base or {}, settings.model_params))
    except ValidationError as error:
        lines = [_complaint(settings, config_class, problem) for problem in error.errors()]
        raise ConfigError("\n".join(dict.fromkeys(lines))) from None


def params_beside_variant(settings: Settings) -> dict[str, Any]:
    """The ``model_params`` that differ from those of the variant, and those that flags set."""
    if settings.variant is None:
        return settings.model_params
    own = dict(flatten({"model_params": variant_params(settings.model, settings.variant)}))
    tree: dict[str, Any] = {}
    for key, value in flatten({"model_params": settings.model_params}):
        if key not in own or own[key] != value or settings.origin(key).startswith("--"):
            *parents, name = key.split(".")[1:]
            node = tree
            for parent in parents:
                node = node.setdefault(parent, {})
            node[name] = value
    return tree


def check_model_params(settings: Settings) -> None:
    """Refuse wrong settings of the model before anything heavy is loaded, and give the right ones their types.

    Raises:
        ConfigError: as :func:`model_config`.
    """
    if settings.model_params:
        whole = model_config(settings).model_dump(mode="json")
        settings.model_params = _chosen(whole, settings.model_params)


def _chosen(whole: Mapping[str, Any], names: Mapping[str, Any]) -> dict[str, Any]:
    """The values of ``whole`` that ``names`` has too."""
    return {
        key: _chosen(whole[key], inner)
        if isinstance(inner, Mapping) and isinstance(whole[key], Mapping)
        else whole[key]
        for key, inner in names.items()
    }


def _merged(low: Mapping[str, Any], high: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(low)
    for key, value in high.items():
        old = merged.get(key)
        merged[key] = _merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged


def _complaint(settings: Settings, config_class: type[BaseModel], problem: Any) -> str:
    path = [str(part) for part in problem["loc"]]
    keys = [".".join(["model_params", *path[:depth]]) for depth in range(len(path), 0, -1)]
    origin = next((settings.origin(key) for key in keys if settings.origin(key) != "default"), settings.model)
    where = origin if origin.startswith("--") or not keys else f"{origin}: {keys[0]}"
    if problem["type"] == "extra_forbidden":
        return str(ConfigError("unknown key", where=where, cure=did_you_mean(path[-1], _keys_at(config_class, path))))
    message = problem["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return str(ConfigError(f"'{problem['input']}' {message[:1].lower()}{message[1:]}", where=where))


def _keys_at(model: type[BaseModel], path: list[str]) -> list[str]:
    """The keys that stand beside the last one of ``path`` in a configuration class."""
    for part in path[:-1]:
        annotation = model.model_fields[part].annotation
        candidates = [annotation, *get_args(annotation)]
        model = next(kind for kind in candidates if isinstance(kind, type) and issubclass(kind, BaseModel))
    return list(model.model_fields)
