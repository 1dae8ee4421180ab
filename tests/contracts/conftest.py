"""The example package, installed the way pip leaves it behind; and five frames of a real picture that moves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from train.tiny import write_clips

from talkingface import plugins
from talkingface.media.image import read_image, resize
from talkingface.paths import CLONE, shipped
from talkingface.pipelines.frames import to_tensor

EXAMPLE = CLONE / "examples" / "drift"
PARTS = CLONE / "examples" / "parts"
HEAD = re.compile(r'\[project\.entry-points\."([^"]+)"\]')


@pytest.fixture(autouse=True)
def example(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make what the example packages add known, through the entry points that their pyproject.toml declare."""
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
    plugins.fault_of.cache_clear()
    yield
    plugins.fault_of.cache_clear()


@pytest.fixture(scope="session")
def frames() -> Tensor:
    """(5, 3, 64, 64): the shipped portrait, wandering to the right."""
    picture = resize(read_image(shipped("dataset", "sample", "source.png")), (64, 64))
    return to_tensor([np.roll(picture, 3 * step, axis=1) for step in range(5)])


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of four clips of 64 x 64."""
    return write_clips(tmp_path_factory.mktemp("clips"), size=64)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
