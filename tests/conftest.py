"""For all tests: coefficients are not taken from earlier runs, nor left to later ones."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

SHARED = ("ops", "clips", "frames")  # take long to make, and tests that make them have folders of their own


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    users = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "talkingface"
    ours = tmp_path_factory.mktemp("cache")
    (ours / "talkingface").mkdir()
    for name in SHARED:
        (users / name).mkdir(parents=True, exist_ok=True)
        (ours / "talkingface" / name).symlink_to(users / name, target_is_directory=True)
    with mock.patch.dict(os.environ, {"XDG_CACHE_HOME": str(ours)}):
        yield
