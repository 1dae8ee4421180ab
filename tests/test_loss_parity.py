"""Losses of recorded training steps, beside ours, through the command."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from talkingface.cli import main

SHARED = Path(os.environ.get("TALKINGFACE_SHARED", "nowhere")) / "parity"
CASES = ("fom/train-losses-small", "styleheat/stage2-losses")
recorded = pytest.mark.skipif(not SHARED.is_dir(), reason="the recorded steps are not there")


def compare(folder: Path) -> int:
    return main(["--run_mode=train", "--loss_parity", str(folder)])


@recorded
@pytest.mark.parametrize("case", CASES)
def test_each_loss_is_printed_beside_the_recorded_one(case: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare(SHARED / case) == 0
    printed = capsys.readouterr().out
    outputs = json.loads((SHARED / case / "case.json").read_text())["outputs"]
    with np.load(SHARED / case / "expected.npz") as expected:
        losses = {
            name.removeprefix("loss:"): expected[name].item()
            for name in outputs
            if name.startswith(("loss:", "iter")) and expected[name].size == 1
        }
    rows = {words[0]: words for line in printed.splitlines() if len(words := line.split()) > 3}
    assert len(losses) > 4
    for name, value in losses.items():
        assert float(rows[name][1]) == pytest.approx(value, rel=1e-6), name
        assert float(rows[name][2]) == pytest.approx(value, rel=1e-3, abs=1e-6), name
    assert "PARTS" not in printed


@recorded
def test_a_loss_that_parts_gives_status_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = shutil.copytree(SHARED / CASES[0], tmp_path / "case")
    with np.load(folder / "expected.npz") as stored:
        changed = {**stored, "loss:gen_gan": stored["loss:gen_gan"] * 1.01}
    np.savez(folder / "expected.npz", **changed)
    assert compare(tmp_path) == 1
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "PARTS" in line]
    assert line.split()[0] == "gen_gan"


def test_a_folder_without_recorded_losses_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare(tmp_path) == 2
    assert "no recorded losses" in capsys.readouterr().err
    assert compare(tmp_path / "nowhere") == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
