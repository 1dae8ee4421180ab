"""The face that is meant, or an error that says how to name it; never one in silence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from talkingface.errors import ConfigError, CutFaceError, FaceError, NoFaceError, SeveralFacesError, SmallFaceError
from talkingface.face.detect.analyser import FaceAnalyser
from talkingface.face.detect.debug import draw_faces, no_face
from talkingface.face.face import Box, Face
from talkingface.face.track.select import left_to_right, select_face, select_faces, select_track
from talkingface.face.track.track import Track
from talkingface.media.image import read_image

SIZE = (600, 800)
FILE = Path("group.png")


def face(x: float, y: float = 300, side: float = 100) -> Face:
    """A face with eyes and mouth in their places."""
    box = Box(x - side / 2, y - side / 2, x + side / 2, y + side / 2)
    landmarks = np.full((68, 2), (x, y), np.float32)
    landmarks[36:42] += (-side / 4, -side / 8)
    landmarks[42:48] += (side / 4, -side / 8)
    landmarks[48:68] += (0, side / 4)
    return Face(box, 0.9, landmarks, None, "mesh")


def track(number: int, x: float, side: float, frames: int, start: int = 0) -> Track:
    one = face(x, side=side)
    box = one.box
    boxes = np.tile(np.array([box.left, box.top, box.right, box.bottom], np.float32), (frames, 1))
    assert one.landmarks is not None
    return Track(number, start, boxes, np.tile(one.landmarks, (frames, 1, 1)), np.ones(frames, np.float32))


GROUP = [face(600, side=120), face(100, side=90), face(350, side=110)]


def test_the_only_face_is_meant() -> None:
    notes: list[str] = []
    one = face(400)
    assert select_face([one], None, SIZE, FILE, notify=notes.append) is one and notes == []


def test_among_several_alike_the_user_is_asked() -> None:
    with pytest.raises(SeveralFacesError) as caught:
        select_face(GROUP, None, SIZE, FILE)
    message = str(caught.value)
    assert message.startswith("group.png: 3 faces (0: at 100,300, 90 pixels, 1: at 350,300, 110 pixels, 2: at 600")
    assert "--face largest" in message and "\n" not in message


def test_one_twice_as_large_as_the_next_is_meant_and_the_user_is_told() -> None:
    notes: list[str] = []
    assert select_face([face(100, side=60), face(500, side=121)], None, SIZE, FILE, notify=notes.append).box.side == 121
    assert len(notes) >= 1 and "2 faces" in notes[0] and "--face" in notes[0]
    with pytest.raises(SeveralFacesError):
        select_face([face(100, side=61), face(500, side=121)], None, SIZE, FILE)


@pytest.mark.parametrize(
    ("choice", "x"), [("largest", 600), ("left", 100), ("right", 600), ("0", 100), ("1", 350), ("2", 600)]
)
def test_choices(choice: str, x: float) -> None:
    assert select_face(GROUP, choice, SIZE, FILE).box.center[0] == x


def test_all_gives_all_from_the_left_and_one_where_one_is_wanted() -> None:
    assert [one.box.center[0] for one in select_faces(GROUP, "all", SIZE, FILE)] == [100, 350, 600]
    assert select_faces(GROUP, "2", SIZE, FILE) == [GROUP[0]] and left_to_right(GROUP)[2] is GROUP[0]
    with pytest.raises(SeveralFacesError, match="only one of them"):
        select_face(GROUP, "all", SIZE, FILE)
    assert select_face(GROUP[:1], "all", SIZE, FILE) is GROUP[0]


def test_all_leaves_out_what_cannot_be_used_and_says_so() -> None:
    notes: list[str] = []
    chosen = select_faces([*GROUP, face(200, side=20)], "all", SIZE, FILE, notify=notes.append)
    assert len(chosen) == 3 and any("face 1 is left out: the face is only 20 pixels" in note for note in notes)
    with pytest.raises(SmallFaceError):
        select_faces([face(200, side=20), face(300, side=21)], "all", SIZE, FILE)


@pytest.mark.parametrize("choice", ["3", "99"])
def test_a_number_that_is_not_there(choice: str) -> None:
    with pytest.raises(NoFaceError, match=f"no face number {choice}; 3 faces .*from 0 to 2"):
        select_face(GROUP, choice, SIZE, FILE)


@pytest.mark.parametrize("choice", ["larges", "", "-1", "1.5", "²", "first"])
def test_a_choice_that_is_none(choice: str) -> None:
    with pytest.raises(ConfigError, match="no choice of a face") as caught:
        select_face(GROUP, choice, SIZE, FILE)
    assert "largest" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("choice", [None, "largest", "all", "0"])
def test_no_face(choice: str | None) -> None:
    with pytest.raises(NoFaceError, match=r"group\.png: no face was found"):
        select_faces([], choice, SIZE, FILE)


def test_too_small_says_how_small() -> None:
    with pytest.raises(SmallFaceError, match=r"only 31 pixels.*32 pixels or more"):
        select_face([face(300, side=31)], None, SIZE, FILE)
    notes: list[str] = []
    select_face([face(300, side=33)], None, SIZE, FILE, notify=notes.append)
    assert len(notes) == 1 and "soft" in notes[0]


@pytest.mark.parametrize(
    ("x", "y", "edge"), [(10, 300, "left"), (790, 300, "right"), (400, 5, "upper"), (400, 590, "lower")]
)
def test_a_face_without_an_eye_or_mouth_is_cut(x: float, y: float, edge: str) -> None:
    with pytest.raises(CutFaceError, match=f"the {edge} edge cuts off an eye or the mouth"):
        select_face([face(x, y)], None, SIZE, FILE)


def test_a_face_that_loses_a_cheek_is_told_of() -> None:
    notes: list[str] = []
    select_face([face(34)], None, SIZE, FILE, notify=notes.append)
    assert notes == ["group.png: the left edge cuts off 16% of the face"]


def test_a_box_without_points_may_lose_a_third() -> None:
    def box(left: float) -> Face:
        return Face(Box(left, 100, left + 90, 190), 1.0, None, None, "given")

    select_face([box(-29)], None, SIZE, FILE)
    with pytest.raises(CutFaceError, match="left edge"):
        select_face([box(-31)], None, SIZE, FILE)


def test_tracks_count_by_size_and_time() -> None:
    long, blink = track(0, 200, 100, 200), track(1, 600, 120, 3, start=50)
    notes: list[str] = []
    assert select_track([long, blink], None, SIZE, FILE, notify=notes.append) is long and len(notes) == 1
    assert select_track([long, blink], "1", SIZE, FILE) is blink
    assert select_track([long, blink], "right", SIZE, FILE) is blink
    rival = track(1, 600, 120, 150)
    assert select_track([long, rival], "largest", SIZE, FILE) is long
    with pytest.raises(SeveralFacesError, match=r"0: frames 0-199, at 200,300, 100 pixels.*--driving_face"):
        select_track([long, rival], None, SIZE, FILE)


def test_all_errors_of_faces_are_face_errors() -> None:
    for kind in (NoFaceError, SeveralFacesError, SmallFaceError, CutFaceError):
        assert issubclass(kind, FaceError)


def test_a_picture_without_a_face_says_what_was_tried_and_draws_it(mesh: FaceAnalyser, tmp_path: Path) -> None:
    y, x = np.mgrid[:300, :400]
    picture = np.stack([x % 256, y % 256, (x + y) % 256], axis=2).astype(np.uint8)
    error = no_face(FILE, picture, mesh, tmp_path / "debug")
    assert isinstance(error, NoFaceError) and "searched by 'mesh'" in str(error) and "\n" not in str(error)
    drawn = read_image(tmp_path / "debug" / "group_no_face.png")
    assert drawn.shape == picture.shape and (drawn != picture).any()
    assert "--debug_dir" in str(no_face(FILE, picture, mesh, None))


def test_drawn_faces_are_marked_where_they_are() -> None:
    picture = np.zeros((*SIZE, 3), np.uint8)
    drawn = draw_faces(picture, [face(400), face(-300)])
    assert drawn[300, 350].any() and not drawn[50, 50].any()
    assert max(draw_faces(np.zeros((4000, 100, 3), np.uint8), []).shape) == 1600


SHARED = {
    "s01_astronaut_512.png": None,
    "s03_two_faces_2000x1428.jpg": SeveralFacesError,
    "s04_group_1000x667.jpg": SeveralFacesError,
    "s13_noface_cat.png": NoFaceError,
    "s14_noface_coffee.png": NoFaceError,
    "s11_lowres_64.png": None,
}


@pytest.mark.parametrize("name", SHARED)
def test_shared_pictures(name: str, mesh: FaceAnalyser, shared_data: Path) -> None:
    picture = read_image(shared_data / "source" / name)
    faces = mesh.faces(picture)
    expected = SHARED[name]
    if expected is None:
        assert select_face(faces, None, picture.shape[:2], name) is faces[0]
    else:
        with pytest.raises(expected):
            select_face(faces, None, picture.shape[:2], name)


def test_a_shared_face_that_the_edge_cuts_is_told_of(mesh: FaceAnalyser, shared_data: Path) -> None:
    picture = read_image(shared_data / "source" / "s23_face_cut_by_edge.jpg")
    notes: list[str] = []
    select_face(mesh.faces(picture), None, picture.shape[:2], "s23", notify=notes.append)
    assert any("the right edge cuts off" in note for note in notes)
    narrow = np.ascontiguousarray(picture[:, : picture.shape[1] - 30])
    with pytest.raises(CutFaceError, match="right edge"):
        select_face(mesh.faces(narrow), None, narrow.shape[:2], "s23")
