"""Stores: what they find in a folder, which frames they give, and the prepared copy."""

from __future__ import annotations

import csv
import pickle
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from talkingface.data import open_store
from talkingface.data.preload import PackedStore
from talkingface.data.store import identity_of
from talkingface.data.stores import FrameStore, VideoStore
from talkingface.errors import DataError, MediaError
from talkingface.media.writer import open_writer


def write_folder(folder: Path, levels: list[int], size: tuple[int, int] = (8, 8)) -> None:
    folder.mkdir(parents=True)
    for number, level in enumerate(levels):
        Image.fromarray(np.full((*size, 3), level, np.uint8)).save(folder / f"{number}.png")


def write_gif(path: Path, levels: list[int]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    frames = [Image.fromarray(np.full((16, 16), level, np.uint8)) for level in levels]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=40, loop=0)


def levels_of(frames: np.ndarray) -> list[int]:
    return frames[:, 4, 4, 0].tolist()


def test_identity_stands_before_the_first_mark() -> None:
    assert [identity_of(n) for n in ("id1#abc_2.mp4", "train/anna_02.mp4", "solo.gif")] == ["id1", "anna", "solo"]


def test_folders_of_pictures_are_read_in_natural_order(tmp_path: Path) -> None:
    write_folder(tmp_path / "anna_1", list(range(0, 240, 20)))
    store = open_store(tmp_path)
    (clip,) = store.clips()
    assert isinstance(store, FrameStore)
    assert (clip.name, clip.identity, clip.frames) == ("anna_1", "anna", 12)
    assert levels_of(store.frames(clip, [11, 2, 2])) == [220, 40, 40]


def test_frames_are_cut_square_and_scaled(tmp_path: Path) -> None:
    write_folder(tmp_path / "a", [9], size=(8, 20))
    store = open_store(tmp_path)
    assert store.frames(store.clips()[0], [0], 6).shape == (1, 6, 6, 3)
    assert store.frames(store.clips()[0], [0]).shape == (1, 8, 20, 3)


def test_splits_are_subfolders(tmp_path: Path) -> None:
    for split, count in (("train", 2), ("test", 1)):
        for number in range(count):
            write_folder(tmp_path / split / f"id{number}", [0, 1])
    assert [clip.name for clip in open_store(tmp_path, "test").clips()] == ["test/id0"]
    assert len(open_store(tmp_path).clips()) == 3


def test_videos_without_a_list(tmp_path: Path) -> None:
    write_gif(tmp_path / "train" / "anna_1.gif", [0, 100, 200])
    write_gif(tmp_path / "test" / "bert_1.gif", [50, 60])
    store = open_store(tmp_path, "train")
    (clip,) = store.clips()
    assert isinstance(store, VideoStore)
    assert (clip.identity, clip.frames, clip.fps) == ("anna", 3, Fraction(25))
    assert levels_of(store.frames(clip, [2, 0], 16)) == [200, 0]
    assert len(open_store(tmp_path).clips()) == 2


def test_videos_with_a_list(tmp_path: Path) -> None:
    write_gif(tmp_path / "a.gif", [0, 100])
    write_gif(tmp_path / "b.gif", [0, 100])
    with (tmp_path / "clips.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerows([["file", "split", "identity", "frames", "fps"], ["a.gif", "train", "one", 9, 25.0]])
        rows.writerow(["b.gif", "test", "two", "", ""])
    store = open_store(tmp_path, "train")
    (clip,) = store.clips()
    assert (clip.identity, clip.frames) == ("one", 9)
    assert levels_of(store.frames(clip, [8], 16)) == [100], "frames behind the real end are the last one"
    assert open_store(tmp_path, "test").clips()[0].frames == 2
    with pytest.raises(DataError, match="test, train"):
        open_store(tmp_path, "validation")


def test_a_listed_clip_that_is_missing_is_named(tmp_path: Path) -> None:
    (tmp_path / "clips.csv").write_text("file,split\ngone.mp4,train\n")
    with pytest.raises(DataError, match=r"'gone\.mp4'"):
        open_store(tmp_path)


def test_errors_say_what_was_found(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        open_store(tmp_path / "nowhere")
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(DataError, match=r"1 \.txt; expected videos"):
        open_store(tmp_path)


def test_the_prepared_copy_holds_the_same_frames(tmp_path: Path) -> None:
    root = tmp_path / "data"
    write_gif(root / "a_1.gif", [0, 100, 200])
    write_gif(root / "b_1.gif", [30, 60])
    packed = open_store(root, preload_size=8, preload_dir=tmp_path / "cache")
    assert isinstance(packed, PackedStore)
    assert [(c.name, c.identity, c.frames, c.fps) for c in packed.clips()] == [
        ("a_1.gif", "a", 3, Fraction(25)),
        ("b_1.gif", "b", 2, Fraction(25)),
    ]
    plain = open_store(root)
    for clip in packed.clips():
        assert np.array_equal(packed.whole(clip, 8), plain.whole(clip, 8))
    with pytest.raises(DataError, match="prepared at 8 pixels, not 16"):
        packed.frames(packed.clips()[0], [0], 16)


def test_the_prepared_copy_is_made_once_and_again_when_a_file_changes(tmp_path: Path) -> None:
    root, cache = tmp_path / "data", tmp_path / "cache"
    write_gif(root / "a.gif", [0, 100])

    def written() -> list[tuple[str, int]]:
        open_store(root, preload_size=8, preload_dir=cache)
        return sorted((str(path), path.stat().st_mtime_ns) for path in cache.glob("*/frames.bin"))

    first = written()
    assert written() == first
    write_gif(root / "a.gif", [0, 100, 150])
    assert len(written()) == 2
    assert not list(cache.glob(".*-*")), "nothing half-written stays"


def test_a_clip_that_cannot_be_decoded_leaves_no_copy(tmp_path: Path) -> None:
    write_folder(tmp_path / "data" / "a", [0, 1])
    store = open_store(tmp_path / "data")
    (tmp_path / "data" / "a" / "1.png").write_bytes(b"not a picture")
    with pytest.raises(MediaError, match=r"1\.png"):
        open_store(tmp_path / "data", preload_size=8, preload_dir=tmp_path / "cache")
    assert len(store.clips()) == 1
    assert not list((tmp_path / "cache").glob("*/index.json"))
    assert not list((tmp_path / "cache").glob(".*-*"))


def test_a_prepared_store_travels_to_a_worker_without_its_frames(tmp_path: Path) -> None:
    write_folder(tmp_path / "data" / "a", [10] * 50, size=(64, 64))
    store = open_store(tmp_path / "data", preload_size=64, preload_dir=tmp_path / "cache")
    store.frames(store.clips()[0], [0], 64)
    sent = pickle.dumps(store)
    assert len(sent) < 5000
    received = pickle.loads(sent)  # noqa: S301 - our own bytes of a line above
    assert levels_of(received.frames(received.clips()[0], [3], 64)) == [10]


def test_mp4_frames_come_in_rgb(tmp_path: Path) -> None:
    red = np.zeros((32, 32, 3), np.uint8)
    red[..., 0] = 200
    with open_writer(tmp_path / "a.mp4", fps=Fraction(25)) as writer:
        for _ in range(5):
            writer.write(red)
    store = open_store(tmp_path)
    frame = store.frames(store.clips()[0], [4], 32)[0].astype(int)
    assert store.clips()[0].frames == 5
    assert np.abs(frame.mean(axis=(0, 1)) - [200, 0, 0]).max() < 8
