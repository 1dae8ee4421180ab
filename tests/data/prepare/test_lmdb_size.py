"""The size of the LMDB is forecast before the first clip is written."""

from __future__ import annotations

import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from talkingface.data.lmdb.write import LMDBWriter
from talkingface.data.prepare.items import ClipFile
from talkingface.data.prepare.steps.lmdb import EncodeClip, expected_size, store_clips
from talkingface.errors import DataError
from talkingface.paths import shipped

SAMPLE = shipped("dataset", "sample")
CLIPS = [ClipFile(path.stem, "train", path) for path in sorted((SAMPLE / "train").glob("*.mp4"))]


def test_a_few_clips_tell_the_size_of_all(tmp_path: Path) -> None:
    step = EncodeClip(tmp_path, None, None, resolutions=(96,))
    with LMDBWriter(tmp_path, 96) as writer:
        for clip in CLIPS:
            writer.write(clip.name, step.perform(clip).payload.pictures[96])
    truth = (tmp_path / "96" / "data.mdb").stat().st_size
    # Each of these short clips counts its arrays of 396 numbers, which are not written here.
    arrays = sum(len(step.perform(clip).payload.pictures[96]) for clip in CLIPS) * 4 * (260 + 136)
    assert expected_size(step, CLIPS) == pytest.approx(truth + arrays, rel=0.2)


def test_clips_that_cannot_be_read_do_not_stop_the_forecast(tmp_path: Path) -> None:
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    step = EncodeClip(tmp_path, None, None, resolutions=(32,))
    assert expected_size(step, [ClipFile("bad", "train", tmp_path / "bad.mp4"), CLIPS[0]]) > 0


def test_a_full_disk_is_told_before_any_worker_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9 - 1000, 1000))

    def begin() -> object:
        raise AssertionError("a worker was begun")

    step = EncodeClip(tmp_path / "set", None, None, resolutions=(32,))
    with pytest.raises(DataError, match=r"the LMDB needs about .*--prepare\.resolutions"):
        store_clips(step, CLIPS[:2], begin, tmp_path / "manifests")  # type: ignore[arg-type]
    assert not (tmp_path / "manifests").exists()
