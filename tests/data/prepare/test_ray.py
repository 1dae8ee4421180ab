"""The Ray engine on a cluster of this machine with two workers. Skipped without Ray; `make test-ray` brings it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from benchmarks.prepare_kill import torment
from benchmarks.raw_videos import make_raw_videos
from talkingface.face.analyser import problem_of
from talkingface.paths import default_checkpoint_root

from .test_engines import check_answers

pytest.importorskip("ray", reason="pip install 'talkingface[ray]'")


def test_tasks_that_die_take_no_other_item_with_them(tmp_path: Path) -> None:
    from talkingface.data.prepare.engine_ray import RayEngine

    check_answers(RayEngine(2), tmp_path)


@pytest.mark.skipif(problem_of("mesh", default_checkpoint_root()) is not None, reason="needs the face mesh")
def test_a_preparation_with_a_killed_worker_ends_as_an_undisturbed_one(tmp_path: Path) -> None:
    raw = make_raw_videos(tmp_path / "raw")
    tally = torment(raw, tmp_path, 1, ("--engine=ray", "--workers=2"), random.Random(1), victims=("worker",))
    assert tally.different == 0 and tally.equal >= 1
