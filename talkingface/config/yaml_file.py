"""YAML files with settings -> flat dotted keys. Files are data: only plain values, no key twice."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import ConfigError, did_you_mean, quoted
from ..text.plain_yaml import load
from .options import find_anywhere, groups, options
from .translate import Given


def is_special(path: Path) -> bool:
    """True if something is there that is no file or folder: a pipe, device or socket, whose reading may never end."""
    try:
        return path.exists() and not path.is_file() and not path.is_dir() and str(path) != os.devnull
    except (OSError, ValueError):  # no name that a file could have
        return False


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file; an empty file is an empty mapping.

    Raises:
        ConfigError: if the file is missing, is not YAML of plain values, holds no mapping, or names a key twice.
    """
    if not os.path.exists(path):  # noqa: PTH110 (a name that no file can have is no file, and no exception)
        raise ConfigError("no such settings file", where=path, cure="Check the path after --config.")
    content = load(path)
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError("holds no settings", where=path, cure="Write lines of the form 'key: value'.")
    return content


def read_layer(path: Path, model: str | None = None) -> list[Given]:
    """The settings of a file, one per dotted key; arguments and errors as :func:`layer_of`, and :func:`read_yaml`."""
    return layer_of(read_yaml(path), path, model)


def layer_of(content: Mapping[str, Any], path: Path, model: str | None = None) -> list[Given]:
    """The settings of the mapping in a file, one per dotted key.

    Args:
        path: the file, for messages.
        model: whose own flags are known beside the shared ones.

    Raises:
        ConfigError: for keys that no setting has, all of them at once.
    """
    given = [Given(key, value, str(path)) for key, value in flatten(content, model=model)]
    wrong = [str(_unknown_key(item, model)) for item in given if find_anywhere(item.key, model) is None]
    if wrong:
        raise ConfigError("\n".join(dict.fromkeys(wrong)))
    return given


def flatten(mapping: Mapping[Any, Any], prefix: str = "", *, model: str | None = None) -> Iterator[tuple[str, Any]]:
    """Nested mappings -> (dotted key, value); an empty mapping sets nothing."""
    for name, value in mapping.items():
        key = f"{prefix}{name}"
        option = find_anywhere(key, model)
        is_group = key in groups(model) or option is None or option.is_open or option.annotation is Any
        if isinstance(value, Mapping) and is_group:
            yield from flatten(value, f"{key}.", model=model)
        else:
            yield key, value


def _unknown_key(item: Given, model: str | None) -> ConfigError:
    parts, known, inner = item.key.split("."), options(model), groups(model)
    if item.key in inner:
        what = f"{quoted(item.key)} is a group of settings"
        return ConfigError(what, where=item.origin, cure="Give it a mapping of keys.")
    depth = next(depth for depth in range(1, len(parts) + 1) if ".".join(parts[:depth]) not in inner)
    parent, name = ".".join(parts[: depth - 1]), parts[depth - 1]
    if depth < len(parts) and ".".join(parts[:depth]) in known:
        return ConfigError(f"{quoted('.'.join(parts[:depth]))} has no keys of its own", where=item.origin)
    siblings = {
        key.removeprefix(f"{parent}." if parent else "").split(".")[0]
        for key in [*known, *inner]
        if not parent or key.startswith(f"{parent}.")
    }
    what = f"unknown key {quoted('.'.join(parts[:depth]))}"
    return ConfigError(what, where=item.origin, cure=did_you_mean(name, siblings))
