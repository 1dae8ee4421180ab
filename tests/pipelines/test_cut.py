"""Frames cut while they are read: the same part whichever way is taken."""

from __future__ import annotations

import numpy as np
import pytest

from talkingface.face.crop.crop import Crop
from talkingface.face.face import Box
from talkingface.media.video import open_video
from talkingface.pipelines.read.video import CutFrames, first_looks, picture_size

from .small import FRAMES


def test_size_is_that_of_the_upright_frames(clips):
    assert picture_size(clips / "talk.mp4") == picture_size(clips / "frames") == (80, 100)


@pytest.mark.parametrize("name", ["talk.mp4", "frames"])
@pytest.mark.parametrize(
    "box",
    [
        Box(19.5, 9.5, 79.5, 69.5),  # whole pixels within the picture: cut by the decoder
        Box(20.2, 10.1, 80.2, 70.1),  # between pixels
        Box(-20.5, 9.5, 39.5, 69.5),  # beyond the edge
    ],
)
def test_every_way_cuts_the_same_part(clips, name, box):
    crop = Crop.of_box(box, (60, 60))
    with CutFrames(clips / name, crop) as frames, open_video(clips / name) as whole:
        pairs = list(zip(frames, whole, strict=True))
    assert len(pairs) == FRAMES
    for cut, frame in pairs:
        assert np.abs(cut.astype(int) - crop.cut(frame, border="edge")).mean() < 2


def test_large_frames_are_reduced_before_they_are_cut(clips):
    crop = Crop.of_box(Box(-20.5, -0.5, 59.5, 79.5), (20, 20))
    with CutFrames(clips / "talk.mp4", crop) as frames, open_video(clips / "talk.mp4") as whole:
        assert (frames.reader.height, frames.reader.width) == (20, 25)
        for cut, frame in zip(frames, whole, strict=True):
            assert np.abs(cut.astype(int) - crop.cut(frame, border="edge")).mean() < 6


def test_limit_and_rate_are_the_readers(clips):
    crop = Crop.of_box(Box(-20.5, -0.5, 59.5, 79.5), (20, 20))
    with CutFrames(clips / "talk.mp4", crop, frame_limit=3) as frames:
        assert len(list(frames)) == len(list(frames)) == 3


def test_few_frames_are_looked_at_in_haste(clips):
    assert len(list(first_looks(clips / "talk.mp4"))) == 1
