"""YAML files with settings -> flat dotted keys. Files are data: only plain values, no key twice."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from ..errors import ConfigError, did_you_mean
from .flags import Given
from .options import find_anywhere, groups, options

PUBLISHED = {"dataset_params", "train_params", "reconstruction_params", "animate_params", "visualizer_params"}
"""Sections of the configurations that were published with FOM; ours have them under other names."""


def is_special(path: Path) -> bool:
    """True if something is there that is no file or folder: a pipe, device or socket, whose reading may never end."""
    try:
        return path.exists() and not path.is_file() and not path.is_dir() and str(path) != os.devnull
    except (OSError, ValueError):  # no name that a file could have
        return False


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file; an empty file is an empty mapping.

    Raises:
        ConfigError: if the file is missing, is not YAML, holds no mapping, or names a key twice.
    """
    if is_special(path):
        raise ConfigError("is a pipe, device or socket, not a regular file", where=path, cure="Name a file.")
    try:
        text = path.read_text(encoding="utf-8")
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        content = yaml.safe_load(text)
    except FileNotFoundError:
        raise ConfigError("no such settings file", where=path, cure="Check the path after --config.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot be read as a settings file: {error}", where=path) from None
    except yaml.YAMLError as error:
        raise ConfigError(f"is not YAML: {' '.join(str(error).split())}", where=path) from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError("holds no settings", where=path, cure="Write lines of the form 'key: value'.")
    for line, key in _repeated_keys(tree):
        raise ConfigError(f"key '{key}' stands twice", where=f"{path}, line {line}", cure="Keep one of them.")
    return content


def read_layer(path: Path, model: str | None = None) -> list[Given]:
    """The settings of a file, one per dotted key.

    Args:
        model: whose own flags are known beside the shared ones.

    Raises:
        ConfigError: as :func:`read_yaml`, and for keys that no setting has, all of them at once.
    """
    given = [Given(key, value, str(path)) for key, value in flatten(read_yaml(path), model=model)]
    wrong = [str(_unknown_key(item, model)) for item in given if find_anywhere(item.key, model) is None]
    if wrong:
        raise ConfigError("\n".join(wrong))
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
    if parts[0] in PUBLISHED:
        cure = "Published configurations are built in: use --variant=NAME instead of their file."
        return ConfigError(f"'{parts[0]}' is a section of the published layout", where=item.origin, cure=cure)
    if item.key in inner:
        return ConfigError(f"'{item.key}' is a group of settings", where=item.origin, cure="Give it a mapping of keys.")
    depth = next(depth for depth in range(1, len(parts) + 1) if ".".join(parts[:depth]) not in inner)
    parent, name = ".".join(parts[: depth - 1]), parts[depth - 1]
    if depth < len(parts) and ".".join(parts[:depth]) in known:
        return ConfigError(f"'{'.'.join(parts[:depth])}' has no keys of its own", where=item.origin)
    siblings = {
        key.removeprefix(f"{parent}." if parent else "").split(".")[0]
        for key in [*known, *inner]
        if not parent or key.startswith(f"{parent}.")
    }
    return ConfigError(f"unknown key '{'.'.join(parts[:depth])}'", where=item.origin, cure=did_you_mean(name, siblings))


def _repeated_keys(node: yaml.Node | None) -> Iterator[tuple[int, str]]:
    """(line, key) of each key that an earlier line of the same mapping has; every node is visited once."""
    todo, visited = [node], set()
    while todo:
        node = todo.pop()
        if node is None or id(node) in visited:
            continue
        visited.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            todo.extend(node.value)
        elif isinstance(node, yaml.MappingNode):
            todo.extend(value for _, value in node.value)
            names: set[str] = set()
            for key, _ in node.value:
                if key.value in names:
                    yield key.start_mark.line + 1, str(key.value)
                names.add(key.value)
