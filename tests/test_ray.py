"""Two local workers of Ray Train, and a sweep on Ray Tune, through the command."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from test_sweep import WORDS

from talkingface.cli import main
from talkingface.paths import CLONE

with_ray = pytest.mark.skipif(find_spec("ray") is None or find_spec("pandas") is None, reason="Ray is not installed")


@pytest.mark.skipif(find_spec("ray") is not None, reason="Ray is installed")
def test_ray_says_how_it_is_installed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*WORDS, "--train.launcher=ray", "--train.launch=2", f"--output_dir={tmp_path}"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "Ray is not installed" in line and "pip install" in line


@with_ray
def test_two_workers_train_and_the_path_is_told(tmp_path: Path) -> None:
    done = command("--train.launch=2", f"--output_dir={tmp_path / 'run'}")
    assert done.stdout.splitlines() == [str(tmp_path / "run" / "export" / "last.safetensors")], done.stderr
    assert "batches of 1 x 2" in (tmp_path / "run" / "train.log").read_text()


@with_ray
def test_a_sweep_ends_with_its_table(tmp_path: Path) -> None:
    file = tmp_path / "sweep.yaml"
    file.write_text("- train.learning_rate: 0.001\n  train.name: slow\n- train.learning_rate: 0.002\n")
    done = command(f"--sweep={file}", f"--output_dir={tmp_path / 'runs'}")
    rows = [line.split() for line in done.stdout.splitlines()]
    assert [row[0] for row in rows] == ["trial", "trial-01", "trial-02"], done.stderr
    assert rows[0][1] == "name" and rows[1][1] == "slow"


def command(*words: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "talkingface", *WORDS, "--train.launcher=ray", *words]
    return subprocess.run(line, capture_output=True, text=True, cwd=CLONE, check=False, timeout=300)
