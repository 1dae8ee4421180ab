"""Settings as text: every value with its origin, and the file that repeats a run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml

from .. import registry
from .options import table
from .schema import Settings
from .yaml_file import flatten

NOT_SAVED = {"config", "print_config"}  # what the files of --config said is in the saved values already


def describe(settings: Settings) -> str:
    """One line per setting: ``key: value  # origin``; the model's own settings stand last."""
    values = _plain(settings)
    lines = [
        _line(key, _at(values, key), settings.origin(key)) for key in table(type(settings)) if key != "model_params"
    ]
    given = {f"model_params.{key}": value for key, value in _leaves(settings.model_params)}
    for key, value in _leaves(registry.config_class(settings.model)().model_dump(mode="json")):
        given.setdefault(f"model_params.{key}", value)
    lines += [_line(key, value, _model_origin(settings, key)) for key, value in given.items()]
    return "\n".join(lines)


def save_settings(settings: Settings, path: Path) -> Path:
    """Write the settings as YAML so that ``--config`` of that file repeats the run; written beside and renamed."""
    values = {key: value for key, value in _plain(settings).items() if key not in NOT_SAVED}
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_text(yaml.safe_dump(values, sort_keys=False, allow_unicode=True), encoding="utf-8")
    part.replace(path)
    return path


def _plain(settings: Settings) -> dict[str, Any]:
    """All values as YAML knows them, in the order of ``--help``."""
    values = settings.model_dump(mode="json")
    return {name: values[name] for name in dict.fromkeys(key.split(".")[0] for key in table(type(settings)))}


def _at(values: Any, key: str) -> Any:
    for part in key.split("."):
        values = values[part]
    return values


def _leaves(mapping: dict[str, Any]) -> list[tuple[str, Any]]:
    return [(key.removeprefix("model_params."), value) for key, value in flatten({"model_params": mapping})]


def _model_origin(settings: Settings, key: str) -> str:
    origin = settings.origin(key)
    return f"default of {settings.model}, unless the weights say otherwise" if origin == "default" else origin


def _line(key: str, value: Any, origin: str) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000).removesuffix("...\n").strip()
    return f"{key}: {text}  # {origin}"
