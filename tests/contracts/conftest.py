"""The example package, installed the way pip leaves it behind."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from talkingface import plugins
from talkingface.paths import CLONE

EXAMPLE = CLONE / "examples" / "drift"
PARTS = CLONE / "examples" / "parts"
HEAD = re.compile(r'\[project\.entry-points\."([^"]+)"\]')


@pytest.fixture(autouse=True)
def example(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Path]]:
    """Make what the example packages add known, through the entry points that their pyproject.toml declare.

    Gives the folders that a process of its own needs on its path for that.
    """
    site = tmp_path_factory.mktemp("site")
    for package in (EXAMPLE, PARTS):
        info = site / f"talkingface_{package.name}-0.1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: talkingface-{package.name}\nVersion: 0.1.0\n")
        declared = (package / "pyproject.toml").read_text(encoding="utf-8")
        tables = declared[HEAD.search(declared).start() :]  # type: ignore[union-attr]
        (info / "entry_points.txt").write_text(HEAD.sub(r"[\1]", tables).replace('"', ""))
        monkeypatch.syspath_prepend(str(package))
    monkeypatch.syspath_prepend(str(site))
    plugins.forget()
    yield [EXAMPLE, PARTS, site]
    plugins.forget()


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
