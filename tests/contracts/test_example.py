"""The worked example of CONTRIBUTING.md really works, and CONTRIBUTING.md quotes it as it is."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import talkingface
from talkingface import registry
from talkingface.cli import main
from talkingface.paths import CLONE, shipped

from .conftest import EXAMPLE

QUOTE = re.compile(r"`(examples/(?:drift|parts)/[^`]+)`[^\n]*\n\n```\w+\n(.*?)```", re.DOTALL)


def test_the_guide_quotes_the_example_as_it_is() -> None:
    quotes = QUOTE.findall((CLONE / "CONTRIBUTING.md").read_text(encoding="utf-8"))
    assert len(quotes) >= 12
    for path, text in quotes:
        assert text in (CLONE / path).read_text(encoding="utf-8"), path


def test_it_is_found_through_its_entry_point_without_torch() -> None:
    assert "Drift" in registry.models()
    check = f"import sys; sys.path.append({str(EXAMPLE)!r}); import talkingface_drift; sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", check], cwd=CLONE, check=False)
    assert done.returncode == 0


def test_trains_resumes_animates_and_evaluates_by_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train = ["--model=Drift", "--variant=tiny", "--dataset=sample", f"--output_dir={tmp_path / 'run'}", "--cpu"]
    train += ["--threads=1", "--train.workers=0", "--train.batch_size=2"]
    assert main([*train, "--run_mode=train", "--train.max_steps=2"]) == 0
    assert main([*train, "--run_mode=train", "--train.max_steps=3", "--train.resume=auto"]) == 0
    weights = capsys.readouterr().out.splitlines()[-1]
    result = talkingface.animate(
        "Drift",
        source=shipped("dataset", "sample", "source.png"),
        driving=shipped("dataset", "sample", "driving.mp4"),
        output=tmp_path / "result.mp4",
        checkpoint=weights,
        frame_limit=5,
    )
    assert result.frames == 5 and result.path.stat().st_size > 1000
    judge = [*train, "--run_mode=evaluate", f"--checkpoint={weights}", "--evaluate.max_frames=3"]
    assert main([*judge, "--evaluate.max_clips=1"]) == 0
    assert Path(capsys.readouterr().out.splitlines()[-1]).name == "evaluation.json"
