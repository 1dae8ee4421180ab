"""The files that a run reads and writes are decided, and refused, before anything heavy is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from talkingface.errors import ConfigError, MediaError, TalkingFaceError
from talkingface.pipelines.plan.inputs import plan_each, plan_one


def test_picture_and_video_are_cross_identity(make, clips):
    plan = plan_one(make())
    assert (plan.source, plan.driving) == (clips / "source.png", clips / "talk.mp4")
    assert not plan.same_identity
    assert plan.notes == ()


def test_video_alone_is_its_own_source(make, clips):
    plan = plan_one(make(image_source=None))
    assert plan.source == plan.driving == clips / "talk.mp4"
    assert plan.same_identity


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image_source": None, "video_source": None}, "nothing to animate"),
        ({"video_source": None}, "Give --video_source=VIDEO"),
        ({"image_source": None, "cross_id": True}, "--cross_id needs a picture"),
        ({"video_source": Path("absent.mp4")}, "--video_source=absent.mp4: no such file"),
        ({"image_source": Path("absent.png")}, "--image_source=absent.png: no such file"),
        ({"output": Path("result.mkv")}, "result.mkv"),
        ({"output": Path("result.png")}, "one picture cannot hold a video"),
        ({"audio": "drivng"}, "Use driving, source, none or a file"),
    ],
)
def test_contradictions_are_one_line(make, changes, message):
    with pytest.raises(TalkingFaceError) as caught:
        plan_one(make(**changes))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_sound_is_no_driving_video(make, clips):
    with pytest.raises(MediaError, match="no picture stream"):
        plan_one(make(video_source=clips / "voice.wav"))


def test_result_never_replaces_an_input(make, clips):
    with pytest.raises(ConfigError, match="replace its own input"):
        plan_one(make(output=clips / "frames" / ".." / "talk.mp4"))


def test_made_up_name_joins_source_and_driving(make, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plan = plan_one(make(output=None, output_dir=tmp_path))
    assert plan.output == tmp_path / "source__talk.mp4"
    assert plan_one(make(output=None)).output == Path("results/FOM/source__talk.mp4")


def test_made_up_name_is_numbered_where_the_first_is_taken(make, tmp_path):
    (tmp_path / "source__talk.mp4").touch()
    assert plan_one(make(output=None, output_dir=tmp_path)).output == tmp_path / "source__talk_2.mp4"
    replaced = plan_one(make(output=None, output_dir=tmp_path, overwrite=True))
    assert replaced.output == tmp_path / "source__talk.mp4"


def test_named_output_is_replaced_unless_forbidden(make, tmp_path):
    (tmp_path / "result.mp4").touch()
    assert plan_one(make()).output == tmp_path / "result.mp4"
    with pytest.raises(ConfigError, match="exists already"):
        plan_one(make(overwrite=False))


def test_folder_with_other_things_is_never_replaced(make, clips):
    with pytest.raises(MediaError, match="holds other things than frames"):
        plan_one(make(output=clips))


def test_long_names_fit_the_file_system(make, clips, tmp_path):
    source = tmp_path / f"{'ü' * 120}.png"
    source.write_bytes((clips / "source.png").read_bytes())
    output = plan_one(make(image_source=source, output=None, output_dir=tmp_path)).output
    assert len(output.name.encode()) < 255
    assert output.name.startswith("ü" * 50 + "__talk")


def test_picture_drives_a_picture(make, clips, tmp_path):
    plan = plan_one(make(video_source=clips / "portraits" / "a.png", output=None, output_dir=tmp_path))
    assert plan.output == tmp_path / "source__a.png"


@pytest.mark.parametrize(("audio", "name"), [("driving", "talk.mp4"), ("source", None), ("none", None)])
def test_sound_follows_the_word(make, clips, audio, name):
    plan = plan_one(make(audio=audio))
    assert plan.sound == (clips / name if name else None)
    assert bool(plan.notes) == (audio == "source")


def test_sound_of_a_file(make, clips):
    assert plan_one(make(audio=str(clips / "voice.wav"))).sound == clips / "voice.wav"
    with pytest.raises(MediaError, match="has no sound"):
        plan_one(make(audio=str(clips / "silent.mp4")))


def test_silent_driving_gives_a_silent_result(make, clips):
    assert plan_one(make(video_source=clips / "silent.mp4")).sound is None


def test_folder_of_pictures_gives_a_plan_each(make, clips, tmp_path):
    plans = plan_each(make(image_source=clips / "portraits", output=None, output_dir=tmp_path))
    assert [plan.output.name for plan in plans] == ["a__talk.mp4", "b__talk.mp4", "broken__talk.mp4"]
    with pytest.raises(ConfigError, match="Use --output_dir"):
        plan_each(make(image_source=clips / "portraits"))
    with pytest.raises(ConfigError, match="takes one picture"):
        plan_one(make(image_source=clips / "portraits"))


def test_results_of_one_run_never_share_a_name(make, clips, tmp_path):
    folder = tmp_path / "same"
    folder.mkdir()
    for name in ("a.png", "a.PNG", "a.jpg"):
        (folder / name).write_bytes((clips / "source.png").read_bytes())
    plans = plan_each(make(image_source=folder, output=None, output_dir=tmp_path, overwrite=True))
    assert len({plan.output for plan in plans}) == 3


def test_empty_folder_is_refused(make, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(MediaError, match="no picture in this folder"):
        plan_each(make(image_source=tmp_path / "empty", output=None, output_dir=tmp_path))
