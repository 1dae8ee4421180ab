"""A picture speaks, or idles: lengths, rates, sounds good and bad, chance, styles, references, angles."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import soundfile
import torch

from talkingface.errors import ConfigError, MediaError, MotionError, NoFaceError, TalkingFaceError, WeightsError
from talkingface.media.image import read_image, write_image
from talkingface.media.sounds.audio import read_audio
from talkingface.media.video import probe
from talkingface.motion.file import load_motion, save_motion
from talkingface.pipelines.animate import animate, animate_each
from talkingface.pipelines.draw.face_video import face_video_path

from .speaking import RATE_HZ, SAMPLE, frames_of, needs_mesh, puppet, rows_of, save_puppet, say, talker, write_voice

__all__ = ["puppet", "say", "talker"]  # fixtures
pytestmark = needs_mesh


def test_a_voice_moves_the_picture_for_as_long_as_it_lasts(say, tmp_path):
    result = animate(say(save_motion=tmp_path / "said.motion"))
    assert (result.frames, result.fps) == (13, 25)  # 8000 samples, 640 a frame: the last one is begun
    frames = frames_of(result.path)
    assert np.abs(frames[-1] - frames[0]).max() > 20
    motion = load_motion(tmp_path / "said.motion")
    assert (motion.kind, motion.space, len(motion)) == ("3dmm.70", "mesh", 13)
    assert result.warnings == ()


def test_the_sound_of_the_result_is_the_input_not_what_the_voice_heard(say, tmp_path):
    voice = write_voice(tmp_path / "high.wav", 1.0, rate_hz=44100, channels=2)
    result = animate(say(audio_path=voice, audio="driving", output=tmp_path / "spoken.mp4"))
    assert probe(result.path).sample_rate_hz == 44100
    said, given = read_audio(result.path), read_audio(voice)
    assert abs(len(said) - len(given)) < RATE_HZ / 25
    best = max(range(-400, 401, 8), key=lambda shift: float(np.dot(np.roll(said, shift)[400:15000], given[400:15000])))
    assert abs(best) <= 8


@pytest.mark.parametrize("fps", [Fraction(30000, 1001), Fraction(10)])
def test_another_rate_resamples_the_motion_and_not_the_frames(say, tmp_path, fps):
    animate(say(save_motion=tmp_path / "usual.motion"))
    result = animate(say(fps=fps, save_motion=tmp_path / "other.motion", overwrite=True))
    assert (result.frames, result.fps) == (math.ceil(fps / 2), fps)
    usual, other = rows_of(tmp_path / "usual.motion"), rows_of(tmp_path / "other.motion")
    place = 3 * Fraction(25) / fps
    share = float(place % 1)
    expected = usual[int(place)] * (1 - share) + usual[min(int(place) + 1, 12)] * share
    torch.testing.assert_close(other[3], expected)


def test_the_same_seed_gives_the_same_video_and_another_one_does_not(say, tmp_path):
    def drawn(name, **changes):
        return frames_of(animate(say(output=tmp_path / name, **changes)).path)

    first = drawn("one")
    np.testing.assert_array_equal(first, drawn("two"))
    np.testing.assert_allclose(first, drawn("chunks", batch_size=1), atol=1)
    assert np.abs(first - drawn("three", seed=1)).max() > 2
    assert np.abs(first - drawn("four", pose_style=3)).max() > 2


def test_limits_of_style_and_length(say, tmp_path):
    with pytest.raises(ConfigError, match=r"--pose_style: there is no style 4\. Use 0 to 3"):
        animate(say(pose_style=4))
    whole = animate(say(output=tmp_path / "whole"))
    first = animate(say(frame_limit=5, output=tmp_path / "first"))
    assert first.frames == 5
    np.testing.assert_array_equal(frames_of(first.path)[:3], frames_of(whole.path)[:3])  # later ones look ahead


def test_idling_needs_no_sound_and_blinks(say, tmp_path):
    result = animate(say(audio_path=None, idle_seconds=1.2, audio="driving", save_motion=tmp_path / "idle.motion"))
    assert (result.frames, result.warnings) == (30, ())
    blinks = rows_of(tmp_path / "idle.motion")[:, 1]
    assert blinks.max() - blinks.min() > 1
    animate(say(audio_path=None, idle_seconds=1.2, blink=False, save_motion=tmp_path / "awake.motion"))
    assert rows_of(tmp_path / "awake.motion")[:, 1].std() == 0


def test_silence_gives_a_video_and_a_warning(say, tmp_path):
    soundfile.write(tmp_path / "silence.wav", np.zeros(8000, np.float32), RATE_HZ)
    result = animate(say(audio_path=tmp_path / "silence.wav", save_motion=tmp_path / "m.motion"))
    assert result.frames == 13
    assert "the sound is silent" in " ".join(result.warnings)
    assert rows_of(tmp_path / "m.motion")[:, 0].std() < 1e-5


def test_samples_that_are_no_numbers_are_silenced(say, tmp_path):
    wave = np.sin(np.arange(8000) / 10).astype(np.float32) * 0.5
    wave[100:103] = np.nan, np.inf, -np.inf
    soundfile.write(tmp_path / "odd.wav", wave, RATE_HZ, subtype="FLOAT")
    result = animate(say(audio_path=tmp_path / "odd.wav", save_motion=tmp_path / "m.motion"))
    assert "3 samples are no numbers" in " ".join(result.warnings)
    assert rows_of(tmp_path / "m.motion").isfinite().all()


@pytest.mark.parametrize(("seconds", "fps"), [(0.5, 25), (0.52, 25), (0.53, 10), (0.41, 30), (0.4, 30), (1.01, 12)])
def test_no_sound_is_cut(say, tmp_path, seconds, fps):
    voice = write_voice(tmp_path / "voice.wav", seconds)
    changes = {"audio_path": voice, "audio": "driving", "fps": Fraction(fps), "output": tmp_path / "said.mp4"}
    result = animate(say(**changes))
    assert result.frames == math.ceil(round(seconds * fps, 6))
    heard, given = read_audio(result.path, RATE_HZ), read_audio(voice, RATE_HZ)
    assert len(heard) >= len(given) - 1 and probe(result.path).frames == result.frames
    assert np.abs(heard[len(given) - 800 : len(given)]).max() > 0.3 * np.abs(given[-800:]).max()


def test_a_very_short_sound_is_said_and_told(say, tmp_path):
    result = animate(say(audio_path=write_voice(tmp_path / "short.wav", 0.1)))
    assert (result.frames, result.warnings) == (3, (f"{tmp_path / 'short.wav'}: lasts 0.10 s only, 3 frames",))


@pytest.mark.parametrize(("samples", "rate_hz"), [(300, 8000), (100, RATE_HZ)])
def test_a_sound_of_less_than_a_frame_is_refused(say, tmp_path, samples, rate_hz):
    soundfile.write(tmp_path / "click.wav", np.ones(samples, np.float32) * 0.1, rate_hz)
    with pytest.raises(MediaError, match=r"click.wav: the sound lasts 0.0\d+ s, less than one frame"):
        animate(say(audio_path=tmp_path / "click.wav"))


@pytest.mark.parametrize("name", ["voice.mp3", "voice.ogg", "voice.flac"])
def test_other_files_say_the_same(say, tmp_path, name):
    write_voice(tmp_path / name, 0.5)
    animate(say(save_motion=tmp_path / "wav.motion"))
    animate(say(audio_path=tmp_path / name, save_motion=tmp_path / "other.motion", overwrite=True))
    wav, other = rows_of(tmp_path / "wav.motion"), rows_of(tmp_path / "other.motion")
    assert abs(len(wav) - len(other)) <= 2
    shared = min(len(wav), len(other))
    assert np.corrcoef(wav[:shared, 0], other[:shared, 0])[0, 1] > 0.9


def test_asked_angles_are_spread_over_the_video(say, tmp_path):
    def drawn(name, **changes):
        return frames_of(animate(say(output=tmp_path / name, **changes)).path)

    plain, turned = drawn("plain"), drawn("turned", input_yaw=[-40, 40])
    assert np.abs(turned[0] - plain[0]).max() > 2 and np.abs(turned[-1] - turned[0]).max() > 2
    still = drawn("still", still=True, expression_scale=0)
    assert np.abs(still - still[:1]).max() == 0


def test_references_bring_their_blinks_and_head_motion(say, talker, tmp_path):
    animate(say(save_motion=tmp_path / "plain.motion"))
    animate(say(ref_pose=talker, ref_eyeblink=talker, save_motion=tmp_path / "led.motion", overwrite=True))
    plain, led = rows_of(tmp_path / "plain.motion"), rows_of(tmp_path / "led.motion")
    assert (led[1:, 64:70] - plain[1:, 64:70]).abs().max() > 0.001
    torch.testing.assert_close(led[8, 64:70], plain[8, 64:70])  # the reference of eight frames begins anew
    assert (led[:, :64] - plain[:, :64]).abs().max() > 0.1
    with pytest.raises(ConfigError, match="--ref_pose is for a picture that speaks or idles"):
        animate(say(audio_path=None, video_source=talker, ref_pose=talker))


def test_a_reference_without_a_face_is_refused(say, tmp_path):
    write_image(tmp_path / "frames" / "000000.png", np.full((64, 64, 3), 99, np.uint8))
    with pytest.raises(NoFaceError, match="frames"):
        animate(say(ref_pose=tmp_path / "frames"))


def test_only_one_thing_drives(say):
    with pytest.raises(ConfigError, match=r"--video_source and --audio_path would both drive\. .*--ref_pose"):
        animate(say(video_source=SAMPLE / "driving.mp4"))
    with pytest.raises(ConfigError, match="--audio_path and --idle_seconds would both drive"):
        animate(say(idle_seconds=2))
    with pytest.raises(ConfigError, match="--audio_path needs a picture to animate"):
        animate(say(image_source=None))
    with pytest.raises(MediaError, match=r"source\.png: has no sound"):
        animate(say(audio_path=SAMPLE / "source.png"))


def test_a_model_of_keypoints_says_which_models_speak(say):
    with pytest.raises(ConfigError, match=r"FOM is driven by frames, not by sound\. Use .*--model=Puppet"):
        animate(say(model="FOM", checkpoint=None))
    with pytest.raises(ConfigError, match="--still: FOM moves points of its own"):
        animate(say(model="FOM", checkpoint=None, audio_path=None, video_source=SAMPLE / "driving.mp4", still=True))


def test_no_face_is_one_line(say, tmp_path):
    write_image(tmp_path / "wall.png", np.full((200, 200, 3), 99, np.uint8))
    with pytest.raises(NoFaceError, match=r"wall\.png"):
        animate(say(image_source=tmp_path / "wall.png"))
    with pytest.raises(ConfigError, match="--landmarks=none"):
        animate(say(landmarks="none"))


def test_a_voice_of_another_space_is_refused(say, tmp_path):
    foreign = save_puppet(tmp_path / "mute.safetensors", voiceless=True)
    with pytest.raises(TalkingFaceError, match="Puppet has no voice"):
        animate(say(checkpoint=str(foreign), voice_model="Puppet"))
    with pytest.raises(WeightsError, match="similarity_Lm3D"):
        animate(say(checkpoint=str(save_puppet(tmp_path / "bfm.safetensors", space="bfm"))))


def test_a_model_without_a_voice_borrows_one_that_fits(say, tmp_path):
    mute = save_puppet(tmp_path / "mute.safetensors", voiceless=True)
    result = animate(say(checkpoint=str(mute), save_motion=tmp_path / "borrowed.motion"))
    assert result.frames == 13
    assert rows_of(tmp_path / "borrowed.motion").std(dim=0).max() > 0.01


def test_what_was_said_drives_again(say, tmp_path):
    said = animate(say(save_motion=tmp_path / "said.motion", output=tmp_path / "one"))
    changes = {"audio_path": None, "motion_path": tmp_path / "said.motion", "relative": False}
    again = animate(say(**changes, output=tmp_path / "two"))
    np.testing.assert_array_equal(frames_of(said.path), frames_of(again.path))
    said_elsewhere = replace(load_motion(tmp_path / "said.motion"), space="bfm")
    save_motion(tmp_path / "bfm.motion", said_elsewhere)
    with pytest.raises(MotionError, match="of the space 'bfm', and these weights draw 'mesh'"):
        animate(say(**changes | {"motion_path": tmp_path / "bfm.motion"}))


def test_views_of_a_spoken_result(say, tmp_path):
    result = animate(say(compare=True, face3dvis=True, frame_limit=3, output=tmp_path / "seen.mp4"))
    assert probe(result.path).width == 2 * 64
    info = probe(face_video_path(result.path))
    assert (info.width, info.height, info.frames) == (128, 64, 3)


def test_each_picture_of_a_folder_speaks_with_its_own_face(say, tmp_path):
    for name in ("a.png", "b.png"):
        (tmp_path / "faces").mkdir(exist_ok=True)
        (tmp_path / "faces" / name).write_bytes((SAMPLE / "source.png").read_bytes())
    batch = animate_each(say(image_source=tmp_path / "faces", output=None, output_dir=tmp_path / "out"))
    assert [result.path.name for result in batch.results] == ["a__voice.mp4", "b__voice.mp4"]


def test_faces_of_a_group_speak_in_their_places(say, tmp_path):
    face = read_image(SAMPLE / "source.png")
    write_image(tmp_path / "two.png", np.concatenate([face, face[:, ::-1]], axis=1))
    result = animate(say(image_source=tmp_path / "two.png", face="all", output=tmp_path / "both", frame_limit=4))
    frames = frames_of(result.path)
    assert frames.shape[2] == 2 * face.shape[1]
    moved = np.abs(frames[-1] - frames[0]).max(axis=(0, 2))
    assert moved[: face.shape[1]].max() > 5 and moved[face.shape[1] :].max() > 5
