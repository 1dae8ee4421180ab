"""The LMDB layout: what is written is read, by several processes too, and survives being torn and killed."""

from __future__ import annotations

import multiprocessing
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import lmdb
import numpy as np
import pytest
import torch

from talkingface.config import load_settings
from talkingface.data import Batches, batch_loader, open_store
from talkingface.data.lmdb import keys as lmdb_keys
from talkingface.data.lmdb.store import LMDBStore
from talkingface.data.lmdb.write import LMDBWriter, content_digest, encode_frame, write_lists
from talkingface.data.prepare.steps.lmdb import check_room, forecast
from talkingface.data.store import Clip
from talkingface.errors import DataError
from talkingface.jobs.training.clips import open_training, open_validation
from talkingface.paths import shipped

SIZE = 32
SAMPLE = shipped("dataset", "sample")


def picture(level: int) -> np.ndarray:
    return np.full((SIZE, SIZE, 3), level, np.uint8)


def encoded(levels: list[int]) -> list[bytes]:
    return [encode_frame(picture(level), SIZE) for level in levels]


def noise(frames: int, seed: int = 0) -> list[bytes]:
    random = np.random.default_rng(seed)
    return [encode_frame(random.integers(0, 256, (SIZE, SIZE, 3), np.uint8), SIZE) for _ in range(frames)]


def rows(frames: int, *shape: int) -> np.ndarray:
    return np.arange(frames * int(np.prod(shape)), dtype=np.float32).reshape(frames, *shape)


def write_set(root: Path, resolution: int = SIZE) -> Path:
    """Three clips of two people, in two splits."""
    with LMDBWriter(root, resolution) as writer:
        for name, levels in (("id1#a", [0, 100, 200]), ("id1#b", [50, 60]), ("id2#c", [10, 20, 30, 40])):
            count = len(levels)
            writer.write(name, encoded(levels), coefficients=rows(count, 260), keypoints=rows(count, 68, 2))
    write_lists(root, {"train": ["id1#b", "id1#a"], "test": ["id2#c"]})
    return root


def put(folder: Path, **values: bytes) -> None:
    """Write raw values, as another program would have."""
    folder.mkdir(parents=True, exist_ok=True)
    with lmdb.open(str(folder), map_size=2**24) as env, env.begin(write=True) as transaction:
        for key, value in values.items():
            transaction.put(key.replace("_", "-", 1).encode(), value)


def levels_of(frames: np.ndarray) -> list[int]:
    return frames.mean(axis=(1, 2, 3)).round().astype(int).tolist()


def test_keys_are_the_published_ones() -> None:
    assert lmdb_keys.key("id#v", 12) == b"id#v-0000012"
    assert lmdb_keys.frame_key("id#v", 12, aligned=True) == b"id#v-align-0000012"
    assert lmdb_keys.key("id#v", "coeff_3dmm") == b"id#v-coeff_3dmm"


def test_what_is_written_is_read(tmp_path: Path) -> None:
    store = open_store(write_set(tmp_path), "train")
    assert isinstance(store, LMDBStore)
    assert [(clip.name, clip.identity, clip.frames) for clip in store.clips()] == [
        ("id1#a", "id1", 3),
        ("id1#b", "id1", 2),
    ]
    assert levels_of(store.frames(store.clips()[0], [2, 0, 2])) == [200, 0, 200]
    assert store.frames(store.clips()[0], [1], 16).shape == (1, 16, 16, 3)
    assert store.widths == {"coeff_3dmm": 260, "keypoint": 136}
    values = store.array(store.clips()[0], "coeff_3dmm", [2, 2, 0])
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, rows(3, 260)[[2, 2, 0]])
    np.testing.assert_array_equal(store.array(store.clips()[1], "keypoint", [1]), rows(2, 68, 2)[[1]])


def test_splits_are_the_lists(tmp_path: Path) -> None:
    write_set(tmp_path)
    assert [clip.name for clip in open_store(tmp_path, "test").clips()] == ["id2#c"]
    assert len(open_store(tmp_path).clips()) == 3
    assert len(open_store(tmp_path / str(SIZE), "train").clips()) == 2, "the folder of one size, lists beside it"
    with pytest.raises(DataError, match=r"no validation_list\.txt.*test_list\.txt, train_list\.txt"):
        open_store(tmp_path, "validation")


def test_the_length_is_text_of_seven_digits_and_frames_are_jpeg(tmp_path: Path) -> None:
    write_set(tmp_path)
    with lmdb.open(str(tmp_path / str(SIZE)), readonly=True, lock=False) as env, env.begin() as transaction:
        assert transaction.get(b"id2#c-length") == b"0000004"
        assert bytes(transaction.get(b"id2#c-0000003") or b"")[:2] == b"\xff\xd8"
        assert len(transaction.get(b"id2#c-keypoint") or b"") == 4 * 68 * 2 * 4


def test_aligned_frames_are_their_own(tmp_path: Path) -> None:
    with LMDBWriter(tmp_path, SIZE) as writer:
        writer.write("a", encoded([10, 20]), aligned=encoded([110, 120]))
    store = LMDBStore(tmp_path)
    assert levels_of(store.aligned(store.clips()[0], [1, 0])) == [120, 110]
    assert levels_of(store.frames(store.clips()[0], [1, 0])) == [20, 10]
    with pytest.raises(DataError, match="2 frames, but 1 aligned"), LMDBWriter(tmp_path, 64) as writer:
        writer.write("a", encoded([10, 20]), aligned=encoded([110]))


def test_the_size_that_is_not_smaller_is_taken(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for resolution in (16, 64, 128):
        write_set(tmp_path, resolution)
    assert [LMDBStore(tmp_path, size=wanted).resolution for wanted in (8, 16, 17, 128, None)] == [16, 16, 64, 128, 128]
    assert not caplog.records
    assert LMDBStore(tmp_path, size=256).resolution == 128
    assert "16, 64, 128" in caplog.text


def test_arrays_that_are_not_there_are_refused_in_words(tmp_path: Path) -> None:
    with LMDBWriter(tmp_path, SIZE) as writer:
        writer.write("a", encoded([1, 2]), keypoints=rows(2, 68, 2))
    store = LMDBStore(tmp_path)
    with pytest.raises(DataError, match=r"no array 'coeff_3dmm'.*keypoint with 136 numbers a frame"):
        store.array(store.clips()[0], "coeff_3dmm", [0])


def test_a_store_of_pictures_says_that_it_has_no_arrays(tmp_path: Path) -> None:
    from PIL import Image

    (tmp_path / "a").mkdir()
    Image.fromarray(picture(3)).save(tmp_path / "a" / "0.png")
    store = open_store(tmp_path)
    with pytest.raises(DataError, match="pictures only, no array 'coeff_3dmm'"):
        store.array(store.clips()[0], "coeff_3dmm", [0])


def test_the_deca_variant_is_read_and_explained(tmp_path: Path) -> None:
    put(tmp_path / "32", a_length=b"2", **{"a_0000000": encoded([5])[0], "a_0000001": encoded([6])[0]})
    put(tmp_path / "32", a_3dmm=rows(2, 349).tobytes(), a_kp=rows(2, 68, 2).tobytes())
    store = LMDBStore(tmp_path)
    assert levels_of(store.frames(store.clips()[0], [1, 0])) == [6, 5]
    assert store.array(store.clips()[0], "3dmm", [1]).shape == (1, 349)
    with pytest.raises(DataError, match=r"3dmm with 349 .*rows of 68, which do not fit the 73 rows"):
        store.array(store.clips()[0], "coeff_3dmm", [0])


def test_other_widths_are_refused_when_opened(tmp_path: Path) -> None:
    put(tmp_path / "32", a_length=b"0000002", a_coeff_3dmm=rows(2, 257).tobytes())
    with pytest.raises(DataError, match=r"257 numbers a frame\. Expected are 260 float32 for each of 2 frames"):
        LMDBStore(tmp_path)


def test_clips_with_other_arrays_than_the_first_are_named(tmp_path: Path) -> None:
    with LMDBWriter(tmp_path, SIZE) as writer:
        writer.write("a", encoded([1]), keypoints=rows(1, 68, 2))
        writer.write("b", encoded([1]))
    with pytest.raises(DataError, match="clip 'b' has no arrays; clip 'a' has keypoint"):
        LMDBStore(tmp_path)


def test_foreign_content_is_told(tmp_path: Path) -> None:
    put(tmp_path / "32", image_1=b"x")
    with pytest.raises(DataError, match=r"no clips, the first keys are 'image-1'.*<clip>-length"):
        LMDBStore(tmp_path)
    write_lists(tmp_path, {"train": ["gone"]})
    with pytest.raises(DataError, match=r"1 of 1 listed clips.*'gone' is not there"):
        LMDBStore(tmp_path, "train")
    (tmp_path / "bad" / "32").mkdir(parents=True)
    (tmp_path / "bad" / "32" / "data.mdb").write_bytes(b"no database at all" * 999)
    with pytest.raises(DataError, match="is no LMDB that can be read"):
        LMDBStore(tmp_path / "bad")


def test_a_damaged_frame_is_named(tmp_path: Path) -> None:
    put(tmp_path / "32", a_length=b"2", **{"a_0000000": encoded([5])[0][:100]})
    store = LMDBStore(tmp_path)
    with pytest.raises(DataError, match="'a-0000000' is no picture"):
        store.frames(store.clips()[0], [0])
    with pytest.raises(DataError, match="there is no 'a-0000001'"):
        store.frames(store.clips()[0], [1])


def test_the_map_grows_and_the_clip_is_not_lost(tmp_path: Path) -> None:
    frames = noise(400)
    assert sum(map(len, frames)) > 400_000
    with LMDBWriter(tmp_path, SIZE, map_size=100_000) as writer:
        for name in "abc":
            assert writer.write(name, frames)
    with LMDBWriter(tmp_path, SIZE, map_size=1000) as writer:
        assert writer.clips() == ["a", "b", "c"], "a map smaller than the file is enlarged when it is opened"
        assert writer.write("d", frames)
    assert [clip.frames for clip in LMDBStore(tmp_path).clips()] == [400] * 4


def test_the_same_clip_is_not_written_twice(tmp_path: Path) -> None:
    with LMDBWriter(tmp_path, SIZE) as writer:
        assert writer.write("a", encoded([1, 2, 3]))
        assert not writer.write("a", encoded([1, 2, 3]))
        assert writer.write("a", encoded([1, 2]))
        assert writer.write("a", encoded([1, 2]), coefficients=rows(2, 260))
    with lmdb.open(str(tmp_path / str(SIZE)), readonly=True, lock=False) as env, env.begin() as transaction:
        assert transaction.get(b"a-0000002") is None, "frames of the longer clip are gone"


def test_names_that_begin_alike_do_not_touch_each_other(tmp_path: Path) -> None:
    with LMDBWriter(tmp_path, SIZE) as writer:
        for name in ("a", "a-b", "a-0000001", "a#b"):
            writer.write(name, encoded([1, 2]))
        writer.write("a", encoded([3]))
        assert writer.keep(["a-b", "a-0000001"]) == ["a", "a#b"]
        assert writer.clips() == ["a-0000001", "a-b"]
    assert [levels_of(LMDBStore(tmp_path).whole(Clip(name, "", 2))) for name in ("a-b", "a-0000001")] == [[1, 2]] * 2


@pytest.mark.parametrize("name", ["", " a", "a\nb", "x-align", "a" * 500])
def test_names_that_cannot_be_told_apart_are_refused(tmp_path: Path, name: str) -> None:
    with LMDBWriter(tmp_path, SIZE) as writer, pytest.raises(DataError, match="name"):
        writer.write(name, encoded([1]))


def test_rows_have_to_fit_the_frames(tmp_path: Path) -> None:
    with (
        LMDBWriter(tmp_path, SIZE) as writer,
        pytest.raises(DataError, match=r"coeff_3dmm is \(3, 260\), not \(2, 260\)"),
    ):
        writer.write("a", encoded([1, 2]), coefficients=rows(3, 260))


def test_a_torn_clip_is_redone_and_the_content_is_the_same(tmp_path: Path) -> None:
    whole, torn = write_set(tmp_path / "whole"), tmp_path / "torn"
    put(torn / str(SIZE), **{"id1#a_0000000": b"other", "id1#a_0000007": b"left over", "id1#a_digest": b"0" * 64})
    with LMDBWriter(torn, SIZE) as writer:
        assert writer.clips() == [] and writer.digest("id1#a") is None
    write_set(torn)
    assert content_digest(torn) == content_digest(whole)
    (torn / "test_list.txt").write_text("id1#a\n")
    assert content_digest(torn) != content_digest(whole)


_WRITE = """
import sys
from pathlib import Path
import numpy as np
from talkingface.data.lmdb.write import LMDBWriter, encode_frame
with LMDBWriter(Path(sys.argv[1]), 32, map_size=100_000) as writer:
    print("begun", flush=True)
    for number in range(12):
        random = np.random.default_rng(number)
        frames = [encode_frame(random.integers(0, 256, (32, 32, 3), np.uint8), 32) for _ in range(120)]
        writer.write(f"clip{number}", frames)
"""


def test_killed_at_any_moment_and_resumed_the_content_is_the_same(tmp_path: Path) -> None:
    def write(root: Path, kill_after_s: float | None) -> None:
        with subprocess.Popen([sys.executable, "-c", _WRITE, str(root)], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None and process.stdout.readline() == b"begun\n"
            if kill_after_s is not None:
                time.sleep(kill_after_s)
                process.send_signal(signal.SIGKILL)

    write(tmp_path / "calm", None)
    for delay in (0.003, 0.04, 0.09):
        write(tmp_path / "killed", delay)
    write(tmp_path / "killed", None)
    assert content_digest(tmp_path / "killed") == content_digest(tmp_path / "calm")


def test_a_store_travels_to_another_process(tmp_path: Path) -> None:
    store = open_store(write_set(tmp_path), "train")
    store.frames(store.clips()[0], [0])
    received = pickle.loads(pickle.dumps(store))  # noqa: S301 - our own bytes
    assert levels_of(received.frames(received.clips()[0], [2])) == [200]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        assert pool.map(first_level, [store] * 4) == [100] * 4


def test_a_forked_process_reads_for_itself(tmp_path: Path) -> None:
    store = open_store(write_set(tmp_path), "train")
    assert first_level(store) == 100
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(first_level, [store] * 8) == [100] * 8
    assert first_level(store) == 100


def first_level(store: LMDBStore) -> int:
    return levels_of(store.frames(store.clips()[0], [1]))[0]


def test_two_stores_of_one_environment_live_beside_each_other(tmp_path: Path) -> None:
    train, test = open_store(write_set(tmp_path), "train"), open_store(tmp_path, "test")
    assert levels_of(train.frames(train.clips()[0], [1])) == [100]
    del train
    assert levels_of(test.frames(test.clips()[0], [3])) == [40]
    del test
    with LMDBWriter(tmp_path, SIZE) as writer:
        assert writer.write("new", encoded([1])), "nobody reads any more, so it may be written"


def test_workers_give_the_same_batches_as_one_process(tmp_path: Path) -> None:
    store = open_store(write_set(tmp_path), "train")
    batches = Batches(store, {"source": "random", "driving": "random"}, batch_size=3, image_size=16, seed=5)
    alone = list(batch_loader(batches, range(6)))
    together = list(batch_loader(batches, range(6), workers=2))
    for one, other in zip(alone, together, strict=True):
        assert torch.equal(one["source"], other["source"]) and torch.equal(one["driving"], other["driving"])


def test_prepared_frames_keep_the_arrays(tmp_path: Path) -> None:
    packed = open_store(write_set(tmp_path / "set"), "train", preload_size=16, preload_dir=tmp_path / "cache")
    clip = packed.clips()[0]
    assert levels_of(packed.frames(clip, [1], 16)) == [100]
    np.testing.assert_array_equal(packed.array(clip, "coeff_3dmm", [1]), rows(3, 260)[[1]])


def test_a_foreign_file_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / str(SIZE)).mkdir()
    (tmp_path / str(SIZE) / "data.mdb").write_bytes(b"something else" * 1000)
    with pytest.raises(DataError, match="cannot be opened"):
        LMDBWriter(tmp_path, SIZE)
    assert (tmp_path / str(SIZE) / "data.mdb").stat().st_size == 14000


def test_the_forecast_is_near_the_truth(tmp_path: Path) -> None:
    clips = open_store(SAMPLE / "lmdb", "train")
    for size in (64, 160):
        with LMDBWriter(tmp_path, size) as writer:
            for clip in clips.clips():
                frames = [encode_frame(frame, size) for frame in clips.whole(clip)]
                rows_, points = rows(len(frames), 260), rows(len(frames), 68, 2)
                writer.write(clip.name, frames, coefficients=rows_, keypoints=points)
        truth = (tmp_path / str(size) / "data.mdb").stat().st_size
        assert forecast(clips, size) == pytest.approx(truth, rel=0.2)


def test_too_little_room_is_told_before_anything_is_written(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    check_room(tmp_path / "not" / "yet", 3 * 2**20)
    assert "about 3.0 MiB" in caplog.text
    with pytest.raises(DataError, match=r"needs about 1048576\.0 GiB.*--prepare\.resolutions"):
        check_room(tmp_path, 2**50)


def test_the_sample_opens_for_training_by_its_name() -> None:
    settings = load_settings(["--dataset=sample_lmdb"])
    pair = {"source": "random", "driving": "random"}
    train, test = open_training(settings, pair), open_validation(settings, pair)
    assert isinstance(train, LMDBStore) and isinstance(test, LMDBStore)
    assert {clip.identity for clip in train.clips()}.isdisjoint(clip.identity for clip in test.clips())
    batch = Batches(train, pair, batch_size=2, image_size=128)[0]
    assert batch["source"].shape == (2, 3, 128, 128)
