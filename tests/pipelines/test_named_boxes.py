"""A face that no finder sees: the user says where it is, asks for less, and is shown what was seen."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from talkingface.cli import main
from talkingface.errors import ConfigError, NoFaceError
from talkingface.face.detect.analyser import open_analyser, problem_of
from talkingface.face.face import Box
from talkingface.media.image import read_image, write_image
from talkingface.media.writer import open_writer
from talkingface.paths import CLONE, default_checkpoint_root
from talkingface.pipelines.animate import animate
from talkingface.pipelines.drivers import DriverAssignment
from talkingface.pipelines.model import load_model
from talkingface.pipelines.plan.options import CropOptions
from talkingface.pipelines.read.crops import Cropper

SAMPLE = CLONE / "dataset" / "sample"
FACE = [62, 86, 130, 147]  # of the sample's portrait, 256 x 256
SHIFT = 200  # pixels by which it stands aside here

pytestmark = pytest.mark.skipif(
    problem_of("mesh", default_checkpoint_root()) is not None, reason="the face mesh is not installed or fetched"
)


@pytest.fixture(scope="module")
def hidden(tmp_path_factory) -> Path:
    """A folder with a negative of the portrait, aside in a wide picture, a clip of it that moves, and a plain wall."""
    folder = tmp_path_factory.mktemp("negatives")
    portrait = 255 - read_image(SAMPLE / "source.png")
    wide = np.concatenate([np.full((256, SHIFT, 3), 40, np.uint8), portrait], axis=1)
    write_image(folder / "my face.png", wide)
    write_image(folder / "wall.png", np.full((256, 256, 3), 90, np.uint8))
    with open_writer(folder / "talk.mp4", fps=Fraction(25)) as writer:
        for step in range(8):
            writer.write(np.roll(portrait, 2 * step, axis=1))
    return folder


@pytest.fixture
def run(make, hidden):
    """Settings of a run on the negative, whose face is aside."""

    def settings(**changes):
        values = {"image_source": hidden / "my face.png", "video_source": SAMPLE / "driving.mp4"}
        return make(**(values | {"landmarks": "mesh", "frame_limit": 3} | changes))

    return settings


ANYBODY = DriverAssignment(Path("talk.mp4"))


def iou(crop, box) -> float:
    return crop.box.enlarged(1 / 1.5).iou(box)


ASIDE = [FACE[0] + SHIFT, *FACE[1:]]
PLACE = Box(ASIDE[0], ASIDE[1], ASIDE[0] + ASIDE[2], ASIDE[1] + ASIDE[3])


def test_the_error_names_the_ways_on_and_a_sheet_beside_the_result_shows_what_was_seen(run, tmp_path):
    with pytest.raises(NoFaceError, match=r"--source_box=x,y,w,h, ask for less with --face_threshold") as error:
        animate(run())
    sheet = tmp_path / "my face_no_face.png"
    assert str(sheet) in str(error.value) and "\n" not in str(error.value)
    assert read_image(sheet).shape == (256, 256 + SHIFT, 3)
    assert [path.name for path in tmp_path.iterdir()] == [sheet.name]


def test_the_sheet_of_a_video_shows_several_frames_and_names_its_own_flag(run, hidden, tmp_path):
    with pytest.raises(NoFaceError, match="--driving_box=x,y,w,h"):
        animate(run(image_source=SAMPLE / "source.png", video_source=hidden / "talk.mp4", frame_limit=None))
    assert read_image(tmp_path / "talk_no_face.png").shape == (2 * 256, 3 * 256, 3)


def test_a_folder_that_cannot_be_written_costs_the_sheet_alone(run, tmp_path):
    (tmp_path / "file").write_text("")
    cropper = cropper_of(run(output=tmp_path / "file" / "a.mp4"))
    with pytest.raises(NoFaceError, match="--debug_dir shows the search"):
        cropper.people(Path("a.png"), np.zeros((64, 64, 3), np.uint8), [ANYBODY], (64, 64), print)


def cropper_of(settings) -> Cropper:
    model = load_model(settings)
    return Cropper(CropOptions.of(settings), model.reader, model.device, framing=model.renderer.framing)


@pytest.mark.parametrize("flags", [{"source_box": ASIDE}, {"face_threshold": 0.2}])
def test_a_named_place_or_a_lower_limit_finds_the_face_and_its_points(run, hidden, flags):
    settings, picture = run(**flags), read_image(hidden / "my face.png")
    [place] = cropper_of(settings).people(hidden / "my face.png", picture, [ANYBODY], (64, 64), print)
    assert place.face.landmarks is not None and place.face.box.iou(PLACE) > 0.7
    assert iou(place.crop, PLACE) > 0.6
    assert animate(settings).frames == 3


@pytest.mark.parametrize("finder", ["mesh", "none"])
def test_a_place_without_points_is_cut_out_where_points_are_not_needed(run, hidden, finder):
    cropper = cropper_of(run(landmarks=finder, source_box=[100, 120, 80, 80]))
    wall = read_image(hidden / "wall.png")
    [place] = cropper.people(hidden / "wall.png", wall, [ANYBODY], (64, 64), print)
    assert place.face.landmarks is None and iou(place.crop, Box(100, 120, 180, 200)) > 0.9


def test_a_place_without_points_is_refused_where_they_are_needed(run, hidden):
    changes = {"model": "SadTalker", "checkpoint": "sadtalker_compact", "image_source": hidden / "wall.png"}
    with pytest.raises(NoFaceError, match=r"wall\.png: --source_box: 'mesh' sees no eyes, nose and mouth there"):
        animate(run(**changes, source_box=[100, 120, 80, 80]))


def test_the_face_of_a_driving_video_is_followed_from_its_place(run, hidden):
    cropper = cropper_of(run(driving_box=FACE))
    view = cropper.driving(hidden / "talk.mp4", (64, 64), print)
    assert view.track is not None and len(view.track) == 8
    assert view.track.union.iou(Box(*FACE[:2], FACE[0] + FACE[2], FACE[1] + FACE[3])) > 0.5
    plain = cropper_of(run(face_threshold=0.2))
    assert plain.driving(hidden / "talk.mp4", (64, 64), print).track is not None
    assert plain.facts() != cropper.facts() != cropper_of(run()).facts()


def test_a_box_outside_is_refused_with_the_size_of_the_picture(run, hidden):
    with pytest.raises(ConfigError, match=r"--source_box: 900,0,50,50 does not lie in .*face\.png, 456 x 256 pixels"):
        animate(run(source_box=[900, 0, 50, 50]))


def test_loading_the_networks_writes_nothing():
    code = "from talkingface.face.detect.analyser import open_analyser; open_analyser('mesh')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")


def test_a_face_in_a_box_is_found_whatever_its_turn():
    analyser = open_analyser("mesh")
    turned = np.ascontiguousarray(np.rot90(read_image(SAMPLE / "source.png")))
    face = analyser.face_in(turned, Box(86, 256 - 192, 233, 256 - 62))
    assert face is not None and abs(face.roll) == pytest.approx(np.pi / 2, abs=0.3)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("--source_box=1,2,3", "--source_box: '1,2,3' is no box. Write x,y,w,h in pixels"),
        ("--source_box=1,2,0,4", "--source_box: '1,2,0,4' is no box. Write x,y,w,h in pixels"),
        ("--face_threshold=1.5", "--face_threshold: '1.5' should be less than 1"),
        ("--source_box 1 2 3 4 --face=left", "--source_box and --face both say which face is meant."),
        ("--driving_box 1 2 3 4 --driving_face=left", "--driving_box and --driving_face both say which face"),
        ("--source_box 1 2 3 4 --no-if_align", "--source_box needs faces, and --no-if_align looks for none."),
    ],
)
def test_boxes_that_are_none_or_contradict_another_choice_are_told(words, line, capsys):
    files = [f"--image_source={SAMPLE / 'source.png'}", f"--video_source={SAMPLE / 'driving.mp4'}"]
    assert main([*files, *words.split()]) == 2
    errors = capsys.readouterr().err
    assert errors.startswith(f"error: {line}") and errors.count("\n") == 1
    assert main([files[1], "--source_box=1,2,3,4"]) == 2
    assert "Use --driving_box for the video." in capsys.readouterr().err
