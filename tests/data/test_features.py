"""Numbers, sound and identities in training items, and where they come from."""

from __future__ import annotations

import logging
import shutil
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from talkingface.data import Batches, Clip, ClipStore, open_store
from talkingface.data.features import FeatureOptions, add_features
from talkingface.data.samples import Sampler, describe
from talkingface.data.settings import AugmentSettings
from talkingface.errors import DataError
from talkingface.face.detect.analyser import problem_of
from talkingface.media.writer import open_writer
from talkingface.models.samples import AudioWindow, CoefficientWindow, Identity, Window
from talkingface.paths import default_checkpoint_root, shipped

SAMPLE = shipped("dataset", "sample")
MOMENT = 640
NO_MESH = problem_of("mesh", default_checkpoint_root())


class Ramps(ClipStore):
    """Clips whose numbers and sound tell where they are: rows are frame numbers, samples are moments. No pictures."""

    root = Path("ramps")

    def __init__(self, *clips: Clip) -> None:
        self._clips = list(clips)

    def clips(self) -> list[Clip]:
        return self._clips

    def sources(self) -> list[Path]:
        return []

    def frames(self, clip: Clip, indices: object, size: int | None = None) -> NDArray[np.uint8]:
        raise AssertionError("a picture was decoded that nobody asked for")

    def array(self, clip: Clip, key: str, indices: object) -> NDArray[np.float32]:
        assert key == "coeff_3dmm"
        return np.asarray(indices, np.float32)[:, None].repeat(2, axis=1)

    def sound(self, clip: Clip, start: int, stop: int) -> NDArray[np.float32]:
        return np.arange(start, stop, dtype=np.float32) / MOMENT


def clip(name: str, frames: int, fps: Fraction | None = None) -> Clip:
    return Clip(name, name, frames, fps)


SPEECH = {
    "part": Window(5),
    "rows": CoefficientWindow("part", tuple(range(5))),
    "sound": AudioWindow("part", -1, 6),
    "who": Identity(),
}


def batch(store: ClipStore, samples: dict, step: int = 0, **changes: object) -> dict[str, torch.Tensor]:
    return Batches(store, samples, batch_size=16, image_size=8, seed=1, **changes)[step]


def test_sound_and_rows_are_of_the_same_moments_and_no_picture_is_decoded() -> None:
    values = batch(Ramps(clip("a", 30), clip("b", 9)), SPEECH)
    rows, sound = values["rows"], values["sound"]
    assert (rows.shape, sound.shape, values["who"].dtype) == ((16, 5, 2), (16, 7 * MOMENT), torch.int64)
    assert torch.equal(rows[:, :, 0].diff(dim=1), torch.ones(16, 4))
    assert torch.equal(sound[:, MOMENT::MOMENT][:, :5], rows[:, :, 0])
    assert rows.min() >= 0 and rows.max() <= 29
    assert (rows[values["who"] == 1] <= 8).all() and (values["who"] == 1).any()


def test_a_stretch_lies_inside_the_clip_where_it_is_long_enough() -> None:
    starts = {int(rows[0, 0]) for step in range(20) for rows in batch(Ramps(clip("a", 7)), SPEECH, step)["rows"]}
    assert starts == {0, 1, 2}
    short = batch(Ramps(clip("a", 3)), SPEECH)["rows"][0, :, 0]
    assert short.tolist() == [0, 1, 2, 2, 2]


@pytest.mark.parametrize("fps", [Fraction(50), Fraction(30000, 1001), Fraction(10)])
def test_moments_keep_to_the_clock_of_the_sound(fps: Fraction) -> None:
    values = batch(Ramps(clip("a", 100, fps)), SPEECH)
    seconds = values["rows"][:, :, 0] / float(fps)
    assert torch.allclose(seconds, values["sound"][:, MOMENT::MOMENT][:, :5] / 25, atol=1e-5)


def test_windows_follow_their_frame_and_stop_at_the_ends_of_the_clip() -> None:
    parts = describe({"source": "random", "window": CoefficientWindow("source", (-2, 0, 2))})
    sampler = Sampler([clip("a", 4, Fraction(50))], parts, 0)
    item = sampler.item(sampler.generator(0))
    assert item.begins["source"] == item.frames["source"][0]
    assert item.step == 2, "two frames of a clip of 50 to each moment"


def test_time_runs_backwards_in_rows_too_but_never_in_sound() -> None:
    silent = {"part": Window(5), "rows": CoefficientWindow("part", tuple(range(5)))}
    for samples, both in ((silent, True), (SPEECH, False)):
        sampler = Sampler([clip("a", 30)], describe(samples), 0, time_flip=True)
        items = [sampler.item(sampler.generator(number)) for number in range(40)]
        assert len({item.step for item in items}) == 1 + both
        for item in items:
            moments = [item.begins["part"] + k * item.step for k in range(5)]
            assert min(moments) >= 0 and max(moments) <= 29


def test_an_item_is_a_function_of_seed_and_number() -> None:
    one, other = (batch(Ramps(clip("a", 30), clip("b", 20)), SPEECH, step=3) for _ in range(2))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_rows_have_to_be_somewhere() -> None:
    with pytest.raises(DataError, match="'rows' is around 'part', which is no window or single frame"):
        describe({"rows": CoefficientWindow("part"), "source": "random"})


def test_items_with_rows_are_not_moved_in_the_picture() -> None:
    store = open_store(SAMPLE / "lmdb", "train", size=32)
    plain = {"source": "random"}
    with_rows = {**plain, "rows": CoefficientWindow("source")}
    moving = AugmentSettings(crop=0.3, brightness=0, contrast=0, saturation=0, hue=0)
    still = batch(store, with_rows)["source"]
    assert torch.equal(batch(store, with_rows, augment=moving)["source"], still)
    assert not torch.equal(batch(store, plain, augment=moving)["source"], still)


def test_an_lmdb_takes_its_sound_from_a_folder(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = open_store(SAMPLE / "lmdb", "train", size=32)
    samples = {"part": Window(2), "rows": CoefficientWindow("part"), "sound": AudioWindow("part", 0, 2)}
    with pytest.raises(DataError, match=r"no clip has a sound.*--data\.sound"):
        add_features(store, samples, FeatureOptions(folder=tmp_path / "a"))
    equipped = add_features(store, samples, FeatureOptions(folder=tmp_path / "b", sound=SAMPLE))
    assert len(equipped.clips()) == 7
    assert equipped.sound(equipped.clips()[0], 0, 20000).std() > 0.01
    outside = equipped.sound(equipped.clips()[0], -100, 10)
    assert not outside[:100].any() and len(equipped.sound(equipped.clips()[0], 10**7, 10**7 + 5)) == 5
    caplog.clear()
    with caplog.at_level(logging.INFO):
        add_features(store, samples, FeatureOptions(folder=tmp_path / "b", sound=SAMPLE))
    assert "to do" not in caplog.text, "it is read once"


def write_clips(root: Path) -> Path:
    """Three clips of which one is silent, and one whose list doubts it."""
    root.mkdir()
    for name in ("painted1_01.mp4", "painted3_01.mp4"):
        shutil.copy(SAMPLE / "train" / name, root / name)
    with open_writer(root / "mute_01.mp4", fps=Fraction(25)) as writer:
        for _ in range(5):
            writer.write(np.zeros((32, 32, 3), np.uint8))
    lines = ["file,frames,fps,has_audio,sync", "painted1_01.mp4,40,25,1,ok", "painted3_01.mp4,32,25,1,unsure"]
    (root / "clips.csv").write_text("\n".join([*lines, "mute_01.mp4,5,25,,"]) + "\n")
    return root


def test_clips_without_a_sound_that_fits_are_left_out_with_one_note(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_store(write_clips(tmp_path / "clips"))
    samples = {"part": Window(2), "sound": AudioWindow("part", 0, 2)}
    with caplog.at_level(logging.INFO):
        kept = add_features(store, samples, FeatureOptions(folder=tmp_path / "cache"))
    assert [clip.name for clip in kept.clips()] == ["painted1_01.mp4"]
    assert caplog.text.count("1 clips without sound are left out") == 1
    assert caplog.text.count("--data.unsure_sync") == 1
    every = add_features(store, samples, FeatureOptions(folder=tmp_path / "cache", unsure=True))
    assert [clip.name for clip in every.clips()] == ["painted1_01.mp4", "painted3_01.mp4"]


@pytest.mark.skipif(NO_MESH is not None, reason=str(NO_MESH))
def test_coefficients_are_found_in_clips_once(tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    shutil.copy(SAMPLE / "train" / "portrait_02.mp4", tmp_path / "clips" / "portrait_02.mp4")
    store, samples = (
        open_store(tmp_path / "clips"),
        {"part": Window(2), "rows": CoefficientWindow("part", space="mesh")},
    )
    with pytest.raises(DataError, match="pictures only"):
        store.array(store.clips()[0], "coeff_3dmm", [0])
    found = add_features(store, samples, FeatureOptions(folder=tmp_path / "cache"))
    rows = found.array(found.clips()[0], "coeff_3dmm", range(32))
    known = open_store(SAMPLE / "lmdb")
    (same,) = [clip for clip in known.clips() if clip.name == "portrait#02"]
    wanted = known.array(same, "coeff_3dmm", range(32))
    # The same frames as jpeg: the heads agree to half a degree.
    assert np.abs(rows - wanted)[:, 224:227].mean() < 0.009
    made = sorted((tmp_path / "cache").rglob("*.npz"))
    add_features(store, samples, FeatureOptions(folder=tmp_path / "cache"))
    assert sorted((tmp_path / "cache").rglob("*.npz")) == made
