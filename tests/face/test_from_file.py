"""Points and boxes out of files of the user's own: every documented form, and every wrong one in one clear line."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from talkingface.errors import ConfigError, TalkingFaceError
from talkingface.face.detect.analyser import open_analyser
from talkingface.face.detect.from_file import FileAnalyser
from talkingface.face.face import Box

PICTURE = np.zeros((200, 300, 3), np.uint8)
POINTS = np.random.default_rng(0).uniform(20, 150, (2, 68, 2)).astype(np.float32)
FIVE = np.array([[100, 80], [140, 80], [120, 100], [105, 120], [135, 120]], np.float32)


def lines(points: np.ndarray, between: str = " ") -> str:
    return "\n".join(between.join(map(str, row)) for row in points.tolist()) + "\n"


@pytest.mark.parametrize("between", [" ", "\t", ", "])
def test_68_lines(tmp_path: Path, between: str) -> None:
    (tmp_path / "a.txt").write_text(lines(POINTS[0], between))
    (face,) = open_analyser(landmarks_file=tmp_path / "a.txt").faces(PICTURE)
    np.testing.assert_allclose(face.landmarks, POINTS[0])
    assert face.box == Box.around(POINTS[0]) and face.backend == "given" and face.mesh is None


def test_five_lines_give_the_five_points_and_a_box_around_the_face(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(lines(FIVE))
    (face,) = open_analyser("given", landmarks_file=tmp_path / "a.txt").faces(PICTURE)
    np.testing.assert_array_equal(face.five, FIVE)
    assert face.landmarks is None and face.box.center == (120, 100)
    assert face.box.width == pytest.approx(84) and face.box.height == pytest.approx(98)


@pytest.mark.parametrize(("points", "count"), [(POINTS, 2), (POINTS[0], 1), (FIVE, 1), (FIVE[None].astype(int), 1)])
def test_arrays(tmp_path: Path, points: np.ndarray, count: int) -> None:
    np.save(tmp_path / "a.npy", points)
    analyser = FileAnalyser.open(tmp_path / "a.npy")
    faces = analyser.faces(PICTURE)
    assert len(faces) == count and analyser.follow(PICTURE, faces) == faces
    assert analyser.faces_of([PICTURE, PICTURE]) == [faces, faces]
    assert [face.box.side for face in faces] == sorted((face.box.side for face in faces), reverse=True)


def test_json_with_boxes_and_landmarks(tmp_path: Path) -> None:
    content = {"faces": [{"box": [10, 20, 30, 50]}, {"box": [5, 5, 100, 90], "landmarks": POINTS[0].tolist()}]}
    (tmp_path / "a.json").write_text(json.dumps(content))
    with_points, only_box = FileAnalyser.open(tmp_path / "a.json").faces(PICTURE)
    assert with_points.box == Box(5, 5, 100, 90) and with_points.landmarks is not None
    assert only_box.box == Box(10, 20, 30, 50) and only_box.landmarks is None


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.txt", b"1 2\n3 4 5\n", "line 2: '3 4 5' is not two numbers"),
        ("a.txt", b"1 2\n__import__('os') 4\n", "line 2"),
        ("a.txt", lines(FIVE[:4]).encode(), "holds 4 points"),
        ("a.txt", b"", "holds 0 points"),
        ("a.txt", b"\xff\xfe\x00", "not a text file"),
        ("a.txt", lines(FIVE).replace("100.0", "nan").encode(), "not a number"),
        ("a.txt", lines(FIVE).replace("100.0", "1e300").encode(), "far outside"),
        ("a.txt", lines(FIVE * 0).encode(), "on a line"),
        ("a.json", b'{"faces": [\n{"box": }]}', "line 2"),
        ("a.json", b"[" * 100_000, "a.json"),
        ("a.json", b'{"faces": []}', "no list of faces"),
        ("a.json", b'{"faces": [{"boxes": [1, 2, 3, 4]}]}', "face 0: has not just box and landmarks"),
        ("a.json", b'{"faces": [{"box": [1, 2, 3]}]}', "face 0: numbers of shape"),
        ("a.json", b'{"faces": [{"box": [1, 2, "x", 4]}]}', "face 0: numbers of shape"),
        ("a.json", b'{"faces": [{"box": [9, 2, 3, 4]}]}', "is not a box"),
        ("a.json", b'{"faces": [{"box": [1, 2, NaN, 4]}]}', "is not a box"),
        ("a.json", b'{"faces": [{"landmarks": [[1, 2], [3]]}]}', "has 2 landmarks"),
        ("a.npy", b"\x93NUMPY", "not a NumPy file"),
        ("a.npy", pickle.dumps([1, 2]), "not a NumPy file"),
        ("a.csv", b"1,2", "unknown ending"),
    ],
)
def test_wrong_content_is_one_line_with_place_and_cure(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        FileAnalyser.open(tmp_path / name)
    message = str(caught.value)
    assert words in message and name in message and "\n" not in message and caught.value.cure


@pytest.mark.parametrize("shape", [(67, 2), (68, 3), (0, 68, 2), (68,), (1, 1, 68, 2)])
def test_wrong_shapes(tmp_path: Path, shape: tuple[int, ...]) -> None:
    np.save(tmp_path / "a.npy", np.ones(shape))
    with pytest.raises(ConfigError, match="has the shape"):
        FileAnalyser.open(tmp_path / "a.npy")


def test_objects_and_promises_of_huge_arrays_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ConfigError, match="not a NumPy file"):
        FileAnalyser.open(tmp_path / "a.npy")
    with (tmp_path / "b.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f8", "fortran_order": False, "shape": (10**12, 68, 2)})
    with pytest.raises(ConfigError, match="not a NumPy file"):
        FileAnalyser.open(tmp_path / "b.npy")


def test_faces_outside_the_picture_and_missing_files(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", POINTS + 1000)
    with pytest.raises(ConfigError, match="outside the picture of 300x200"):
        FileAnalyser.open(tmp_path / "a.npy").faces(PICTURE)
    with pytest.raises(ConfigError, match="cannot be read"):
        open_analyser("given", landmarks_file=tmp_path / "none.npy")
    with pytest.raises(ConfigError, match="Give --landmarks_file"):
        open_analyser("given")
    with pytest.raises(TalkingFaceError, match="Did you mean 'mesh'"):
        open_analyser("mash")
