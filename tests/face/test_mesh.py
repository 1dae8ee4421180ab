"""The offline backend on the shipped portrait, and on the shared pictures where they are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from talkingface.errors import DependencyError, WeightsError
from talkingface.face.detect.analyser import available, open_analyser, problem_of
from talkingface.face.detect.mediapipe import MeshAnalyser, region_of
from talkingface.face.detect.networks.tflite import Pyramid, Region
from talkingface.face.face import Face
from talkingface.media.image import Picture, read_image
from talkingface.media.video import open_video
from talkingface.paths import default_checkpoint_root, shipped
from talkingface.weights import load_catalogue

ROOT = default_checkpoint_root()
SHARED = Path(os.environ.get("TALKINGFACE_SHARED", Path(__file__).parents[3] / "shared")) / "data"
needs_mesh = pytest.mark.skipif(problem_of("mesh", ROOT) is not None, reason=str(problem_of("mesh", ROOT)))
needs_shared = pytest.mark.skipif(not (SHARED / "MANIFEST.csv").is_file(), reason="shared test data is not here")

# Faces that a person sees; for s03 the two men and the girl, whose faces are all turned to the camera.
PEOPLE = {
    "s01_astronaut_512.png": 1,
    "s02_official_1200.jpg": 1,
    "s03_two_faces_2000x1428.jpg": 3,
    "s04_group_1000x667.jpg": 5,
    "s05_painting_many_1200x900.jpg": 5,
    "s06_painting_pearl_1092x1280.jpg": 1,
    "s07_painting_mona_720x1280.jpg": 1,
    "s08_cartoon_852.jpg": 1,
    "s09_anime_512.png": 1,
    "s10_profile_480x270.png": 1,
    "s11_lowres_64.png": 1,
    "s12_huge_6000.jpg": 1,
    "s13_noface_cat.png": 0,
    "s14_noface_coffee.png": 0,
    "s15_fullbody_800x1200.png": 1,
    "s23_face_cut_by_edge.jpg": 1,
    "s24_statue_725.jpg": 1,
}


@pytest.fixture(scope="module")
def analyser() -> MeshAnalyser:
    return MeshAnalyser.open(ROOT, threads=2)


@pytest.fixture(scope="module")
def portrait() -> Picture:
    return read_image(shipped("dataset", "sample", "source.png"))


def only(faces: list[Face]) -> Face:
    assert len(faces) == 1
    return faces[0]


def points(face: Face) -> np.ndarray:
    assert face.landmarks is not None
    return face.landmarks


@needs_mesh
def test_the_shipped_portrait(analyser: MeshAnalyser, portrait: Picture) -> None:
    face = only(analyser.faces(portrait))
    assert face.backend == "mesh" and face.score > 0.9 and face.mesh is not None and face.mesh.shape == (468, 3)
    eyes, mouth, chin = points(face)[36:48].mean(0), points(face)[48:].mean(0), points(face)[8]
    assert points(face)[36:42, 0].max() < points(face)[42:48, 0].min() and eyes[1] < mouth[1] < chin[1]
    assert face.mesh[4, 2] < face.mesh[[234, 454], 2].min(), "the nose is nearer than the ears"
    assert abs(face.roll or 0) < 0.2


@needs_mesh
def test_following_gives_what_finding_gives(analyser: MeshAnalyser, portrait: Picture) -> None:
    face = only(analyser.faces(portrait))
    (again,) = analyser.follow(portrait, [face])
    assert again is not None
    assert np.abs(points(again) - points(face)).max() < 1
    assert analyser.follow(np.full_like(portrait, 127), [face]) == [None]


@needs_mesh
@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_a_lying_picture_gives_the_same_points_turned(analyser: MeshAnalyser, portrait: Picture, quarters: int) -> None:
    height, width = portrait.shape[:2]
    upright = points(only(analyser.faces(portrait)))
    found = points(only(analyser.faces(np.ascontiguousarray(np.rot90(portrait, quarters)))))
    for _ in range(quarters):  # a quarter turn against the clock takes (x, y) to (y, width - 1 - x)
        upright = np.column_stack([upright[:, 1], width - 1 - upright[:, 0]])
        height, width = width, height
    assert np.abs(found - upright).mean() < 1 and np.abs(found - upright).max() < 3


@needs_mesh
def test_a_mirrored_picture_gives_mirrored_points(analyser: MeshAnalyser, portrait: Picture) -> None:
    other_side = [*range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, *range(35, 30, -1)]
    other_side += [45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40, 54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55]
    other_side += [64, 63, 62, 61, 60, 67, 66, 65]
    face = only(analyser.faces(portrait))
    found = points(only(analyser.faces(np.ascontiguousarray(portrait[:, ::-1]))))[other_side]
    found = np.column_stack([portrait.shape[1] - 1 - found[:, 0], found[:, 1]])
    inner = slice(27, 68)  # jaw and brows of the table are not the same points on both sides
    assert np.abs(found - points(face))[inner].mean() < 0.015 * face.box.side


@needs_mesh
@pytest.mark.parametrize("scale", [0.25, 0.5, 3.7])
def test_points_scale_with_the_picture(analyser: MeshAnalyser, portrait: Picture, scale: float) -> None:
    side = round(portrait.shape[0] * scale)
    scaled = np.asarray(Image.fromarray(portrait).resize((side, side), Image.Resampling.BICUBIC))
    found = (points(only(analyser.faces(scaled))) + 0.5) / (side / portrait.shape[0]) - 0.5
    face = only(analyser.faces(portrait))
    assert np.abs(found - points(face)).mean() < 0.02 * face.box.side


@needs_mesh
def test_a_small_face_in_a_large_picture(analyser: MeshAnalyser, portrait: Picture) -> None:
    small = np.asarray(Image.fromarray(portrait).resize((128, 128), Image.Resampling.LANCZOS))
    picture = np.full((1400, 2400, 3), 90, np.uint8)
    picture[1100:1228, 2000:2128] = small
    found = only(analyser.faces(picture))
    expected = (points(only(analyser.faces(portrait))) + 0.5) / 2 - 0.5 + (2000, 1100)
    assert np.abs(points(found) - expected).mean() < 2


@needs_mesh
def test_several_pictures_at_once_are_as_one_by_one(analyser: MeshAnalyser, portrait: Picture) -> None:
    pictures = [portrait, portrait[:, ::-1], portrait[20:], np.zeros((40, 60, 3), np.uint8)]
    pictures = [np.ascontiguousarray(picture) for picture in pictures]
    for together, alone in zip(analyser.faces_of(pictures), map(analyser.faces, pictures), strict=True):
        assert [face.box for face in together] == [face.box for face in alone]


@needs_mesh
@pytest.mark.parametrize("size", [(1, 1), (1, 300), (700, 3), (16, 16)])
def test_tiny_pictures_have_no_face(analyser: MeshAnalyser, size: tuple[int, int]) -> None:
    assert analyser.faces(np.full((*size, 3), 200, np.uint8)) == []


@needs_mesh
@needs_shared
@pytest.mark.parametrize("name", PEOPLE)
def test_shared_pictures_give_the_faces_that_a_person_sees(analyser: MeshAnalyser, name: str) -> None:
    assert len(analyser.faces(read_image(SHARED / "source" / name))) == PEOPLE[name]


@needs_mesh
@needs_shared
def test_a_film_without_a_face_has_none_in_any_frame(analyser: MeshAnalyser) -> None:
    with open_video(SHARED / "driving" / "d16_no_face_960x540.mp4") as video:
        frames = [frame for number, frame in enumerate(video) if number % 4 == 0]
    assert [number for number, faces in enumerate(analyser.faces_of(frames)) if faces] == []


@needs_mesh
@needs_shared
@pytest.mark.parametrize("name", ["000002.jpg", "000050.jpg", "vd070.png", "vd102.png"])
def test_published_five_points_agree(analyser: MeshAnalyser, name: str) -> None:
    file = SHARED / "source" / "five_points" / name
    published = points_of_file(file.with_suffix(".txt"))
    found = points(analyser.faces(read_image(file))[0])
    five = np.stack([found[36:42].mean(0), found[42:48].mean(0), found[30], found[48], found[54]])
    assert np.abs(five - published).max() < 0.1 * np.linalg.norm(published[1] - published[0])


def points_of_file(file: Path) -> np.ndarray:
    five = open_analyser("given", landmarks_file=file).faces(np.zeros((2000, 2000, 3), np.uint8))[0].five
    assert five is not None
    return five


def test_missing_files_and_what_auto_says(tmp_path: Path) -> None:
    problem = problem_of("mesh", tmp_path)
    assert isinstance(problem, WeightsError | DependencyError)
    assert [item.name for item in available(tmp_path)] == ["mesh", "retinaface", "face_alignment"]
    with pytest.raises(DependencyError) as caught:
        open_analyser(root=tmp_path)
    for word in ("[landmarks]", "--checkpoint=mesh", "[fan]", "--checkpoint=face_alignment"):
        assert word in str(caught.value)


@needs_mesh
def test_auto_takes_the_mesh_and_a_damaged_file_is_named(tmp_path: Path) -> None:
    assert open_analyser(root=ROOT).name == "mesh"
    for entry in load_catalogue().entries_for("mesh"):
        entry.path(tmp_path).parent.mkdir(exist_ok=True)
        entry.path(tmp_path).write_bytes(b"not a network" * 100)
    with pytest.raises(WeightsError, match=r"\.tflite: not the file 'face_mesh_detector' of the catalogue"):
        open_analyser("mesh", root=tmp_path)


def test_a_region_is_cut_where_its_points_say() -> None:
    """A gradient tells for every pixel of the cut where in the picture it came from."""
    y, x = np.mgrid[:120, :160]
    picture = np.stack([x, y, np.zeros_like(x)], -1).astype(np.uint8)
    region = Region(80.3, 61.7, 64, 0.4)
    cut = Pyramid(picture).cut(region, 32, "edge").astype(float)
    rows, columns = np.mgrid[:32, :32]
    wanted = region.points_from((np.stack([columns, rows], -1) + 0.5) / 32)
    assert np.abs(cut[..., :2] - wanted).max() <= 1.01


def test_a_mesh_gives_the_square_that_it_fills() -> None:
    mesh = np.zeros((468, 3), np.float32)
    mesh[:, :2] = np.random.default_rng(0).uniform((100, 50), (180, 150), (468, 2))
    mesh[33, :2], mesh[263, :2] = (120, 80), (160, 80)
    region = region_of(mesh)
    assert region.angle == 0 and region.side == pytest.approx(np.ptp(mesh[:, :2], axis=0).max() * 1.5)
    turned = mesh.copy()
    turned[:, 0], turned[:, 1] = -mesh[:, 1], mesh[:, 0]
    again = region_of(turned)
    assert again.angle == pytest.approx(np.pi / 2) and again.side == pytest.approx(region.side)
    assert (again.x, again.y) == pytest.approx((-region.y, region.x), abs=1e-3)


@needs_mesh
def test_nothing_is_written_to_the_terminal() -> None:
    code = (
        "import sys; from pathlib import Path; from talkingface.face.detect.mediapipe import MeshAnalyser\n"
        "MeshAnalyser.open(Path(sys.argv[1]), threads=1); print('still there', file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(ROOT)], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "still there\n")
