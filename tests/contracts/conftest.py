"""The example package, installed the way pip leaves it behind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from talkingface import registry
from talkingface.paths import CLONE

EXAMPLE = CLONE / "examples" / "drift"


@pytest.fixture(autouse=True)
def example(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Path]]:
    """Make the models of the example package known, through the entry points that its pyproject.toml declares.

    Gives the folders that a process of its own needs on its path for that.
    """
    site = tmp_path_factory.mktemp("site")
    info = site / "talkingface_drift-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: talkingface-drift\nVersion: 0.1.0\n")
    declared = (EXAMPLE / "pyproject.toml").read_text(encoding="utf-8").partition('entry-points."talkingface.models"]')
    (info / "entry_points.txt").write_text(f"[{registry.GROUP}]\n{declared[2].replace(chr(34), '')}")
    monkeypatch.syspath_prepend(str(EXAMPLE))
    monkeypatch.syspath_prepend(str(site))
    registry._reason.cache_clear()
    yield [EXAMPLE, site]
    registry._reason.cache_clear()


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
