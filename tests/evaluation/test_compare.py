"""One input through every model: a labelled grid, and a report with a column for each."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from talkingface.cli import main
from talkingface.face.detect.analyser import problem_of
from talkingface.jobs.compare import contestants
from talkingface.media.video import open_video
from talkingface.paths import default_checkpoint_root, shipped

SAMPLE = shipped("dataset", "sample")


def test_every_model_with_weights_takes_part() -> None:
    found = contestants(default_checkpoint_root())
    assert {"FOM", "SadTalker", "StyleHeat"} <= {one.model for one in found}
    assert len({one.label for one in found}) == len(found)


def test_one_input_through_every_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if problem_of("mesh", default_checkpoint_root()) is not None:
        pytest.skip("the face mesh is not there")
    output = tmp_path / "all models.mp4"
    words = ["--run_mode=compare", "--image_source", SAMPLE / "source.png", "--video_source", SAMPLE / "driving.mp4"]
    assert main([str(word) for word in [*words, "--frame_limit", 3, "--output", output]]) == 0
    labels = [one.label for one in contestants(default_checkpoint_root())]
    with open_video(output) as video:
        assert len(list(video)) == 3 and video.width >= 3 * 256 and video.height > 2 * 256
    report = json.loads((tmp_path / "all models_report" / "report.json").read_text())
    rows = {row["method"]: row["over_identities"] for row in report["tables"]["compare"]["rows"]}
    assert sorted(rows) == sorted(labels)
    assert all(values["faces_lost"] == 0 and values["sharpness"] > 0 for values in rows.values())
    assert capsys.readouterr().out.splitlines()[-1] == str(output)


def test_without_a_driver_it_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--run_mode=compare", f"--image_source={SAMPLE / 'source.png'}"]) == 2
    assert "--video_source" in capsys.readouterr().err
