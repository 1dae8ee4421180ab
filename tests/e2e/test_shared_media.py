"""Every shared picture and video either works or gives one clear line, and leaves nothing half-made."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

from talkingface.config import settings_from
from talkingface.errors import SeveralFacesError, TalkingFaceError
from talkingface.face.detect.analyser import problem_of
from talkingface.media.video import probe
from talkingface.paths import CLONE, default_checkpoint_root
from talkingface.pipelines.animate import animate

SHARED = Path(os.environ.get("TALKINGFACE_SHARED", CLONE.parent / "shared")) / "data"
REFUSED = {
    "source/s21_truncated.jpg",
    "source/s22_not_an_image.png",
    "driving/d11_truncated_noindex.mp4",
    "driving/d13_sound_only.mp4",
    "driving/d22_empty.mp4",
}
GROUPS = {  # file -> faces that a person sees in it
    "source/s03_two_faces_2000x1428.jpg": 3,
    "source/s04_group_1000x667.jpg": 5,
    "source/s05_painting_many_1200x900.jpg": 5,
}
MESH = problem_of("mesh", default_checkpoint_root()) is None


def listed(folder: str) -> list[str]:
    """Files of a folder as the shared list names them; empty where there is no shared data."""
    manifest = SHARED / "MANIFEST.csv"
    if not manifest.is_file():
        return []
    with manifest.open(encoding="utf-8", newline="") as lines:
        names = [row["file"] for row in csv.DictReader(lines)]
    return [name for name in names if name.startswith(f"{folder}/") and not name.endswith(".txt")]


def check(settings_values: dict[str, object], name: str, output: Path) -> None:
    """Animate two frames; refused files must say so in one line that names the file."""
    settings = settings_from({**settings_values, "frame_limit": 2, "output": output, "device": "cpu"})
    if name not in REFUSED:
        result = animate(settings)
        assert probe(output).frames == result.frames >= 1
        return
    with pytest.raises(TalkingFaceError) as caught:
        animate(settings)
    assert Path(name).name in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list(output.parent.iterdir()) == []


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared test data is not here (TALKINGFACE_SHARED)")
@pytest.mark.parametrize("name", listed("source"))
def test_source(name, weights, clips, tmp_path):
    values = {"checkpoint": str(weights), "image_source": SHARED / name, "video_source": clips / "talk.mp4"}
    if MESH and name in GROUPS:
        with pytest.raises(SeveralFacesError, match=f"{GROUPS[name]} faces"):
            check(values, name, tmp_path / "result.mp4")
        values["face"] = "all"
    check(values, name, tmp_path / "result.mp4")


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared test data is not here (TALKINGFACE_SHARED)")
@pytest.mark.parametrize("name", listed("driving"))
def test_driving(name, weights, clips, tmp_path):
    values = {"checkpoint": str(weights), "image_source": clips / "source.png", "video_source": SHARED / name}
    check(values, name, tmp_path / "result.mp4")
