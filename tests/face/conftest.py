"""Fixtures of several tests of faces."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from talkingface.face.detect.analyser import FaceAnalyser, open_analyser, problem_of
from talkingface.paths import default_checkpoint_root


@pytest.fixture(scope="session")
def mesh() -> FaceAnalyser:
    """The offline backend."""
    problem = problem_of("mesh", default_checkpoint_root())
    if problem is not None:
        pytest.skip(str(problem))
    return open_analyser("mesh")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the shared test data."""
    folder = Path(os.environ.get("TALKINGFACE_SHARED", Path(__file__).parents[3] / "shared")) / "data"
    if not (folder / "MANIFEST.csv").is_file():
        pytest.skip("shared test data is not here")
    return folder
