"""Native operations for the tests: built once, into a cache of their own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from talkingface.errors import DependencyError
from talkingface.ops import native
from talkingface.ops.toolchain import ninja, recipe


def missing() -> str | None:
    """Reason why nothing can be compiled here; None where it can."""
    try:
        recipe("cpu").compiler()
        ninja()
    except DependencyError as error:
        return str(error)
    return None


@pytest.fixture(scope="session")
def compiler() -> Path:
    """A C++ compiler, with ninja beside it."""
    if missing():
        pytest.skip(str(missing()))
    return recipe("cpu").compiler()


@pytest.fixture(scope="session")
def built_cache(compiler: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder with the processor's library in it."""
    cache = tmp_path_factory.mktemp("ops-cache")
    with mock.patch.dict(os.environ, {"XDG_CACHE_HOME": str(cache)}):
        native.build(recipe("cpu"))
    return cache


@pytest.fixture
def nothing_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """State of a process that has used no operation yet, whatever the user's environment says."""
    monkeypatch.setattr(native, "_loaded", {})
    monkeypatch.delenv(native.VARIABLE, raising=False)


@pytest.fixture
def library(built_cache: Path, nothing_loaded: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[native.Library]:
    """The native operations of the processor; the public functions must use them."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(built_cache))
    monkeypatch.setenv(native.VARIABLE, "require")
    found = native._load("cpu", again=False)
    assert isinstance(found, native.Library), found
    yield found


@pytest.fixture(params=["off", "require"])
def either(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Once with plain PyTorch, once with the native operations."""
    if request.param == "require":
        request.getfixturevalue("library")
    monkeypatch.setenv(native.VARIABLE, request.param)
    return str(request.param)


@pytest.fixture
def empty_cache(tmp_path: Path, nothing_loaded: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder without anything."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def program(path: Path, text: str) -> Path:
    """A shell script that can be started."""
    path.write_text(f"#!{shutil.which('sh')}\n{text}\n")
    path.chmod(0o755)
    return path
