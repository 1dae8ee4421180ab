"""Raw videos made from the clips that ship, and what is prepared from them."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.prepare_kill import SMALL, Undisturbed
from benchmarks.raw_videos import make_raw_videos
from talkingface.cli import main
from talkingface.face.detect.analyser import problem_of
from talkingface.paths import default_checkpoint_root


@pytest.fixture(scope="session")
def mesh() -> None:
    """Skips what needs faces to be found where the face mesh is not there."""
    problem = problem_of("mesh", default_checkpoint_root())
    if problem is not None:
        pytest.skip(str(problem))


@pytest.fixture(scope="session")
def raw(mesh: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three people, one video without a face, and a torn one."""
    return make_raw_videos(tmp_path_factory.mktemp("raw"))


def prepare(raw: Path, out: Path, *flags: str) -> int:
    """Run the command with small limits; its exit status."""
    return main(["--run_mode=prepare", f"--raw={raw}", f"--prepare.out={out}", *SMALL, "--workers=2", *flags])


@pytest.fixture(scope="session")
def prepared_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder for the undisturbed data set."""
    return tmp_path_factory.mktemp("prepared")


@pytest.fixture(scope="session")
def undisturbed(raw: Path, prepared_in: Path) -> Undisturbed:
    """The data set of the raw videos, by the command in a process of its own."""
    return Undisturbed.of(raw, prepared_in, ("--workers=2",))


@pytest.fixture(scope="session")
def prepared(undisturbed: Undisturbed, prepared_in: Path) -> Path:
    """Folder of the undisturbed data set."""
    return prepared_in
