"""A sweep: a training for each entry of a file, and their table."""

from __future__ import annotations

from pathlib import Path

import pytest

from talkingface.cli import main

WORDS = [
    "--run_mode=train", "--dataset=sample", "--device=cpu", "--model_params.architecture=compact",
    "--model_params.image_size=64", "--model_params.compact_params.motion_size=32", "--train.image_size=64",
    "--train.batch_size=1", "--train.workers=0", "--train.max_steps=1", "--train.tensorboard=false",
    "--evaluate.split=",
    "--train.loss_weights.perceptual=0", "--train.loss_weights.reconstruction=10", "--train.log_every=1", "--quiet",
    "--model_params.compact_params.generator_widths=8,8,8",
]  # fmt: skip


def test_each_entry_is_trained_and_the_table_has_a_row_for_each(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "sweep.yaml"
    file.write_text("- train.learning_rate: 0.001\n- train.learning_rate: 0.002\n  train.ema_decay: 0.5\n")
    assert main([*WORDS, "--sweep", str(file), f"--output_dir={tmp_path / 'runs'}"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("trial")]
    assert [row[0] for row in rows] == ["trial", "trial-01", "trial-02"]
    assert "generator/reconstruction" in rows[0] and rows[0][-1] == "settings"
    assert rows[2][-2:] == ["--train.learning_rate=0.002", "--train.ema_decay=0.5"]
    for name in ("trial-01", "trial-02"):
        assert (tmp_path / "runs" / name / "export" / "last.safetensors").is_file()
    settings = (tmp_path / "runs" / "trial-02" / "settings.yaml").read_text()
    assert "learning_rate: 0.002" in settings and "sweep.yaml" not in settings


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("train.batch_size: 3", "no list"),
        ("- train.batch_sise: 3", "batch_sise"),
        ("- train.batch_size: 0\n- train.epochs: 0", "train.epochs"),
    ],
)
def test_a_wrong_file_is_refused_before_anything_is_trained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, told: str
) -> None:
    file = tmp_path / "sweep.yaml"
    file.write_text(text)
    assert main([*WORDS, f"--train.sweep={file}", f"--output_dir={tmp_path / 'runs'}"]) == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()
