"""Parts of clips as clips of their own, and what of one person is held out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from talkingface.data import open_store
from talkingface.data.parts import PartStore, beside, hold_out
from talkingface.errors import DataError


def write(root: Path, *lengths: int) -> Path:
    """Folders of grey pictures whose brightness is the number of the frame."""
    for number, length in enumerate(lengths):
        folder = root / f"clip{number}"
        folder.mkdir(parents=True)
        for frame in range(length):
            Image.fromarray(np.full((16, 16, 3), frame, np.uint8)).save(folder / f"{frame}.png")
    return root


def test_the_last_of_several_clips_is_held_out(tmp_path: Path) -> None:
    learnt, held = hold_out(open_store(write(tmp_path, 9, 12, 10)))
    assert [(part.name, part.start, part.frames) for part in learnt] == [("clip0", 0, 9), ("clip1", 0, 12)]
    assert [(part.name, part.start, part.frames) for part in held] == [("clip2", 0, 10)]
    assert {clip.identity for clip in PartStore(learnt).clips()} == {"person"}


def test_the_last_fifth_of_a_single_clip_is_held_out_and_a_second_before_it_is_not_learnt(tmp_path: Path) -> None:
    store = open_store(write(tmp_path, 60))
    learnt, held = hold_out(store)
    ((first,), (last,)) = learnt, held
    assert (first.start, first.frames, last.start, last.frames) == (0, 60 - 12 - 25, 48, 12)
    part = PartStore(held)
    (clip,) = part.clips()
    assert part.frames(clip, [0, 3, 11, 40])[:, 0, 0, 0].tolist() == [48, 51, 59, 59]


def test_a_clip_that_is_too_short_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="too few"):
        hold_out(open_store(write(tmp_path, 30)))


def test_other_people_stand_beside_the_person_under_names_of_their_own(tmp_path: Path) -> None:
    person, others = (open_store(write(tmp_path / name, 9, 8)) for name in ("me", "they"))
    store = beside(person, others)
    assert {(clip.name, clip.identity) for clip in store.clips()} == {
        ("clip0", "person"), ("clip1", "person"), ("others/clip0", "others"), ("others/clip1", "others"),
    }  # fmt: skip
    clip = next(clip for clip in store.clips() if clip.name == "others/clip1")
    assert store.frames(clip, [2])[0, 0, 0].tolist() == [2, 2, 2]
