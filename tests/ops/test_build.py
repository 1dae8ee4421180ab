"""Building on first use: once, whatever is killed, missing or broken."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
import torch

from talkingface.errors import ConfigError, DependencyError
from talkingface.ops import native, toolchain, upfirdn2d
from talkingface.ops.build import folder_of
from talkingface.ops.toolchain import LIBRARY, recipe

from .conftest import program
from .settings import BLUR

USE = "from talkingface.ops import native; import torch; print(native.library_for(torch.zeros(1)) is not None)"
X = torch.randn(1, 3, 9, 9)


def folder() -> Path:
    return folder_of(recipe("cpu"))


def start(compiler: Path) -> subprocess.Popen[str]:
    """Another process that uses an operation, in a group of its own."""
    environment = {**os.environ, "CXX": str(compiler), native.VARIABLE: "auto"}
    return subprocess.Popen(
        [sys.executable, "-c", USE], env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    )


def wait_for(path: Path) -> None:
    until = time.monotonic() + 120
    while not path.exists():
        assert time.monotonic() < until, f"{path} does not appear"
        time.sleep(0.02)


def test_a_killed_build_is_made_again(empty_cache: Path, compiler: Path, tmp_path: Path, monkeypatch) -> None:
    begun = tmp_path / "begun"
    slow = program(tmp_path / "slow", f'case "$*" in *" -c "*) : > {begun}; sleep 300;; esac; exec {compiler} "$@"')
    killed = start(slow)
    try:
        wait_for(begun)
        killed.kill()  # as kill -9; what it has started ends with it
        assert killed.wait() == -signal.SIGKILL
        left = list(folder().glob("build-*"))
        assert len(left) == 1
        monkeypatch.setenv(native.VARIABLE, "require")
        assert upfirdn2d(X, BLUR).shape == (1, 3, 6, 6)
        assert (folder() / LIBRARY).is_file()
        assert not left[0].exists()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(killed.pid, signal.SIGKILL)


def test_processes_at_once_build_once(empty_cache: Path, compiler: Path, tmp_path: Path) -> None:
    said = tmp_path / "said"
    telling = program(tmp_path / "telling", f'echo "$*" >> {said}; exec {compiler} "$@"')
    processes = [start(telling) for _ in range(3)]
    assert [process.communicate(timeout=300)[0].strip() for process in processes] == ["True"] * 3
    assert sum("-shared" in line for line in said.read_text().splitlines()) == 1


def test_a_failed_build_falls_back_and_says_why_once(
    empty_cache: Path, compiler: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    said = tmp_path / "said"
    text = f'case "$*" in *--version*) ;; *) echo x >> {said}; echo "fatal error: no room" >&2; exit 1;; esac'
    monkeypatch.setenv("CXX", str(program(tmp_path / "broken", text)))
    with caplog.at_level(logging.WARNING, "talkingface"):
        for _ in range(2):
            upfirdn2d(X, BLUR)
        tried = len(said.read_text())
        monkeypatch.setattr(native, "_loaded", {})  # the next process
        torch.testing.assert_close(upfirdn2d(X, torch.ones(1, 1)), X)
    assert len(said.read_text()) == tried
    assert len(caplog.records) == 1
    assert "no room" in json.loads((folder() / "failure.json").read_text())["reason"]
    (state,) = (state for state in native.states() if state.kind == "cpu")
    assert "building failed: " in state.text and "no room" in state.text
    assert str(folder()) in state.cure
    monkeypatch.setenv(native.VARIABLE, "require")
    with pytest.raises(DependencyError, match="no room"):
        upfirdn2d(X, BLUR)
    assert len(said.read_text()) > tried  # who requires it has it tried again


def test_missing_programs(empty_cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    caplog.set_level(logging.INFO, "talkingface")
    assert upfirdn2d(X, BLUR).shape == (1, 3, 6, 6)
    assert [(said.levelno, "no-such-compiler" in said.getMessage()) for said in caplog.records] == [
        (logging.INFO, True)
    ]
    assert not empty_cache.exists()
    assert any("no-such-compiler" in state.text for state in native.states())
    monkeypatch.setenv(native.VARIABLE, "require")
    with pytest.raises(DependencyError, match="no-such-compiler"):
        upfirdn2d(X, BLUR)
    assert len(caplog.records) == 1  # nothing is said of plain PyTorch where it is not taken


def test_missing_ninja(empty_cache: Path, compiler: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name, path=None: None if name == "ninja" else str(compiler))
    assert upfirdn2d(X, BLUR).shape == (1, 3, 6, 6)
    monkeypatch.setenv(native.VARIABLE, "require")
    with pytest.raises(DependencyError, match="ninja"):
        upfirdn2d(X, BLUR)


def test_off_builds_nothing(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(native.VARIABLE, "off")
    upfirdn2d(X, BLUR)
    assert native._loaded == {}
    assert not empty_cache.exists()


def test_what_has_no_native_form(library: native.Library, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DependencyError, match="bfloat16 on cpu"):
        upfirdn2d(X.bfloat16(), BLUR)
    monkeypatch.setenv(native.VARIABLE, "auto")
    assert upfirdn2d(X.bfloat16(), BLUR).dtype is torch.bfloat16


def test_another_word_is_an_error(nothing_loaded: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(native.VARIABLE, "of")
    with pytest.raises(ConfigError, match="auto, off or require"):
        upfirdn2d(X, BLUR)


def test_a_damaged_library_is_told(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder().mkdir(parents=True)
    (folder() / LIBRARY).write_bytes(b"not a library")
    assert upfirdn2d(X, BLUR).shape == (1, 3, 6, 6)
    monkeypatch.setenv(native.VARIABLE, "require")
    with pytest.raises(DependencyError, match="cannot be loaded"):
        upfirdn2d(X, BLUR)


def test_the_key_follows_what_matters(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    first = recipe("cpu").key
    assert recipe("cpu").key == first
    monkeypatch.setattr(torch, "__version__", "99.0")
    second = recipe("cpu").key
    shutil.copytree(toolchain.SOURCES, tmp_path / "csrc")
    monkeypatch.setattr(toolchain, "SOURCES", tmp_path / "csrc")
    assert recipe("cpu").key == second
    (tmp_path / "csrc" / "polyphase.h").write_text("// changed")
    third = recipe("cpu").key
    monkeypatch.setattr(toolchain, "_processor", lambda: "another")
    assert len({first, second, third, recipe("cpu").key}) == 4
