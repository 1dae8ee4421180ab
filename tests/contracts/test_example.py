"""The worked example of CONTRIBUTING.md really works, and CONTRIBUTING.md quotes it as it is."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import talkingface
from talkingface import registry
from talkingface.cli import main
from talkingface.config import load_settings, save_settings, settings_from
from talkingface.media.video import open_video
from talkingface.paths import CLONE, shipped
from talkingface.testing import SmallModel
from talkingface.train.checkpoints import export

from .conftest import EXAMPLE

QUOTE = re.compile(r"`(examples/(?:drift|parts)/[^`]+)`[^\n]*\n\n```\w+\n(.*?)```", re.DOTALL)


def test_the_guide_quotes_the_example_as_it_is() -> None:
    quotes = QUOTE.findall((CLONE / "CONTRIBUTING.md").read_text(encoding="utf-8"))
    for path, text in quotes:
        assert text in (CLONE / path).read_text(encoding="utf-8"), path


def test_the_guide_quotes_every_line_of_the_example() -> None:
    """Imports too, so that a model can be written from the page alone."""
    quoted: dict[str, set[str]] = {}
    for path, text in QUOTE.findall((CLONE / "CONTRIBUTING.md").read_text(encoding="utf-8")):
        quoted.setdefault(path, set()).update(text.splitlines())
    for file in (EXAMPLE / "talkingface_drift").glob("*.py"):
        module_docstring, _, code = file.read_text(encoding="utf-8").partition('"""\n\n')
        lines = [line for line in code.splitlines() if line and "__future__" not in line]
        assert module_docstring and lines
        missing = [line for line in lines if line not in quoted[file.relative_to(CLONE).as_posix()]]
        assert not missing, f"{file.name}: {missing}"


def test_it_is_found_through_its_entry_point_without_torch() -> None:
    assert "Drift" in registry.models()
    check = f"import sys; sys.path.append({str(EXAMPLE)!r}); import talkingface_drift; sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", check], cwd=CLONE, check=False)
    assert done.returncode == 0


def test_its_own_test_passes() -> None:
    runpy.run_path(str(EXAMPLE / "tests" / "test_drift.py"))["test_keeps_the_contract"]()


def test_its_flag_is_one_of_the_commands_without_torch(example: list[Path]) -> None:
    code = "import sys; from talkingface.cli import main; print(main(sys.argv[1:]), 'torch' in sys.modules)"

    def output_of(*words: str) -> str:
        path = os.pathsep.join([*map(str, example), str(CLONE)])
        done = subprocess.run(
            [sys.executable, "-c", code, *words],
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.rstrip().endswith(" False")
        return done.stdout + done.stderr

    text = output_of("--model=Drift", "--help")
    assert "Distance of the drift (Drift)\n  --drift_strength X" in text
    assert "Flags of Drift alone: --drift_strength" in output_of("--help")
    assert "drift_strength: 2.0  # --drift-strength\n" in output_of(
        "--model=Drift", "--drift-strength=2", "--print_config"
    )
    assert "--drift_strenght: unknown flag. Did you mean '--drift_strength'?" in output_of(
        "--model=Drift", "--drift_strenght=2"
    )
    assert "--drift_strength: '5' should be less than or equal to 4" in output_of("--model=Drift", "--drift_strength=5")
    refused = output_of("--model=FOM", "--drift_strength=2", "--video_source=a.mp4")
    assert "error: --drift_strength is a flag of Drift; FOM has no such flag. Choose --model=Drift" in refused


def test_its_flag_is_saved_and_read_again(tmp_path: Path) -> None:
    path = save_settings(settings_from({"model": "Drift", "drift_strength": 0.5}), tmp_path / "run.yaml")
    assert "drift_strength: 0.5" in path.read_text()
    again = load_settings(["--config", str(path)])
    assert again.own.model_dump() == {"drift_strength": 0.5} and again.origin("drift_strength") == str(path)
    assert load_settings(["--config", str(path), "--drift_strength=1"]).own.model_dump() == {"drift_strength": 1.0}


def test_its_flag_changes_what_is_drawn(tmp_path: Path) -> None:
    made = SmallModel("Drift", params={"width": 8}).build()
    states = {name: made.networks[name].state_dict() for name in made.inference_networks}
    weights = export(tmp_path / "weights.safetensors", made, states, "float32", {})
    drawn = {}
    for strength in (0.0, 1.0, 4.0):
        result = talkingface.animate(
            "Drift",
            source=shipped("dataset", "sample", "source.png"),
            driving=shipped("dataset", "sample", "driving.mp4"),
            output=tmp_path / f"times {strength:g}",
            checkpoint=str(weights),
            drift_strength=strength,
            frame_limit=12,
        )
        with open_video(result.path) as frames:
            drawn[strength] = np.stack(list(frames)).astype(int)
    changed = {strength: np.abs(frames - frames[:1]).sum() for strength, frames in drawn.items()}
    assert changed[0.0] == 0 < changed[1.0] < changed[4.0]


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
    evaluate = [*train, "--run_mode=evaluate", f"--checkpoint={weights}", "--evaluate.max_frames=3"]
    assert main([*evaluate, "--evaluate.max_clips=2", "--evaluate.tables", "reconstruction", "another"]) == 0
    assert Path(capsys.readouterr().out.splitlines()[-1]).name == "evaluation.json"
