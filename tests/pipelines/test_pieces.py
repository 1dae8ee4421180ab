"""Motion where the face is not seen is that of the nearest frame in which it is, for models of keypoints too."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import torch

from talkingface.face.track.track import Track
from talkingface.pipelines.drivers.video import missing_face
from talkingface.pipelines.read.motion_reader import held_where_unseen
from talkingface.types import Motion


def track(start: int, length: int, *gaps: range) -> Track:
    return Track(0, start, np.zeros((length, 4), np.float32), None, np.ones(length, np.float32), gaps=gaps)


def motion(length: int) -> Motion:
    values = {"value": torch.arange(float(length))[:, None], "jacobian": torch.arange(float(length))[:, None, None]}
    return Motion("fom.kp10", Fraction(25), values)


def test_only_gaps_are_held() -> None:
    held = held_where_unseen(motion(12), track(2, 9, range(5, 8)))
    for value in held.values.values():
        assert value.flatten().tolist() == [2, 2, 2, 3, 4, 4, 4, 8, 8, 9, 10, 10]


def test_a_face_that_is_always_seen_changes_nothing() -> None:
    whole = motion(5)
    assert held_where_unseen(whole, track(0, 5)) is whole
    assert held_where_unseen(whole, track(0, 9)) is whole


def test_the_note_names_the_pieces() -> None:
    assert missing_face(Path("d.mp4"), track(0, 19), 20) == ()
    (note,) = missing_face(Path("d.mp4"), track(2, 18, range(5, 8)), 20)
    assert note == "d.mp4: the face is seen in frames 2 to 4, 8 to 19 of 20; elsewhere its nearest pose is held"
    many = track(0, 40, *(range(k, k + 2) for k in range(2, 38, 4)))
    assert "and 2 more pieces" in missing_face(Path("d.mp4"), many, 40)[0]
