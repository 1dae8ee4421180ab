"""Motions that are saved while driving, and that drive in place of a video."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch

from talkingface.errors import ConfigError, MotionError
from talkingface.face.track.track import Track
from talkingface.media.video import open_video, probe
from talkingface.motion.file import load_motion_file, save_motion
from talkingface.pipelines.animate import animate
from talkingface.pipelines.drivers.video import missing_face
from talkingface.pipelines.motions import at_rate, held
from talkingface.types import Motion

from .small import FRAMES, SIDE


@pytest.fixture
def saved(make, tmp_path):
    """The motion of talk.mp4."""
    animate(make(save_motion=tmp_path / "new folder" / "talk.motion", output=tmp_path / "first"))
    return tmp_path / "new folder" / "talk.motion"


def frames_of(path) -> np.ndarray:
    with open_video(path) as reader:
        return np.stack(list(reader))


def test_a_replayed_motion_gives_the_same_frames(make, saved, tmp_path):
    result = animate(make(video_source=None, motion_path=saved, output=tmp_path / "again"))
    assert (result.frames, result.fps) == (FRAMES, Fraction(30000, 1001))
    np.testing.assert_array_equal(frames_of(tmp_path / "again"), frames_of(tmp_path / "first"))


def test_a_saved_motion_says_where_it_came_from(saved):
    extra = load_motion_file(saved).extra
    assert extra["driving"] == "talk.mp4" and "tiny" in extra["weights"]
    assert np.array(extra["crop"]).shape == (3, 3) and extra["crop_size"] == [SIDE, SIDE]


def test_a_motion_has_no_sound_and_no_driving_picture(make, saved, clips):
    result = animate(make(video_source=None, motion_path=saved, compare=True))
    info = probe(result.path)
    assert (info.width, info.has_audio, result.warnings) == (2 * SIDE, False, ())
    result = animate(make(video_source=None, motion_path=saved, audio=str(clips / "voice.wav")))
    assert probe(result.path).has_audio


def test_limit_and_rate_hold_for_motions_too(make, saved):
    result = animate(make(video_source=None, motion_path=saved, frame_limit=3, fps=Fraction(10)))
    assert (result.frames, result.fps) == (3, Fraction(10))


def test_motions_of_other_models_and_weights_are_refused(make, saved, tmp_path):
    motion = load_motion_file(saved).motion
    for name, other, message in (
        ("kind", replace(motion, kind="3dmm.73"), r"holds a motion of kind '3dmm.73'.*'fom.kp4'"),
        ("space", replace(motion, space="0123456789ab"), "of the space '0123456789ab'"),
        ("layout", replace(motion, values={"value": motion.values["value"]}), "and this model wants"),
    ):
        save_motion(tmp_path / f"{name}.motion", other)
        with pytest.raises(MotionError, match=message) as caught:
            animate(make(video_source=None, motion_path=tmp_path / f"{name}.motion"))
        assert f"{name}.motion" in str(caught.value)
    assert not (tmp_path / "result.mp4").exists()


def test_another_framing_is_told(make, saved, tmp_path):
    motion, extra = load_motion_file(saved).motion, dict(load_motion_file(saved).extra)
    save_motion(saved, motion, extra | {"face_scale": 2.2})
    result = animate(make(video_source=None, motion_path=saved))
    assert any("another --preprocess" in warning for warning in result.warnings)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"save_motion": "m.txt"}, "a motion file ends in .motion"),
        ({"motion_path": "{clips}/talk.mp4", "video_source": None}, "is no motion file"),
        ({"motion_path": "{saved}"}, "--video_source and --motion_path would both drive"),
        ({"motion_path": "{saved}", "video_source": None, "image_source": None}, "--motion_path needs a picture"),
        ({"motion_path": "{saved}", "video_source": None, "save_motion": "{saved}"}, "replace its own input"),
    ],
)
def test_contradictions_are_one_line(make, saved, clips, changes, message):
    changes = {key: value and str(value).format(saved=saved, clips=clips) for key, value in changes.items()}
    with pytest.raises(ConfigError, match=message):
        animate(make(**changes))


def motion(*levels: float) -> Motion:
    return Motion("test", Fraction(10), {"level": torch.tensor(levels)})


@pytest.mark.parametrize(("fps", "expected"), [(20, [1, 1, 2, 3, 3, 3]), (10, [1, 2, 3]), (5, [1, 3]), (1, [1])])
def test_each_frame_of_another_rate_is_the_one_at_its_time(fps, expected):
    other = at_rate(motion(1, 2, 3), Fraction(fps))
    assert other.fps == fps
    assert other.values["level"].tolist() == expected


def test_the_last_frame_is_held():
    assert held(motion(1, 2), 4).values["level"].tolist() == [1, 2, 2, 2]
    assert held(motion(1, 2), 1).values["level"].tolist() == [1]


def test_frames_without_the_face_are_told(tmp_path):
    track = Track(0, 2, np.zeros((6, 4), np.float32), None, np.ones(6, np.float32))
    assert missing_face(tmp_path, track, 6) == ()
    [note] = missing_face(tmp_path, track, 20)
    assert "frames 2 to 7 of 20" in note
