"""Coefficients that are kept from one run for the next: the same result, and nothing out of date or damaged."""

from __future__ import annotations

import os
import shutil
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from talkingface.media.image import read_image
from talkingface.media.writer import open_writer
from talkingface.pipelines.animate import animate
from talkingface.pipelines.progress import Progress
from talkingface.pipelines.read.coefficient_cache import default_folder, prune

from .speaking import SAMPLE, frames_of, needs_mesh, puppet, save_puppet, say, talker

__all__ = ["puppet", "say", "talker"]  # fixtures
pytestmark = needs_mesh

FINDING = {"faces", "coefficients"}
KEPT = "as found in an earlier run"


class Heard(Progress):
    """Remembers what it is told."""

    def __init__(self):
        self.notes, self.steps = [], []

    def note(self, line):
        self.notes.append(line)

    def track(self, items, step, total=None):
        self.steps.append(step)
        return iter(items)

    @property
    def looked(self):
        return set(self.steps) >= FINDING

    @property
    def took(self):
        return not FINDING & set(self.steps) and sum(KEPT in line for line in self.notes) == 1


@pytest.fixture
def run(say, talker, tmp_path, monkeypatch):
    """Run with eight frames as the driver and an empty cache; returns (result, its frames, what was said)."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    count = iter(range(99))

    def go(**changes):
        heard = Heard()
        given = {"audio_path": None, "video_source": talker, "output": tmp_path / f"result{next(count)}", **changes}
        result = animate(say(**given), heard)
        return result, frames_of(result.path), heard

    return go


def kept() -> list[Path]:
    return sorted(default_folder().iterdir())


def test_a_second_run_does_not_look_again_and_gives_the_same(run):
    first, frames, heard = run()
    again, same, progress = run()
    assert heard.looked and progress.took
    assert again.warnings == first.warnings
    np.testing.assert_array_equal(frames, same)
    assert [path.suffix for path in kept()] == [".motion"]


def test_finding_anew_replaces_what_is_kept(run):
    run()
    (path,) = kept()
    before = path.read_bytes()
    path.write_bytes(b"something else")
    _, _, heard = run(if_extract=True)
    assert heard.looked and not any(KEPT in line for line in heard.notes)
    assert path.read_bytes() == before


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def flipped(data: bytes) -> bytes:
    return data[:-400] + bytes([data[-400] ^ 1]) + data[-399:]


@pytest.mark.parametrize("damage", [cut, flipped, lambda data: b""], ids=["cut", "flipped", "empty"])
def test_damage_is_told_once_and_mended(run, damage):
    _, frames, _ = run()
    (path,) = kept()
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    result, same, heard = run()
    assert heard.looked and sum("found anew" in line for line in result.warnings) == 1
    np.testing.assert_array_equal(frames, same)
    assert path.read_bytes() == whole and kept() == [path]


@pytest.mark.parametrize(
    "change",
    [{"fps": Fraction(10)}, {"frame_limit": 5}, {"if_align": False}, {"preprocess": "extcrop"}, {"driving_face": "0"}],
    ids=lambda change: next(iter(change)),
)
def test_what_changes_the_numbers_is_looked_at_anew(run, change):
    run()
    _, _, heard = run(**change)
    assert heard.looked and len(kept()) == 2


def test_bytes_count_and_names_do_not(run, talker, tmp_path):
    run()
    moved = shutil.copytree(talker, tmp_path / "moved")
    assert run(video_source=moved)[2].took
    first, second, *_ = sorted(moved.iterdir())
    shutil.copy(first, second)
    assert run(video_source=moved)[2].looked


@pytest.mark.parametrize("framing", ["face", "ffhq"])
def test_a_video_that_is_its_own_source_is_cut_as_before(run, tmp_path, framing):
    """It starts late, so that the frame of the source and the notes have to come back, too."""
    with open_writer(tmp_path / "late.mp4", fps=Fraction(10), quality="lossless") as writer:
        face = read_image(SAMPLE / "source.png")
        for frame in range(6):
            writer.write(np.full_like(face, 120) if frame < 3 else np.roll(face, 4 * frame, axis=1))
    own = {
        "image_source": None,
        "video_source": tmp_path / "late.mp4",
        "checkpoint": str(save_puppet(tmp_path / "cut.safetensors", framing=framing)),
    }
    first, frames, heard = run(**own)
    video = tmp_path / "late.mp4"
    own["video_source"] = video.rename(tmp_path / "later.mp4")
    again, same, progress = run(**own)
    assert heard.looked and progress.took
    np.testing.assert_array_equal(frames, same)
    assert "frames 3 to 5 of 6" in " ".join(first.warnings)
    assert again.warnings == tuple(line.replace("late.mp4", "later.mp4") for line in first.warnings)


def test_reference_videos_go_the_same_way(run, say, talker, tmp_path):
    voice = {"video_source": None, "audio_path": tmp_path / "voice.wav", "frame_limit": 3, "ref_pose": talker}
    _, frames, heard = run(**voice)
    _, same, progress = run(**voice)
    assert heard.looked and progress.took
    np.testing.assert_array_equal(frames, same)
    assert run()[2].took  # all frames of the same video, for another purpose


def test_the_drawn_face_wants_the_whole_track(run):
    run()
    assert run(face3dvis=True)[2].looked


def test_a_folder_that_cannot_be_written_costs_a_warning(run, tmp_path):
    (tmp_path / "cache").write_bytes(b"a file")
    result, frames, heard = run()
    assert heard.looked and len(frames) == 8
    assert sum("could not be kept" in line for line in result.warnings) == 1


def test_what_was_used_longest_ago_makes_room(tmp_path):
    for age, name in enumerate("abc"):
        path = tmp_path / name
        path.write_bytes(bytes(100))
        os.utime(path, (1000 - age, 1000 - age))
    prune(tmp_path, 200)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]
