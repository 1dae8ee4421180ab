"""Data sets as people have them: every clip counts, in whatever layout, and what is left out is told in one note."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from talkingface.data import open_store
from talkingface.data.mixed import MixedStore, _note
from talkingface.data.prepare.steps.lists import own_videos
from talkingface.errors import DataError

from .test_stores import levels_of, write_folder, write_gif

REPORTS = Path(os.environ.get("TALKINGFACE_SHARED", Path(__file__).parents[3] / "shared")) / "data" / "reports"


@pytest.fixture(autouse=True)
def _notes_anew() -> None:
    _note.cache_clear()


def names(root: Path, split: str | None = None) -> list[str]:
    return [clip.name for clip in open_store(root, split).clips()]


@pytest.mark.parametrize("split", [None, "train"])
def test_videos_and_folders_of_frames_are_one_set(tmp_path: Path, split: str | None) -> None:
    write_gif(tmp_path / "train" / "anna_1.gif", [0, 100])
    write_gif(tmp_path / "train" / "bert" / "deep" / "1.gif", [9, 9])
    write_folder(tmp_path / "train" / "emil", [10, 20, 30])
    store = open_store(tmp_path, split)
    assert isinstance(store, MixedStore)
    assert [clip.name for clip in store.clips()] == ["train/anna_1.gif", "train/bert/deep/1.gif", "train/emil"]
    levels = [levels_of(store.frames(clip, [1], 8)) for clip in store.clips()]
    assert levels == [[100], [9], [20]] and levels_of(store.whole(store.clips()[2], 8)) == [10, 20, 30]
    assert store.file(store.clips()[0]) == tmp_path / "train" / "anna_1.gif" and len(store.sources()) == 5


def test_content_decides_not_the_ending(tmp_path: Path) -> None:
    frames = [Image.fromarray(np.full((16, 16, 3), level, np.uint8)) for level in (0, 90, 180)]
    for name, kind in (("anna", "WEBP"), ("bert.webp", "WEBP"), ("cleo.png", "PNG")):
        frames[0].save(tmp_path / name, format=kind, save_all=True, append_images=frames[1:], duration=40)
    (tmp_path / "dora").mkdir()
    for number, name in enumerate(["1.jfif", "2", "3.jpg"]):
        frames[number].save(tmp_path / "dora" / name, format="JPEG")
    clips = {clip.name: clip.frames for clip in open_store(tmp_path).clips()}
    assert clips == {"anna": 3, "bert.webp": 3, "cleo.png": 3, "dora": 3}


def test_broken_clips_are_left_out_with_one_note(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_gif(tmp_path / "train" / "anna_1.gif", [0, 100])
    (tmp_path / "train" / "bad.mp4").write_bytes(b"no video at all")
    (tmp_path / "train" / "empty.mp4").touch()
    write_folder(tmp_path / "train" / "emil", [10, 20])
    write_folder(tmp_path / "train" / "fritz", [10])
    (tmp_path / "train" / "fritz" / "0.png").write_bytes(b"no picture")
    for _ in range(2):
        assert names(tmp_path, "train") == ["train/anna_1.gif", "train/emil"]
    (note,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert "3 left out" in note and all(name in note for name in ("bad.mp4", "empty.mp4", "fritz"))


def test_listed_clips_that_are_empty_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_gif(tmp_path / "a.gif", [0, 100])
    (tmp_path / "b.gif").touch()
    (tmp_path / "clips.csv").write_text("file,frames,fps\na.gif,2,25\nb.gif,2,25\n")
    assert names(tmp_path) == ["a.gif"] and "b.gif (the file is empty" in caplog.text


def test_nothing_but_broken_clips_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "bad.mp4").write_bytes(b"no video at all")
    with pytest.raises(DataError, match="no clips"):
        open_store(tmp_path)


def test_what_no_split_has_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("train/a_1.gif", "test/b_1.gif", "loose.gif"):
        write_gif(tmp_path / name, [0, 100])
    write_folder(tmp_path / "more" / "emil", [1])
    assert names(tmp_path, "train") == ["train/a_1.gif"]
    (note,) = [record.getMessage() for record in caplog.records]
    assert "2 left out" in note and "loose.gif" in note and "more" in note and "b_1" not in note


def test_a_picture_beside_videos_is_no_clip(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_gif(tmp_path / "train" / "a_1.gif", [0, 100])
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "train" / "cover.png")
    assert names(tmp_path) == ["train/a_1.gif"] and "1 pictures beside clips" in caplog.text


def test_preparing_leaves_out_what_cannot_be_decoded(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = tmp_path / "data"
    write_gif(root / "a_1.gif", [0, 100])
    (root / "b_1.gif").write_bytes(b"GIF89a" + bytes(20))
    (root / "clips.csv").write_text("file,frames,fps\na_1.gif,2,25\nb_1.gif,2,25\n")
    packed = open_store(root, preload_size=8, preload_dir=tmp_path / "cache")
    assert [clip.name for clip in packed.clips()] == ["a_1.gif"] and "b_1.gif" in caplog.text


def test_raw_folders_of_pictures_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_gif(tmp_path / "anna" / "1.gif", [0, 100])
    write_folder(tmp_path / "emil", [1, 2])
    assert [video.name for video in own_videos(tmp_path, 0.0)] == ["anna#1"]
    assert "1 left out: emil (pictures" in caplog.text


@pytest.mark.skipif(not REPORTS.is_dir(), reason="the shared reports are not here (TALKINGFACE_SHARED)")
@pytest.mark.parametrize("split", [None, "train"])
def test_the_shared_mixed_set(split: str | None) -> None:
    clips = open_store(REPORTS / "mixed_dataset", split).clips()
    assert [(clip.name, clip.frames) for clip in clips] == [("train/anna.mp4", 30), ("train/emil", 5)]
