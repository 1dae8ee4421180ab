"""Places that cannot be written are told in one line by every job that writes, and nothing has been done before."""

from __future__ import annotations

from pathlib import Path

import pytest

from talkingface.cli import main
from talkingface.errors import ConfigError, of_place, writing
from talkingface.paths import shipped

SAMPLE = shipped("dataset", "sample")
JOBS = {
    "fetch": ["--run_mode=fetch", "--checkpoint=fan_2d", "--checkpoint_root={place}"],
    "prepare": ["--run_mode=prepare", f"--prepare.raw={SAMPLE}", "--prepare.out={place}", "--prepare.steps=lmdb"],
    "train": ["--run_mode=train", "--dataset=sample", "--output_dir={place}", "--train.max_steps=1"],
}


def words(job: str, place: Path) -> list[str]:
    return [word.format(place=place) for word in JOBS[job]]


@pytest.mark.parametrize("job", JOBS)
def test_a_place_below_a_file_is_told_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], job: str) -> None:
    (tmp_path / "file").write_text("no folder")
    assert main(words(job, tmp_path / "file" / "below")) == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and str(tmp_path / "file") in errors[0] and "cannot be written" in errors[0]


@pytest.mark.skipif(not Path("/sys/kernel").is_dir(), reason="only Linux has a place where nobody can write")
@pytest.mark.parametrize("job", ["fetch", "prepare"])
def test_a_place_where_nobody_can_write_is_told_in_one_line(capsys: pytest.CaptureFixture[str], job: str) -> None:
    assert main(words(job, Path("/sys/talkingface-nowhere"))) == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and "/sys/talkingface-nowhere" in errors[0] and "cannot be written" in errors[0]


def test_errors_of_the_system_are_named() -> None:
    with (
        pytest.raises(ConfigError, match=r"place: cannot be written \(No space left on device\)"),
        writing("place"),
    ):
        raise OSError(28, "No space left on device")
    assert "x: cannot be used (Read-only file system)" in str(of_place(OSError(30, "Read-only file system", "x")))
    assert "a file cannot be written (No space left" in str(of_place(OSError(28, "No space left on device")))
    assert of_place(OSError(5, "Input/output error", "x")) is None and of_place(OSError("no number")) is None
