"""Paths and addresses as users write them: ``~`` is their home, and an address is no file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args
from urllib.parse import unquote

from ..errors import ConfigError, TalkingFaceError
from ..paths import user_path
from .options import Option, find
from .translate import Given

ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
TEXT_PATHS = frozenset({"checkpoint", "dataset", "audio", "drive", "train.resume"})
"""Settings that are text because they take other words too, and whose words may be paths."""

_FACE = re.compile(r"\d{1,4}=")  # what stands before the path in --drive


def as_meant(given: Iterable[Given], model: str | None, problems: list[TalkingFaceError]) -> Iterator[Given]:
    """The settings, with the home folder in place of ``~`` in paths.

    Args:
        model: whose own flags are known beside the shared ones.
        problems: addresses in the place of paths are added, as they were written, and left out.
    """
    for item in given:
        option = find(item.key, model)
        if option is None or not takes_path(option):
            yield item
            continue
        written = [text for text in _texts(item.value) if ADDRESS.match(_path_in(item.key, text))]
        problems += [_no_file(item, text) for text in written]
        if not written:
            yield replace(item, value=_expanded(item.key, item.value))


def takes_path(option: Option) -> bool:
    """True where words of the setting are paths."""
    members = {inner for member in option.members for inner in (member, *get_args(member))}
    return Path in members or option.key in TEXT_PATHS


def _texts(value: Any) -> list[str]:
    """The words of a value as they were written."""
    return [text for text in (value if isinstance(value, list) else [value]) if isinstance(text, str)]


def _path_in(key: str, text: str) -> str:
    return _FACE.sub("", text, count=1) if key == "drive" else text


def _expanded(key: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_expanded(key, part) for part in value]
    if isinstance(value, Path):
        value = str(value)
    if not isinstance(value, str):
        return value
    if key == "checkpoint" and "," in value:
        return ",".join(_expanded(key, part.lstrip()) for part in value.split(","))
    path = _path_in(key, value)
    if not path.startswith("~"):
        return value
    return value.removesuffix(path) + str(user_path(path))


def _no_file(item: Given, text: str) -> ConfigError:
    where = f"{item.origin}={text}" if item.origin.startswith("--") else f"{item.origin}: {item.key}"
    where = item.origin if item.origin.startswith("argument") else where
    address = _path_in(item.key, text)
    cure = f"Write {unquote(address[7:])}." if address.casefold().startswith("file:///") else "Download it first."
    return ConfigError(f"'{address}' is an address, and only files are read", where=where, cure=cure)
