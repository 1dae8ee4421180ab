"""Engines: what becomes of items whose process dies, of bad ones, and of bugs; and what a rerun does again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from talkingface.data.prepare.engine import Engine, ProcessEngine
from talkingface.data.prepare.items import ClipFile
from talkingface.data.prepare.run_step import run_step
from talkingface.data.prepare.step import StepResult

from .steps import Hash, items

WORDS = ("a", "b", "kill", "bad", "once", "bug", "c", "d")
OUTCOMES = ["done", "done", "failed", "failed", "done", "failed", "done", "done"]


def check_answers(engine: Engine, root: Path) -> None:
    """All items are answered: what kills its process every time has failed, what does so once has not."""
    with engine:
        results = {item.name: result for item, result in engine.results(Hash(root), items(root, *WORDS))}
    records = [results[f"item{number}"].record for number in range(len(WORDS))]
    assert [record.outcome for record in records] == OUTCOMES
    assert "killed" in records[2].reason and records[2].passing
    assert records[3].reason == "cannot be used" and not records[3].passing
    assert "ZeroDivisionError" in records[5].reason
    assert results["item1"].payload == {"bytes": b"b"}
    assert os.getpid() not in {record.facts.get("pid") for record in records}
    assert (root / "item4.sha256").is_file()


def test_processes_that_die_take_no_other_item_with_them(tmp_path: Path) -> None:
    check_answers(ProcessEngine(2), tmp_path)


def test_a_worker_is_told_of_its_device_and_has_one_thread(tmp_path: Path) -> None:
    with ProcessEngine(1, ["7"]) as engine:
        before = os.environ.get("OMP_NUM_THREADS")
        (item,) = items(tmp_path, "x")
        [(_, result)] = engine.results(Environment(tmp_path), [item])
        assert os.environ.get("OMP_NUM_THREADS") == before
    assert result.record.facts == {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "7"}


class Environment(Hash):
    """Tells what a worker finds in its environment."""

    def perform(self, item: ClipFile) -> StepResult:
        return StepResult(facts={name: os.environ.get(name) for name in ("OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES")})


def run(root: Path, engine: Engine, *words: str, salt: str = "", retry_failed: bool = False) -> tuple[int, int, int]:
    """(kept, done, failed) of a run over items with these words."""
    step, found = Hash(root, salt), items(root, *words)
    report, _ = run_step(step, found, lambda: engine, root / "manifests", retry_failed=retry_failed)
    return report.kept, report.done, report.failed


def test_a_rerun_does_what_is_missing_or_changed(tmp_path: Path) -> None:
    with ProcessEngine(1) as engine:
        assert run(tmp_path, engine, "a", "b", "bad") == (0, 2, 1)
        assert run(tmp_path, engine, "a", "b", "bad") == (3, 2, 1)
        assert run(tmp_path, engine, "a", "B", "bad", "new") == (2, 3, 1)
        (tmp_path / "item0.sha256").unlink()
        assert run(tmp_path, engine, "a", "B", "bad", "new") == (3, 3, 1)
        assert run(tmp_path, engine, "a", "B", "bad", "new", retry_failed=True) == (3, 3, 1)
        assert run(tmp_path, engine, "a", "B", "good", "new") == (3, 4, 0)
        assert run(tmp_path, engine, "a", "B", "good", "new", salt="s") == (0, 4, 0)


def test_an_engine_is_not_started_for_nothing(tmp_path: Path) -> None:
    with ProcessEngine(1) as engine:
        run(tmp_path, engine, "a")

    def never() -> Engine:
        pytest.fail("everything is there already")

    report, _ = run_step(Hash(tmp_path), items(tmp_path, "a"), never, tmp_path / "manifests")
    assert report.kept == 1
