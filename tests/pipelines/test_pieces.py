"""Motion where the face is not seen is that of the nearest frame in which it is, for models of keypoints too."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import torch

from talkingface.face.track.track import Track
from talkingface.pipelines.drivers.video import missing_face, zooming_cuts
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


def test_cuts_that_zoom_are_told() -> None:
    """Faces that come nearer within a shot, and jumps to another place, are none."""
    side = np.concatenate([np.linspace(50, 100, 20), np.full(20, 100.0), np.full(5, 100.0), np.full(15, 200.0)])
    left = np.where(np.arange(60) < 20, 0.0, 300.0)
    boxes = np.stack([left, left, left + side, left + side], axis=1).astype(np.float32)
    faces = Track(0, 10, boxes, None, np.ones(60, np.float32), gaps=(range(50, 55),))
    (note,) = zooming_cuts(Path("d.mp4"), faces)
    assert note.startswith("d.mp4: the face changes its size at once in frames 55 (2 times), and its movements with it")
    assert zooming_cuts(Path("d.mp4"), Track(0, 10, boxes[:45], None, np.ones(45, np.float32))) == ()
