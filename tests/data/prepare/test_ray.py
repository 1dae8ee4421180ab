"""The Ray engine on a cluster of this machine with two workers. Skipped without Ray; `make test-ray` brings it."""

from __future__ import annotations

import random
import signal
from pathlib import Path

import pytest

from benchmarks.prepare_kill import Undisturbed, torment
from talkingface.paths import CLONE

from .test_engines import check_answers

pytest.importorskip("ray", reason="pip install -e '.[ray]'")


def test_tasks_that_die_take_no_other_item_with_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from talkingface.data.prepare.engine_ray import RayEngine

    monkeypatch.setenv("PYTHONPATH", str(CLONE / "tests"))  # where Ray's workers find the step of this test
    before = signal.getsignal(signal.SIGTERM)
    check_answers(RayEngine(2), tmp_path)
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_preparation_with_a_killed_worker_ends_as_an_undisturbed_one(
    raw: Path, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    flags = ("--engine=ray", "--workers=2")
    tally = torment(raw, tmp_path / "out", 1, flags, undisturbed, random.Random(1), victims=("worker",))
    assert tally.kills["worker"] == 1
    assert tally.different == 0 and tally.equal >= 1
