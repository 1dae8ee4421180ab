"""Which square the model is shown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from talkingface.media.image import write_image
from talkingface.models.base import Driver
from talkingface.pipelines.framing import View, view_of
from talkingface.types import Motion, Square


class BrightSquare(Driver):
    """A driver whose subject is the part of a picture that is not black."""

    takes = frozenset({"video", "image"})
    gives, size, locates = "test", (64, 64), True

    def drive(self, frames, fps):
        return Motion(self.gives, fps)

    def locate(self, picture):
        rows, columns = (picture[0].sum(dim=0) > 0.5).nonzero(as_tuple=True)
        if len(rows) == 0:
            return None
        return Square(int(columns.min()), int(rows.min()), int(rows.max() - rows.min()) + 1)


@pytest.fixture
def picture_of(tmp_path: Path):
    def make(name: str, square: Square | None) -> Path:
        picture = np.zeros((120, 200, 3), np.uint8)
        if square:
            picture[square.top : square.top + square.side, square.left : square.left + square.side] = 255
        write_image(tmp_path / name, picture)
        return tmp_path / name

    return make


def test_a_small_subject_is_cut_out_and_the_user_is_told(picture_of):
    path = picture_of("small.png", Square(130, 20, 60))
    view = view_of(BrightSquare(), path)
    assert view.square == Square(130, 20, 60)
    assert "60 x 60 pixels at (130, 20)" in view.note and "--no-if_align" in view.note


def test_a_subject_that_fills_the_picture_is_left_alone(picture_of):
    assert view_of(BrightSquare(), picture_of("large.png", Square(40, 0, 110))) == View()


def test_without_a_subject_the_central_square_is_taken_and_the_user_is_told(picture_of):
    view = view_of(BrightSquare(), picture_of("none.png", None))
    assert view.square is None and "no subject" in view.note


def test_a_folder_of_frames_has_one_place_for_all_the_first_found(tmp_path: Path):
    for number in range(30):
        picture = np.zeros((120, 200, 3), np.uint8)
        if number >= 10:  # a first look finds nothing yet
            picture[20:80, 50 + number : 110 + number] = 255
        write_image(tmp_path / f"{number:03}.png", picture)
    view = view_of(BrightSquare(), tmp_path)
    assert view.square == Square(62, 20, 60)


def test_drivers_that_cannot_search_take_the_central_square(picture_of):
    class Blind(BrightSquare):
        locates = False

    assert view_of(Blind(), picture_of("small.png", Square(130, 20, 60))) == View()
