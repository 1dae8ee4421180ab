"""The whole chain on real videos: what it leaves, what a rerun does, and what a kill does to it."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from benchmarks.prepare_kill import Undisturbed, torment
from talkingface.data.lmdb.store import LMDBStore
from talkingface.data.lmdb.write import content_digest
from talkingface.data.prepare.steps.arrays import read_coefficients, read_landmarks
from talkingface.face.face import Box
from talkingface.media.probe import probe
from talkingface.media.video import open_video

from .conftest import prepare

CLIPS = {"train": ["anna#talk0#000", "ben#ben_0#000"], "test": ["cleo#cleo_0#000"]}


def report(out: Path) -> dict:
    return json.loads((out / "prepare" / "report.json").read_text())


def test_clips_show_the_face_at_one_size_with_its_sound(prepared: Path) -> None:
    for split, names in CLIPS.items():
        paths = sorted((prepared / "prepare" / "clips" / split).iterdir())
        assert [path.stem for path in paths] == names
        for path in paths:
            info = probe(path)
            assert (info.width, info.height, info.fps) == (256, 256, 25)
            points = read_landmarks(prepared / "prepare" / "landmarks" / split / f"{path.stem}.npz")["landmarks"]
            assert len(points) == info.frames
            box = Box.around(points.reshape(-1, 2))
            # The face is in the middle, and its points (brows to chin) fill most of the crop.
            assert np.allclose(box.center, (128, 135), atol=25)
            assert 110 < box.side < 220
    assert probe(prepared / "prepare/clips/train/anna#talk0#000.mp4").has_audio


def test_the_store_gives_back_pictures_points_and_coefficients(prepared: Path) -> None:
    for split, names in CLIPS.items():
        store = LMDBStore(prepared, split)
        assert [clip.name for clip in store.clips()] == names
        clip = store.clips()[0]
        files = [prepared / "prepare" / kind / split / f"{clip.name}.npz" for kind in ("landmarks", "coefficients")]
        rows, _ = read_coefficients(files[1])
        np.testing.assert_array_equal(store.array(clip, "coeff_3dmm", range(clip.frames)), rows)
        points = store.array(clip, "keypoint", [3]).reshape(68, 2)
        np.testing.assert_allclose(points, read_landmarks(files[0])["landmarks"][3], atol=1e-3)
        with open_video(prepared / "prepare" / "clips" / split / f"{clip.name}.mp4", size=(64, 64)) as reader:
            first = next(iter(reader)).astype(int)
        assert np.abs(store.frames(clip, [0])[0].astype(int) - first).mean() < 4


def test_bad_videos_are_told_and_stop_nothing(prepared: Path) -> None:
    crop = next(step for step in report(prepared)["steps"] if step["name"] == "crop")
    assert crop["failures"]["no#no_face"] == "no face in 25 frames"
    assert "cut off" in crop["failures"]["torn#torn"]
    assert (crop["done"], crop["failed"]) == (3, 2)


def test_a_rerun_changes_nothing_and_does_nothing(prepared: Path, raw: Path, tmp_path: Path) -> None:
    out = tmp_path / "again"
    shutil.copytree(prepared, out)
    assert prepare(raw, out) == 0
    assert content_digest(out) == content_digest(prepared)
    assert all(step["kept"] == step["items"] for step in report(out)["steps"])


def test_what_is_lost_is_made_again(prepared: Path, raw: Path, tmp_path: Path) -> None:
    out = tmp_path / "again"
    shutil.copytree(prepared, out)
    shutil.rmtree(out / "64")
    (out / "prepare/coefficients/train/anna#talk0#000.npz").unlink()
    assert prepare(raw, out) == 0
    assert content_digest(out) == content_digest(prepared)
    assert [step["items"] - step["kept"] for step in report(out)["steps"]] == [0, 0, 1, 3]


def test_a_video_that_is_gone_from_the_list_leaves_the_store(prepared: Path, raw: Path, tmp_path: Path) -> None:
    out, fewer = tmp_path / "again", tmp_path / "raw"
    shutil.copytree(prepared, out)
    shutil.copytree(raw, fewer)
    (fewer / "ben_0.mp4").unlink()
    assert prepare(fewer, out) == 0
    assert [clip.name for clip in LMDBStore(out).clips()] == ["anna#talk0#000", "cleo#cleo_0#000"]


def test_killed_at_random_moments_it_ends_as_if_undisturbed(
    raw: Path, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    tally = torment(raw, tmp_path / "out", 3, ("--workers=2",), undisturbed, random.Random(4))
    assert sum(tally.kills.values()) == 3
    assert (tally.different, tally.orphans) == (0, 0)
    assert tally.equal >= 1


def test_nothing_usable_is_exit_status_2(raw: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert prepare(raw, tmp_path, "--min_frames=1000", "--prepare.steps=crop") == 2
    assert "crop failed (3)" in capsys.readouterr().out


def test_two_runs_do_not_share_a_folder(raw: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with FileLock(tmp_path / ".prepare.lock"):
        assert prepare(raw, tmp_path) == 2
    assert "another preparation is at work here" in capsys.readouterr().err
