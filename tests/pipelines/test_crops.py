"""Who is moved and who moves: found by faces, else by the model's own search, and never in silence."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from talkingface.config import settings_from
from talkingface.errors import DependencyError, NoFaceError, SeveralFacesError, WeightsError
from talkingface.media.image import read_image, write_image
from talkingface.models.base import MotionExtractor
from talkingface.pipelines.drivers import DriverAssignment
from talkingface.pipelines.plan.options import CropOptions
from talkingface.pipelines.read.crops import Cropper
from talkingface.pipelines.read.motion_reader import FrameReader
from talkingface.types import Motion, Square

SIZE = (64, 64)
ANYONE = (DriverAssignment(Path("talk.mp4")),)


class BrightSquare(MotionExtractor):
    """An extractor whose subject is the part of a picture that is not black."""

    takes = frozenset({"video", "image"})
    gives, size, locates = "test", SIZE, True

    def extract(self, frames, fps):
        return Motion(self.gives, fps)

    def locate(self, picture):
        rows, columns = (picture[0].sum(dim=0) > 0.5).nonzero(as_tuple=True)
        if len(rows) == 0:
            return None
        return Square(int(columns.min()), int(rows.min()), int(rows.max() - rows.min()) + 1)


class Blind(BrightSquare):
    locates = False


@pytest.fixture
def picture_of(tmp_path: Path):
    def make(name: str, square: Square | None) -> Path:
        picture = np.zeros((120, 200, 3), np.uint8)
        if square:
            picture[square.top : square.top + square.side, square.left : square.left + square.side] = 255
        write_image(tmp_path / name, picture)
        return tmp_path / name

    return make


@pytest.fixture
def given(tmp_path: Path) -> Path:
    """Three faces: left and small, large in the middle, right and small."""
    boxes = [[110, 20, 180, 90], [20, 30, 60, 70], [190, 40, 230, 80]]
    (tmp_path / "faces.json").write_text(json.dumps({"faces": [{"box": box} for box in boxes]}))
    return tmp_path / "faces.json"


def cropper_of(extractor, **settings):
    return Cropper(CropOptions.of(settings_from(settings)), FrameReader(extractor))


def people(extractor, path, assignments=ANYONE, **settings):
    notes: list[str] = []
    cropper = cropper_of(extractor, **{"landmarks": "none", **settings})
    return cropper.people(path, read_image(path), assignments, SIZE, notes.append), notes


def driving(extractor, path, **settings):
    notes: list[str] = []
    cropper = cropper_of(extractor, **{"landmarks": "none", **settings})
    return cropper.driving(path, SIZE, notes.append).crop, notes


def test_the_models_own_search_finds_the_subject_and_the_user_is_told(picture_of):
    [place], [note] = people(BrightSquare(), picture_of("small.png", Square(130, 20, 60)))
    assert place.crop.square == Square(130, 20, 60)
    assert "60 pixels at 130,20" in note and "model's own search" in note


def test_without_a_subject_the_central_square_is_taken_and_the_user_is_told(picture_of):
    [place], [note] = people(BrightSquare(), picture_of("none.png", None))
    assert place.crop.square == Square(40, 0, 120) and "the central square is taken" in note


def test_who_asks_for_no_search_gets_the_central_square_without_a_word(picture_of):
    path = picture_of("small.png", Square(130, 20, 60))
    for extractor, settings in ((Blind(), {}), (BrightSquare(), {"if_align": False})):
        [place], notes = people(extractor, path, **settings)
        assert (place.crop.square, notes) == (Square(40, 0, 120), [])
        assert driving(extractor, path, **settings)[0].square == Square(40, 0, 120)


def test_a_folder_of_frames_has_one_place_for_all_the_first_found(tmp_path):
    for number in range(30):
        picture = np.zeros((120, 200, 3), np.uint8)
        if number >= 10:  # a first look finds nothing yet
            picture[20:80, 50 + number : 110 + number] = 255
        write_image(tmp_path / f"{number:03}.png", picture)
    crop, _ = driving(BrightSquare(), tmp_path)
    assert crop.square == Square(62, 20, 60)


def test_the_whole_picture_is_not_searched(picture_of):
    [place], notes = people(BrightSquare(), picture_of("small.png", Square(130, 20, 60)), preprocess="resize")
    assert place.crop.box.width == pytest.approx(200) and notes == []


@pytest.fixture
def group(tmp_path: Path) -> Path:
    write_image(tmp_path / "group.png", np.zeros((120, 250, 3), np.uint8))
    return tmp_path / "group.png"


def chosen(group, given, assignments=ANYONE, **settings):
    places, _ = people(Blind(), group, assignments, landmarks="given", landmarks_file=given, **settings)
    return [(place.number, round(place.crop.box.center[0])) for place in places]


def test_several_faces_are_never_chosen_from_in_silence(group, given):
    with pytest.raises(SeveralFacesError, match=r"0: at 40,50.*1: at 145,55.*2: at 210,60"):
        chosen(group, given)


@pytest.mark.parametrize(("choice", "number"), [("largest", 1), ("left", 0), ("right", 2), ("2", 2)])
def test_one_face_is_chosen_by_the_choice(group, given, choice, number):
    [(found, _)] = chosen(group, given, face=choice)
    assert found == number


def test_all_faces_are_numbered_from_the_left(group, given):
    assert [number for number, _ in chosen(group, given, face="all")] == [0, 1, 2]


def test_a_driver_moves_the_face_it_names_and_the_others_stay_still(group, given, tmp_path):
    assignments = (DriverAssignment(tmp_path / "b.mp4", 2), DriverAssignment(tmp_path / "a.mp4", 0))
    assert [number for number, _ in chosen(group, given, assignments)] == [0, 2]


def test_a_driver_without_a_name_moves_the_rest_or_whom_the_wish_names(group, given, tmp_path):
    assignments = (DriverAssignment(tmp_path / "b.mp4", 2), DriverAssignment(tmp_path / "a.mp4"))
    assert [number for number, _ in chosen(group, given, assignments)] == [0, 1, 2]
    assert [number for number, _ in chosen(group, given, assignments, face="left")] == [0, 2]


def test_a_face_that_is_not_there_is_refused(group, given, tmp_path):
    with pytest.raises(NoFaceError, match=r"no face number 7.*--drive"):
        chosen(group, given, (DriverAssignment(tmp_path / "b.mp4", 7),))


def test_a_named_backend_that_is_missing_is_an_error_and_auto_says_what_took_its_place(tmp_path, picture_of):
    path = picture_of("small.png", Square(130, 20, 60))
    with pytest.raises((WeightsError, DependencyError)):
        cropper_of(BrightSquare(), landmarks="mesh", checkpoint_root=tmp_path)
    cropper = cropper_of(BrightSquare(), checkpoint_root=tmp_path)
    assert cropper.name.startswith("the model's own search (") and "no landmark backend" in cropper.name
    notes: list[str] = []
    cropper.people(path, read_image(path), ANYONE, SIZE, notes.append)
    assert "no face finder" in notes[0]


def test_who_names_a_face_does_not_get_something_else(picture_of, tmp_path):
    with pytest.raises(NoFaceError, match="no face can be looked for"):
        people(
            BrightSquare(),
            picture_of("small.png", Square(130, 20, 60)),
            landmarks="auto",
            face="left",
            checkpoint_root=tmp_path,
        )
