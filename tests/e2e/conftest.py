"""The command, run as a user runs it, with the small parts of the pipeline tests."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pipelines.small import make_clips, save_tiny_weights

from talkingface.paths import CLONE

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_weights(tmp_path_factory.mktemp("weights") / "tiny.safetensors")


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clips(tmp_path_factory.mktemp("clips"))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs ``run_talkingface.py`` with the given words from another folder."""

    def command(*words: object) -> subprocess.CompletedProcess[str]:
        program = [sys.executable, str(CLONE / "run_talkingface.py"), *map(str, words)]
        return subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, check=False)

    return command
