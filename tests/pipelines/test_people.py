"""Several faces in one picture, each in its place and by its own driver; the whole picture; what is put back."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest

from talkingface.errors import TalkingFaceError
from talkingface.media.image import read_image, write_image
from talkingface.media.video import open_video, probe
from talkingface.media.writer import open_writer
from talkingface.pipelines.animate import animate

from .small import FRAMES, SIDE, picture

BOXES = {0: (30, 40, 70, 80), 1: (130, 30, 170, 70), 2: (225, 50, 265, 90)}


@pytest.fixture
def group(make, tmp_path):
    """Settings of a run whose source shows three discs that a file calls faces; the driver's face is not looked for."""
    canvas = np.full((121, 301, 3), 90, np.uint8)
    for left, top, right, bottom in BOXES.values():
        canvas[top - 15 : bottom + 15, left - 15 : right + 15] = picture(0, 70, 70)
    write_image(tmp_path / "group.png", canvas)
    faces = [{"box": box} for box in BOXES.values()]
    (tmp_path / "faces.json").write_text(json.dumps({"faces": faces}))

    def settings(**changes):
        values = {
            "image_source": tmp_path / "group.png",
            "landmarks": "given",
            "landmarks_file": tmp_path / "faces.json",
            "checkpoint_root": tmp_path,  # no backend is there, so that the driver is shown as it is
            "output": tmp_path / "frames",
            "audio": "none",
            "relative": False,
        }
        return make(**(values | changes))

    return settings


@pytest.fixture
def slow(tmp_path):
    """A driver of five frames at another rate."""
    with open_writer(tmp_path / "slow.mp4", fps=Fraction(10)) as writer:
        for frame in range(5):
            writer.write(picture(-4 * frame))
    return tmp_path / "slow.mp4"


def frames_of(path) -> np.ndarray:
    with open_video(path) as reader:
        return np.stack(list(reader)).astype(int)


def moved(frames: np.ndarray, source: np.ndarray, face: int) -> bool:
    left, top, right, bottom = BOXES[face]
    return bool(np.abs(frames - source)[:, top:bottom, left:right].max() > 20)


def test_all_faces_move_in_their_places_and_nothing_else_does(group, tmp_path):
    result = animate(group(face="all"))
    frames, source = frames_of(result.path), read_image(tmp_path / "group.png").astype(int)
    assert frames.shape == (FRAMES, 121, 301, 3)
    assert all(moved(frames, source, face) for face in BOXES)
    outside = np.ones((121, 301), bool)
    for left, top, right, bottom in BOXES.values():
        outside[top - 11 : bottom + 11, left - 11 : right + 11] = False
    assert (frames[:, outside] == source[outside]).all()


def test_multi_person_says_the_same(group, tmp_path):
    from talkingface.config.flags import parse_flags

    [given] = parse_flags(["--multi_person"])
    assert (given.key, given.value) == ("face", "all")


def test_a_face_without_a_driver_stays_still(group, clips, tmp_path):
    result = animate(group(video_source=None, drive=[f"0={clips / 'talk.mp4'}", f"2={clips / 'silent.mp4'}"]))
    frames, source = frames_of(result.path), read_image(tmp_path / "group.png").astype(int)
    assert [moved(frames, source, face) for face in BOXES] == [True, False, True]


def test_each_face_follows_its_own_driver(group, clips, tmp_path):
    with open_writer(tmp_path / "other.mp4", fps=Fraction(30000, 1001)) as writer:
        for frame in range(FRAMES):
            writer.write(picture(-4 * frame))
    mixed = frames_of(animate(group(drive=[f"1={tmp_path / 'other.mp4'}"])).path)
    alike = frames_of(animate(group(face="all", output=tmp_path / "alike")).path)
    changed = np.abs(mixed - alike)
    parts = [changed[:, top:bottom, left:right].max() for left, top, right, bottom in BOXES.values()]
    assert max(parts[0], parts[2]) <= 1 and parts[1] > 20


def test_the_first_driver_sets_the_rate_and_the_longest_the_end(group, clips, slow):
    result = animate(group(video_source=None, drive=[f"0={clips / 'talk.mp4'}", f"1={slow}"]))
    assert result.fps == Fraction(30000, 1001)
    assert result.frames == 15  # five frames at 10 a second
    [note] = [warning for warning in result.warnings if "its last one is held" in warning]
    assert "talk.mp4: ends after 11 of 15 frames" in note


def test_sound_comes_from_the_first_driver_that_has_some(group, clips, tmp_path):
    drive = [f"0={clips / 'silent.mp4'}", f"1={clips / 'talk.mp4'}"]
    result = animate(group(video_source=None, drive=drive, audio="driving", output=tmp_path / "sound.mp4"))
    assert probe(result.path).has_audio
    assert any("the sound is that of" in warning and "talk.mp4" in warning for warning in result.warnings)


def test_one_face_is_put_back_into_the_whole_picture(group, tmp_path):
    result = animate(group(face="1", preprocess="full"))
    frames, source = frames_of(result.path), read_image(tmp_path / "group.png").astype(int)
    assert [moved(frames, source, face) for face in BOXES] == [False, True, False]


@pytest.mark.parametrize("paste", ["soft", "poisson", "round"])
def test_every_way_of_pasting_leaves_the_rest_alone(group, tmp_path, paste):
    frames = frames_of(animate(group(face="2", preprocess="full", paste=paste, frame_limit=2)).path)
    source = read_image(tmp_path / "group.png").astype(int)
    assert (frames[:, :, :200] == source[:, :200]).all()
    assert moved(frames, source, 2)


def test_large_pictures_are_reduced_for_a_video_and_the_user_is_told(group, make, tmp_path):
    large = np.tile(picture(0, 100, 100), (3, 25, 1))
    write_image(tmp_path / "large.png", large)
    result = animate(make(image_source=tmp_path / "large.png", preprocess="full", frame_limit=1))
    info = probe(result.path)
    assert (info.width, info.height) == (1920, 230)
    assert any("2500 x 300 pixels; the video has 1920 x 230" in warning for warning in result.warnings)


def test_one_picture_is_never_reduced(make, clips, tmp_path):
    write_image(tmp_path / "large.png", np.tile(picture(0, 100, 100), (1, 20, 1)))
    output = tmp_path / "posed.png"
    one = clips / "portraits" / "a.png"
    animate(make(image_source=tmp_path / "large.png", video_source=one, preprocess="full", output=output))
    assert read_image(output).shape == (100, 2000, 3)


@pytest.mark.parametrize(("shape", "expected"), [((90, 240), (24, 64)), ((200, 80), (64, 26))])
def test_the_whole_picture_keeps_its_shape(make, tmp_path, shape, expected):
    write_image(tmp_path / "wide.png", picture(0, *shape))
    result = animate(make(image_source=tmp_path / "wide.png", preprocess="resize", frame_limit=2))
    info = probe(result.path)
    assert (info.height, info.width) == expected


def test_grid_shows_every_driver(group, clips, slow):
    drive = [f"0={clips / 'talk.mp4'}", f"1={slow}"]
    result = animate(group(video_source=None, drive=drive, compare=True, visualize=True, frame_limit=3))
    frames = frames_of(result.path)
    assert frames.shape[1:] == (121 + 2 * SIDE, 301 + 121 + 121 + 301, 3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"face": "all", "preprocess": "crop"}, "--preprocess=full"),
        ({"face": "left", "landmarks": "none"}, "--landmarks=none looks for none"),
        ({"face": "left", "if_align": False}, "--no-if_align looks for none"),
        ({"face": "all", "preprocess": "resize"}, "--preprocess=resize looks for none"),
        ({"drive": ["a.mp4"]}, "is not FACE=FILE"),
        ({"drive": ["0=absent.mp4"]}, "--drive=0=absent.mp4: no such file"),
        ({"drive": ["0={clips}/talk.mp4", "0={clips}/silent.mp4"]}, "face 0 has two drivers"),
        ({"drive": ["0={clips}/talk.mp4"], "video_source": None, "face": "left"}, "there is none"),
        ({"drive": ["0={clips}/talk.mp4"], "image_source": None}, "--drive needs a picture"),
    ],
)
def test_contradictions_are_one_line(group, clips, changes, message):
    if "drive" in changes:
        changes = changes | {"drive": [text.format(clips=clips) for text in changes["drive"]]}
    with pytest.raises(TalkingFaceError, match=message) as caught:
        animate(group(**changes))
    assert "\n" not in str(caught.value)
