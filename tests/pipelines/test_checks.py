"""What is refused before the networks' own modules are loaded, all of it in one run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from talkingface.config import load_settings
from talkingface.pipelines.checks import settings_problems

BACKEND = "--landmarks=auto: no landmark backend is there"
CODE = """
import sys
from talkingface.cli import main
status = main(sys.argv[1:])
sys.exit(9 if [name for name in sys.modules if name.startswith("talkingface.models.") and "plugin" in name] else status)
"""


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        ("--video_source=none.mp4", ["--video_source=none.mp4: no such file or folder"]),
        (
            "--device=cuda:99 --checkpoint=no-such --video_source=none.mp4",
            ["--device=cuda:99: no such device", "--checkpoint: 'no-such' is", "--video_source=none.mp4: no such file"],
        ),
        (
            "--model=StyleHeat --attribute_edit=old --intuitive_edit --image_source=none.png",
            [BACKEND, "--attribute_edit: edits move codes of 512 numbers", "--image_source=none.png: no such file"],
        ),
        (
            "--model=StyleHeat --inversion_option=load --inversion_file=no.npz --image_source=a.png --intuitive_edit",
            [BACKEND, "no.npz: its file no.npz is not there", "--image_source=a.png: no such file"],
        ),
        (
            "--landmarks_file=points.md --video_source=none.mp4",
            ["points.md: unknown ending", "--video_source=none.mp4: no such file"],
        ),
    ],
)
def test_refused_before_networks_are_loaded(words: str, lines: list[str], tmp_path: Path) -> None:
    command = [sys.executable, "-c", CODE, *words.split(), f"--checkpoint_root={tmp_path}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    told = done.stderr.splitlines()
    assert len(told) == len(lines)
    for line, begin in zip(told, lines, strict=True):
        assert line.startswith(f"error: {begin}"), line


def test_nothing_is_wrong_with_what_works() -> None:
    assert settings_problems(load_settings(["--video_source=a.mp4"])) == []
