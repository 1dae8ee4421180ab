"""Items and batches: a pure function of seed and number, drawn evenly over identities."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from talkingface.data import Batches, Clip, batch_loader, open_store
from talkingface.data.samples import Offsets, RandomFrames, Sampler, describe
from talkingface.data.settings import AugmentSettings
from talkingface.errors import DataError

PAIR = describe({"source": "random", "driving": "random"})
CLIPS = [Clip("a1", "a", 30), Clip("a2", "a", 10), Clip("b", "b", 5)]


def draw(sampler: Sampler, count: int) -> list:
    return [sampler.item(sampler.generator(number)) for number in range(count)]


def test_an_item_depends_on_seed_and_number_alone() -> None:
    sampler = Sampler(CLIPS, PAIR, seed=3)
    in_order = draw(sampler, 5)
    assert sampler.item(sampler.generator(2)) == in_order[2]
    assert Sampler(CLIPS, PAIR, seed=3).item(sampler.generator(4)) == in_order[4]
    assert draw(Sampler(CLIPS, PAIR, seed=4), 5) != in_order


def test_identities_are_balanced_and_clips_weighted_by_length() -> None:
    names = Counter(item.clip.name for item in draw(Sampler(CLIPS, PAIR, seed=0), 4000))
    # Expected 1500, 500 and 2000; the largest standard deviation of the three counts is 32.
    assert names["a1"] == pytest.approx(1500, abs=130)
    assert names["a2"] == pytest.approx(500, abs=130)
    assert names["b"] == pytest.approx(2000, abs=130)


def test_random_frames_are_distinct_and_in_order_of_time_without_the_flip() -> None:
    pairs = [(item.frames["source"][0], item.frames["driving"][0]) for item in draw(Sampler(CLIPS, PAIR, 0), 200)]
    assert all(source < driving for source, driving in pairs)
    flipped = draw(Sampler(CLIPS, PAIR, 0, time_flip=True), 400)
    backwards = sum(item.frames["source"][0] > item.frames["driving"][0] for item in flipped)
    assert backwards == pytest.approx(200, abs=60)


def test_a_clip_of_one_frame_gives_it_twice() -> None:
    (item,) = draw(Sampler([Clip("a", "a", 1)], PAIR, 0), 1)
    assert item.frames == {"source": [0], "driving": [0]}


def test_windows_are_clamped_at_both_ends_and_share_their_centre() -> None:
    parts = describe({"image": [0], "motion": range(-2, 3)})
    for item in draw(Sampler([Clip("a", "a", 4)], parts, 0), 50):
        (centre,) = item.frames["image"]
        assert item.frames["motion"] == np.clip(np.arange(centre - 2, centre + 3), 0, 3).tolist()


def test_descriptions() -> None:
    assert describe({"a": "random", "b": range(2), "c": RandomFrames(3)}) == {
        "a": RandomFrames(1),
        "b": Offsets((0, 1)),
        "c": RandomFrames(3),
    }
    with pytest.raises(DataError, match="'a' is 'randm'"):
        describe({"a": "randm"})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    for name in ("a_1", "b_1"):
        (tmp_path / name).mkdir()
        for number in range(6):
            Image.fromarray(random.integers(0, 256, (12, 12, 3), np.uint8)).save(tmp_path / name / f"{number}.png")
    return tmp_path


def batches(root: Path, **changes: object) -> Batches:
    values: dict = {"batch_size": 4, "image_size": 12, "seed": 1, "augment": AugmentSettings(crop=0.2)}
    return Batches(open_store(root), {"source": "random", "driving": "random"}, **{**values, **changes})


def test_batches_are_the_same_with_workers_and_from_the_middle(root: Path) -> None:
    plain = list(batch_loader(batches(root), range(5)))
    worked = list(batch_loader(batches(root), range(2, 5), workers=2))
    for one, other in zip(plain[2:], worked, strict=True):
        assert all(torch.equal(one[name], other[name]) for name in one)
    assert plain[0]["source"].shape == (4, 3, 12, 12)
    assert plain[0]["source"].dtype == torch.float32


def test_workers_outlive_the_signals_that_are_sent_to_all_processes(root: Path) -> None:
    loaded = batch_loader(batches(root), range(12), workers=2)
    next(loaded)  # the workers run by now
    workers = multiprocessing.active_children()
    assert len(workers) == 2
    for worker in workers:
        for number in (signal.SIGINT, signal.SIGTERM):
            os.kill(worker.pid, number)
    assert len(list(loaded)) == 11


LEAVES_BY_AN_ERROR = """
import sys
from talkingface.data import Batches, batch_loader, open_store
batches = Batches(open_store(sys.argv[1]), {"source": "random"}, batch_size=2, image_size=12)
loaded = batch_loader(batches, range(100), workers=2)
next(loaded)
raise SystemError("a bug")
"""


def test_workers_never_hold_up_a_process_that_leaves_by_an_error(root: Path) -> None:
    program = [sys.executable, "-c", LEAVES_BY_AN_ERROR, str(root)]
    done = subprocess.run(program, capture_output=True, text=True, check=False, timeout=60)
    assert done.stderr.rstrip().endswith("SystemError: a bug")


def test_loading_leaves_the_global_random_numbers_alone(root: Path) -> None:
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    next(batch_loader(batches(root), range(2)))
    assert torch.rand(1) == expected


def test_processes_share_one_batch_among_them(root: Path) -> None:
    whole = batches(root)[3]["driving"]
    parts = [batches(root, batch_size=2, rank=rank, world=2)[3]["driving"] for rank in (0, 1)]
    assert torch.equal(whole, torch.cat(parts))


def test_windows_keep_their_frames_together(root: Path) -> None:
    values = Batches(open_store(root), {"image": [0], "motion": range(-1, 2)}, batch_size=2, image_size=12)[0]
    assert values["image"].shape == (2, 1, 3, 12, 12)
    assert values["motion"].shape == (2, 3, 3, 12, 12)
    assert torch.equal(values["motion"][:, 1], values["image"][:, 0])
