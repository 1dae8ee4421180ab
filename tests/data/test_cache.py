"""The cache of clips with face meshes: shards, draws and batches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from talkingface.data.augment import augment_batch, draw_augmentation
from talkingface.data.cache.batches import PairBatches, PairSampler, changed_points
from talkingface.data.cache.settings import CacheSettings, DrawSettings
from talkingface.data.cache.store import FaceCache, read_shard, spread, write_shard
from talkingface.data.loader import NO_AUGMENTATION
from talkingface.data.settings import AugmentSettings
from talkingface.data.store import Clip
from talkingface.errors import DataError

from .faces import write_clip


@pytest.fixture
def cache(tmp_path: Path) -> FaceCache:
    write_clip(tmp_path, "a", "ann")
    write_clip(tmp_path, "b", "ben", seed=1)
    return FaceCache(tmp_path)


def test_shard_keeps_frames_and_meshes(tmp_path: Path) -> None:
    frame = np.zeros((64, 64, 3), np.uint8)
    frame[10:30, 20:40] = (200, 40, 90)
    mesh = np.random.default_rng(0).random((2, 468, 3), np.float32)
    path = tmp_path / "one.safetensors"
    write_shard(path, "clip", "who", [frame, 255 - frame], [3, 7], mesh, np.zeros((2, 3), np.float32))
    shard = read_shard(path)
    assert (shard.clip, shard.identity, shard.numbers.tolist()) == ("clip", "who", [3, 7])
    assert np.array_equal(shard.mesh, mesh)
    assert np.abs(shard.frame(1).astype(int) - (255 - frame)).mean() < 1


def test_other_files_are_no_shards(tmp_path: Path) -> None:
    save_file({"frames": np.zeros(1)}, tmp_path / "x.safetensors")
    with pytest.raises(DataError, match="no clip of a cache"):
        read_shard(tmp_path / "x.safetensors")
    with pytest.raises(DataError, match="empty"):
        FaceCache(tmp_path / "nothing")


def test_clips_of_all_people_come_before_second_ones() -> None:
    clips = [Clip("a1", "a", 1000), Clip("a2", "a", 1000), Clip("b1", "b", 50)]
    ordered = spread(clips, CacheSettings(every=2, frames_per_identity=100))
    assert [(clip.name, step) for clip, step in ordered] == [("a1", 20), ("b1", 2), ("a2", 20)]


def test_draws_follow_from_seed_and_number(cache: FaceCache) -> None:
    draw = [PairSampler(cache, DrawSettings(), seed=3) for _ in range(2)]
    pairs = [[one.pair(one.generator(n)) for n in range(20)] for one in draw]
    assert [(p.clip.shard.clip, p.frames) for p in pairs[0]] == [(p.clip.shard.clip, p.frames) for p in pairs[1]]
    assert {p.clip.shard.identity for p in pairs[0]} == {"ann", "ben"}


@pytest.mark.parametrize(("share", "curve"), [("mouth", "opening"), ("lids", "lids"), ("turn", "yaw")])
def test_preferred_pairs_disagree(cache: FaceCache, share: str, curve: str) -> None:
    shares = {"mouth": 0.0, "lids": 0.0, "turn": 0.0, share: 1.0}
    sampler = PairSampler(cache, DrawSettings(**shares, extreme=0.2))
    for number in range(20):
        pair = sampler.pair(sampler.generator(number))
        values = getattr(pair.clip, curve)
        apart = abs(values[pair.frames[0]] - values[pair.frames[1]])
        assert apart > 0.5 * (values.max() - values.min())


def test_batches_hold_frames_and_points(cache: FaceCache) -> None:
    batch = PairBatches(PairSampler(cache, DrawSettings()), 3, NO_AUGMENTATION)[5]
    assert batch["source"].shape == batch["driving"].shape == (3, 3, 128, 128)
    assert batch["points_source"].shape == (3, 468, 2)
    assert float(batch["points_driving"].abs().max()) < 1


def test_points_follow_the_picture_through_a_change() -> None:
    settings = AugmentSettings(
        time_flip=False, brightness=0, contrast=0, saturation=0, hue=0, crop=0.2, rotation_deg=20
    )
    side, place = 64, (40, 22)
    picture = np.zeros((1, 1, side, side, 3), np.uint8)
    picture[0, 0, place[1] - 1 : place[1] + 2, place[0] - 1 : place[0] + 2] = 255
    points = np.tile(np.array(place, float), (1, 468, 1))
    for seed in range(12):
        change = draw_augmentation(settings, np.random.default_rng(seed))
        moved = augment_batch(torch.from_numpy(picture), [change], settings)[0, 0].mean(dim=0)
        found = changed_points(points, change, side)[0, 0]
        if np.abs(found).max() > 0.9:
            continue
        grid = torch.linspace(-1, 1, side)
        seen = (moved.sum(dim=0) @ grid / moved.sum(), moved.sum(dim=1) @ grid / moved.sum())
        assert float(seen[0]) == pytest.approx(found[0], abs=0.02)
        assert float(seen[1]) == pytest.approx(found[1], abs=0.02)
