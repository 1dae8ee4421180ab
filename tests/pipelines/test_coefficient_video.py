"""Videos that drive through coefficients: both identities, motion files, faces that come late or never."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch

from talkingface.errors import ConfigError, CutFaceError
from talkingface.face3d.mesh_space import shipped_space
from talkingface.media.image import read_image, resize, write_image
from talkingface.media.video import open_video
from talkingface.media.writer import open_writer
from talkingface.motion.file import load_motion
from talkingface.pipelines.animate import animate
from talkingface.pipelines.motions import at_rate
from talkingface.types import Motion

from .speaking import SAMPLE, frames_of, needs_mesh, puppet, rows_of, save_puppet, say, talker

__all__ = ["puppet", "say", "talker"]  # fixtures
pytestmark = needs_mesh


@pytest.fixture
def act(say, talker):
    """Settings of a run: eight frames move the shipped portrait."""
    return lambda **changes: say(**{"audio_path": None, "video_source": talker, **changes})


@pytest.fixture
def late(tmp_path):
    """A clip at 10 frames a second whose first six frames show no face, and the last six do."""
    with open_writer(tmp_path / "late.mp4", fps=Fraction(10), quality="lossless") as writer:
        face = read_image(SAMPLE / "source.png")
        for frame in range(12):
            writer.write(np.full_like(face, 120) if frame < 6 else np.roll(face, 4 * frame, axis=1))
    return tmp_path / "late.mp4"


def test_a_video_moves_the_picture_frame_by_frame(act, tmp_path):
    result = animate(act(save_motion=tmp_path / "seen.motion"))
    assert (result.frames, result.fps) == (8, 25)
    motion = load_motion(tmp_path / "seen.motion")
    assert (motion.kind, motion.space, motion.values["coefficients"].shape) == ("3dmm.73", "mesh", (8, 73))
    absolute = frames_of(animate(act(relative=False, output=tmp_path / "absolute")).path)
    assert np.abs(frames_of(result.path) - absolute).max() > 2


def test_the_motion_it_left_does_the_same(act, tmp_path):
    first = animate(act(save_motion=tmp_path / "seen.motion", output=tmp_path / "one"))
    again = animate(act(video_source=None, motion_path=tmp_path / "seen.motion", output=tmp_path / "two"))
    np.testing.assert_array_equal(frames_of(first.path), frames_of(again.path))


def test_rows_are_those_of_the_crop_that_is_drawn(act, tmp_path):
    """A face drawn from its row lies where the face is in the crop: eyes in the upper half, within the frame."""
    animate(act(save_motion=tmp_path / "seen.motion"))
    mesh = shipped_space().decode(rows_of(tmp_path / "seen.motion").numpy())
    assert mesh[..., :2].min() > 0 and mesh[..., :2].max() < 256
    assert 110 < mesh[..., 0].mean() < 146 and mesh[:, 159, 1].max() < 128


def test_a_video_that_is_its_own_source_begins_with_a_face(act, late, tmp_path):
    result = animate(act(image_source=None, video_source=late, output=tmp_path / "own"))
    assert (result.frames, result.fps) == (12, 10)
    assert "its frame 6 is the source" in " ".join(result.warnings)
    assert "frames 6 to 11 of 12; elsewhere its nearest pose is held" in " ".join(result.warnings)
    frames = frames_of(result.path)
    assert np.abs(frames[:4] - frames[0]).max() <= 2  # two more look ahead to where it moves


def test_at_another_rate_its_source_is_still_the_first_frame_with_a_face(act, late, tmp_path):
    result = animate(act(image_source=None, video_source=late, fps=Fraction(5), output=tmp_path / "slow"))
    assert (result.frames, result.fps) == (6, 5)
    assert "its frame 6 is the source" in " ".join(result.warnings)


@pytest.mark.parametrize("between", ["grey", "somebody else", "nothing"])
def test_pieces_of_one_face_all_drive(say, tmp_path, between):
    """Frames 0-5 and 10-15 show the face (after "nothing" it jumps); in the gap its nearest pose is held."""
    face, other = read_image(SAMPLE / "source.png"), first_of(SAMPLE / "test" / "painted2_01.mp4", 256)
    gap = {"grey": [np.full_like(face, 120)] * 4, "somebody else": [other] * 4, "nothing": []}[between]
    first = [np.roll(face, 4 * k, axis=1) for k in range(6)]
    last = [np.roll(face, 24 - 5 * k, axis=0) for k in range(6)]
    if between == "nothing":
        last = [resize(frame[20:236, 20:236], (256, 256)) for frame in last]
    with open_writer(tmp_path / "pieces.mp4", fps=Fraction(25), quality="lossless") as writer:
        for frame in [*first, *gap, *last]:
            writer.write(frame)
    saved = {"audio_path": None, "video_source": tmp_path / "pieces.mp4", "save_motion": tmp_path / "seen.motion"}
    result = animate(say(**saved))
    moved = rows_of(tmp_path / "seen.motion")[:, :70].diff(dim=0).abs().amax(dim=1) > 1e-4
    driven = [True] * 5, [True] * 5
    middle = [True] if between == "nothing" else [False, False, True, False, False]
    assert moved.tolist() == [*driven[0], *middle, *driven[1]]
    if gap:
        assert "frames 0 to 5, 10 to 15 of 16; elsewhere its nearest pose is held" in " ".join(result.warnings)


def first_of(path, side):
    with open_video(path, frame_limit=1, size=(side, side)) as reader:
        return next(iter(reader))


def test_a_source_video_gives_its_first_good_frame(say, late, tmp_path):
    result = animate(say(image_source=late, frame_limit=2))
    assert "its frame 10 is the source" in " ".join(result.warnings)  # looked at every fifth


def test_renderers_of_73_columns_get_them(act, tmp_path):
    weights = save_puppet(tmp_path / "wide.safetensors", columns=73)
    assert animate(act(checkpoint=str(weights))).frames == 8
    assert animate(act(checkpoint=str(weights), preprocess="full", output=tmp_path / "full")).frames == 8


@pytest.mark.parametrize("framing", ["sadtalker", "ffhq"])
@pytest.mark.parametrize("preprocess", ["crop", "extfull"])
def test_renderers_say_how_faces_are_cut(say, tmp_path, framing, preprocess):
    weights = save_puppet(tmp_path / "cut.safetensors", framing=framing)
    result = animate(say(checkpoint=str(weights), preprocess=preprocess, frame_limit=2))
    side = frames_of(result.path).shape[1:3]
    assert side == ((64, 64) if preprocess == "crop" else read_image(SAMPLE / "source.png").shape[:2])


def test_a_face_is_wanted_where_none_is_cut_to_too(say, act, tmp_path):
    whole = animate(say(preprocess="resize", frame_limit=2))
    middle = animate(act(if_align=False, output=tmp_path / "middle"))
    assert (whole.frames, middle.frames) == (2, 8)
    wide = np.pad(read_image(SAMPLE / "source.png"), ((0, 0), (0, 900), (0, 0)), mode="edge")
    write_image(tmp_path / "wide.png", wide)
    with pytest.raises(CutFaceError, match="outside the central square"):
        animate(say(image_source=tmp_path / "wide.png", if_align=False))


def test_a_lower_limit_and_rate_hold(act):
    result = animate(act(frame_limit=3, fps=Fraction(10)))
    assert (result.frames, result.fps) == (3, 10)


def test_angles_that_are_asked_for_turn_the_head(act, tmp_path):
    plain = frames_of(animate(act(output=tmp_path / "plain")).path)
    turned = frames_of(animate(act(input_yaw=[30], output=tmp_path / "turned")).path)
    assert np.abs(plain - turned).max() > 2
    with pytest.raises(ConfigError, match=r"input_yaw: .*less than or equal to 180"):
        act(input_yaw=[500])


def test_straight_lines_between_frames_do_not_drift():
    ramp = Motion("3dmm.70", Fraction(25), {"coefficients": torch.arange(90_000.0)[:, None].repeat(1, 70)})
    faster = at_rate(ramp, Fraction(30000, 1001))
    assert len(faster) == round(90_000 * Fraction(30000, 1001) / 25)
    for frame in (0, 1, 54_321, len(faster) - 3):
        exact = float(frame * 25 * Fraction(1001, 30000))
        assert abs(float(faster.values["coefficients"][frame, 5]) - exact) < 0.01
