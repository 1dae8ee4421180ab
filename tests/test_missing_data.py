"""A data set that a user names and that is not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from talkingface.cli import main
from talkingface.config import load_settings
from talkingface.jobs.data import with_data
from talkingface.paths import shipped


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("mode", ["train", "evaluate"])
@pytest.mark.parametrize("name", ["styleheat_vox", "styleheat_hdtf", "vox", "hdtf", "my/own"])
def test_it_says_how_to_make_it_and_how_to_go_on(mode: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"--run_mode={mode}", f"--dataset={name}"]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert f"--run_mode=prepare --dataset={name} --raw DIR" in line
    assert "--dataset=sample" in line and "--sample_if_missing" in line
    assert load_settings(["--run_mode=prepare", f"--dataset={name}", "--raw", "DIR"]).prepare.raw == Path("DIR")


def test_with_leave_it_goes_on_with_the_sample_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    settings = with_data(load_settings(["--dataset=styleheat_vox", "--sample_if_missing", "--seed=3"]))
    assert settings.data.root == shipped("dataset", "sample")
    assert settings.seed == 3 and settings.origin("seed") != "default"
    (record,) = caplog.records
    assert "'styleheat_vox' is not at dataset/styleheat_vox: going on with the shipped sample" in record.getMessage()


def test_leave_changes_nothing_where_the_data_set_is_there(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "dataset" / "vox").mkdir(parents=True)
    settings = with_data(load_settings(["--dataset=vox", "--sample_if_missing"]))
    assert settings.data.root == Path("dataset/vox")
    assert not caplog.records


def test_the_data_sets_of_styleheat_are_as_published() -> None:
    first, second = (load_settings([f"--dataset=styleheat_{name}"]).train for name in ("vox", "hdtf"))
    assert (first.image_size, first.batch_size, first.augment.time_flip) == (256, 16, False)
    assert (second.image_size, second.batch_size, second.epochs) == (512, 4, 8)
