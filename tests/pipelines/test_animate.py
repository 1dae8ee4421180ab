"""Whole animations with a tiny real FOM: every mode, every output, and what stays when something fails."""

from __future__ import annotations

import os
import shutil
import sys
from fractions import Fraction

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from talkingface.config import load_settings, settings_from
from talkingface.errors import ConfigError, MediaError, TalkingFaceError, WeightsError
from talkingface.face.crop.framing import central_crop
from talkingface.media.image import read_image
from talkingface.media.sounds.audio import has_audio, read_audio
from talkingface.media.video import open_video, probe
from talkingface.pipelines.animate import animate, animate_each
from talkingface.pipelines.draw import render
from talkingface.pipelines.frames import to_tensor
from talkingface.pipelines.model import load_model
from talkingface.pipelines.plan.options import preview_of
from talkingface.pipelines.read.video import CutFrames, picture_size, read_crop, read_picture
from talkingface.types import Source

from .small import FRAMES, SIDE


def frames_of(path) -> np.ndarray:
    with open_video(path) as reader:
        return np.stack(list(reader))


def central(path) -> np.ndarray:
    """The central square of a source."""
    picture = read_picture(path)
    return read_crop(path, picture, central_crop(picture.shape[:2], (SIDE, SIDE)))


def driving_frames(path, **limits) -> CutFrames:
    return CutFrames(path, central_crop(picture_size(path), (SIDE, SIDE)), **limits)


def test_cross_identity_keeps_length_rate_and_sound(make, tmp_path):
    result = animate(make())
    assert result.path == tmp_path / "result.mp4"
    assert (result.frames, result.fps) == (FRAMES, Fraction(30000, 1001))
    assert result.seconds == pytest.approx(FRAMES * 1001 / 30000)
    info = probe(result.path)
    assert (info.width, info.height, info.frames, info.fps) == (SIDE, SIDE, FRAMES, result.fps)
    assert info.has_audio
    assert "tiny" in result.weights
    assert result.warnings == ()


def test_saved_settings_repeat_the_run(make, tmp_path):
    first = animate(make(output=tmp_path / "one", audio="none", relative=False))
    saved = yaml.safe_load((tmp_path / "one.yaml").read_text(encoding="utf-8"))
    assert saved["relative"] is False
    again = animate(settings_from({"config": [str(tmp_path / "one.yaml")], "output": tmp_path / "two"}))
    np.testing.assert_array_equal(frames_of(first.path), frames_of(again.path))


def test_the_picture_moves(make, tmp_path):
    frames = frames_of(animate(make(output=tmp_path / "moving", relative=False)).path).astype(int)
    assert np.abs(frames[-1] - frames[0]).max() > 2


def test_relative_movement_begins_at_the_source_pose(make, clips, tmp_path):
    moved = frames_of(animate(make(output=tmp_path / "moved")).path)
    still = frames_of(animate(make(output=tmp_path / "still", video_source=clips / "source.png")).path)
    np.testing.assert_allclose(moved[0].astype(int), still[0].astype(int), atol=1)


@pytest.mark.parametrize("chunk", [1, 3, 64])
def test_chunk_size_does_not_change_the_numbers(make, chunk):
    settings = make()
    model = load_model(settings)
    source = Source(to_tensor([central(settings.image_source)]))
    state = render.encode_source(model.renderer, source)

    def drawn(chunk: int) -> np.ndarray:
        with driving_frames(settings.video_source) as frames:
            motion = model.reader.read_frames(frames, Fraction(25), chunk=chunk)
        return np.stack(list(render.render(model.renderer, state, motion, chunk=chunk))).astype(int)

    np.testing.assert_allclose(drawn(chunk), drawn(4), atol=1)


def test_same_identity_takes_the_pose_itself(make, tmp_path):
    plain = animate(make(image_source=None, output=tmp_path / "plain"))
    absolute = animate(make(image_source=None, output=tmp_path / "absolute", relative=False))
    assert plain.frames == FRAMES
    np.testing.assert_array_equal(frames_of(plain.path), frames_of(absolute.path))


def test_video_as_source_gives_its_first_frame(clips):
    with open_video(clips / "talk.mp4", size=(SIDE, SIDE), square=True) as reader:
        first = next(iter(reader))
    np.testing.assert_array_equal(central(clips / "talk.mp4"), first)


def test_source_is_cut_and_never_squeezed(clips):
    from talkingface.media.image import center_square, resize

    expected = resize(center_square(read_image(clips / "source.png")), (SIDE, SIDE))
    np.testing.assert_array_equal(central(clips / "source.png"), expected)


def test_one_picture_drives_with_its_pose(make, clips, tmp_path):
    result = animate(make(video_source=clips / "portraits" / "a.png", output=tmp_path / "posed.png"))
    assert result.frames == 1
    assert read_image(result.path).shape == (SIDE, SIDE, 3)
    assert "its pose itself is taken" in result.warnings[0]


def test_folder_of_frames_drives(make, clips, tmp_path):
    result = animate(make(video_source=clips / "frames", output=tmp_path / "result.gif"))
    assert result.frames == FRAMES
    assert probe(result.path).frames == FRAMES


def test_frame_limit_and_rate(make, tmp_path):
    short = animate(make(frame_limit=4, output=tmp_path / "short"))
    assert short.frames == 4
    assert len(list((tmp_path / "short").glob("*.png"))) == 4
    slow = animate(make(fps=Fraction(10)))
    assert slow.fps == 10
    assert slow.seconds == pytest.approx(FRAMES * 1001 / 30000, abs=0.1)


def test_sound_is_as_long_as_the_picture(make):
    result = animate(make(frame_limit=6))
    assert has_audio(result.path)
    assert len(read_audio(result.path)) / 16000 == pytest.approx(result.seconds, abs=0.06)


@pytest.mark.parametrize(
    ("flags", "shape"), [({"compare": True}, (SIDE, 3 * SIDE)), ({"visualize": True}, (2 * SIDE, 4 * SIDE))]
)
def test_grids_show_source_driving_and_result_first(make, clips, tmp_path, flags, shape):
    result = animate(make(output=tmp_path / "grid", audio="none", **flags))
    plain = animate(make(output=tmp_path / "plain", audio="none"))
    frames = frames_of(result.path)
    assert frames.shape == (FRAMES, *shape, 3)
    with open_video(clips / "talk.mp4", size=(SIDE, SIDE), square=True) as reader:
        driving = np.stack(list(reader))
    source = central(clips / "source.png")
    np.testing.assert_array_equal(frames[3, :SIDE, :SIDE], source)
    np.testing.assert_array_equal(frames[:, :SIDE, SIDE : 2 * SIDE], driving)
    np.testing.assert_array_equal(frames[:, :SIDE, 2 * SIDE : 3 * SIDE], frames_of(plain.path))


def test_panels_carry_their_names_where_words_can_be_read(make, tmp_path):
    side = 2 * SIDE
    shown = {"image_size": side, "audio": "none", "frame_limit": 2}
    plain = frames_of(animate(make(output=tmp_path / "plain", **shown)).path)
    for flag, rows, columns in (("compare", 1, 3), ("visualize", 2, 4)):
        frames = frames_of(animate(make(output=tmp_path / flag, **shown, **{flag: True})).path)
        strip = frames.shape[1] // rows - side
        assert frames.shape[2] == columns * side and 16 <= strip <= 20 and strip % 2 == 0
        for column in range(3):
            label = frames[0, side : side + strip, column * side : (column + 1) * side]
            assert label.max() > 200 and (label[:, :10] == 0).all() and (label[:, -10:] == 0).all()
        np.testing.assert_array_equal(frames[:, :side, 2 * side : 3 * side], plain)


def test_a_preview_is_short_and_small_and_its_settings_are_those_of_the_whole_run(make, tmp_path):
    result = animate(make(preview=True, image_size=320, quality="lossless", save_motion=tmp_path / "a.motion"))
    assert (probe(result.path).height, probe(result.path).width) == (256, 256)
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["result.mp4", "result.mp4.yaml"]
    again = load_settings([f"--config={result.path}.yaml", "--no-preview"])
    assert (again.frame_limit, again.quality, again.save_motion) == (None, "lossless", tmp_path / "a.motion")
    made_up = animate(make(preview=True, output=None, output_dir=tmp_path, frame_limit=3))
    assert made_up.path.name == "source__talk_preview.mp4" and made_up.frames == 3
    assert preview_of(make()).frame_limit == 48
    assert preview_of(make(frame_limit=90, enhancer="gfpgan")).enhancer is None


def test_larger_pictures_than_the_model_was_made_for(make):
    assert probe(animate(make(image_size=2 * SIDE)).path).width == 2 * SIDE


def test_folder_of_pictures_keeps_what_succeeds(make, clips, tmp_path):
    batch = animate_each(make(image_source=clips / "portraits", output=None, output_dir=tmp_path))
    assert [result.path.name for result in batch.results] == ["a__talk.mp4", "b__talk.mp4"]
    assert all(probe(result.path).frames == FRAMES for result in batch.results)
    [(source, error)] = batch.failures
    assert source.name == "broken.png"
    assert isinstance(error, MediaError)


def test_failure_while_rendering_leaves_nothing(make, tmp_path):
    def failing():
        yield np.zeros((16, 16, 3), np.uint8)
        raise MediaError("the disk is gone")

    with pytest.raises(MediaError, match="disk is gone"):
        render.write(failing(), tmp_path / "half.mp4", fps=Fraction(25))
    assert list(tmp_path.iterdir()) == []


def test_a_webp_is_a_picture_of_one_frame_and_an_animation_of_several(tmp_path):
    frames = [np.full((4, 4, 3), level, np.uint8) for level in (10, 90, 200)]
    for count in (1, 3):
        path = tmp_path / f"{count}.webp"
        assert render.write(iter(frames[:count]), path, fps=Fraction(25), quality="lossless") == (count, [])
        assert probe(path).frames == count
    assert np.array_equal(read_image(tmp_path / "1.webp"), frames[0])
    assert [frame[0, 0, 0] for frame in open_video(tmp_path / "3.webp")] == [10, 90, 200]


def test_several_frames_are_no_picture(tmp_path):
    frames = [np.zeros((4, 4, 3), np.uint8)] * 2
    with pytest.raises(MediaError, match="several frames do not make"):
        render.write(frames, tmp_path / "one.png", fps=Fraction(25))


def test_transparent_parts_are_told_to_be_white(make, clips, tmp_path):
    with Image.open(clips / "source.png") as opened:
        opaque, clear = opened.convert("RGBA"), opened.convert("RGBA")
    clear.paste((0, 0, 0, 0), (0, 0, 8, 8))
    opaque.save(tmp_path / "opaque.png")
    clear.save(tmp_path / "clear.png")
    result = animate(make(image_source=tmp_path / "clear.png", frame_limit=1, output=tmp_path / "one.webp"))
    assert any("transparent parts are white" in warning for warning in result.warnings)
    with Image.open(tmp_path / "one.webp") as drawn:
        assert not drawn.has_transparency_data
    assert animate(make(image_source=tmp_path / "opaque.png", frame_limit=1)).warnings == ()


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"checkpoint": "no-such-file.safetensors"}, TalkingFaceError),
        ({"device": "cuda:99"}, ConfigError),
        ({"best_frame": 500}, ConfigError),
    ],
)
def test_errors_leave_no_output(make, tmp_path, changes, error):
    with pytest.raises(error):
        animate(make(**changes))
    assert not (tmp_path / "result.mp4").exists()


def test_weights_of_another_kind_are_refused(make, clips):
    with pytest.raises(WeightsError):
        animate(make(checkpoint=str(clips / "source.png")))


def test_same_settings_give_the_same_frames(make, tmp_path):
    one, two = (frames_of(animate(make(output=tmp_path / name)).path) for name in ("one", "two"))
    np.testing.assert_array_equal(one, two)


def test_gradients_are_never_kept(make):
    settings = make()
    model = load_model(settings)
    with driving_frames(settings.video_source, frame_limit=2) as frames:
        motion = model.reader.read_frames(frames, Fraction(25))
    assert not any(value.requires_grad for value in motion.values.values())
    assert all(isinstance(value, torch.Tensor) and len(value) == 2 for value in motion.values.values())


@pytest.mark.skipif(sys.platform != "linux", reason="names are text there")
@pytest.mark.parametrize("name", [b"caf\xe9", b"\xe9" * 150])
def test_names_need_not_be_utf8(make, clips, tmp_path, name):
    name = os.fsdecode(name)
    folder = tmp_path / name
    (folder / "people").mkdir(parents=True)
    shutil.copyfile(clips / "source.png", folder / "people" / f"{name}.png")
    shutil.copyfile(clips / "talk.mp4", folder / f"{name}.mp4")
    given = {"video_source": folder / f"{name}.mp4", "frame_limit": 2, "output": None, "output_dir": folder / "out"}
    for kept in (False, True):
        (result,) = animate_each(make(image_source=folder / "people", **given)).results
        assert (result.frames, result.kept) == (2, kept)
    words = [f"--config={result.path}.yaml", f"--output_dir={tmp_path / 'again'}"]
    (again,) = animate_each(load_settings(words)).results
    assert frames_of(again.path).tolist() == frames_of(result.path).tolist()
