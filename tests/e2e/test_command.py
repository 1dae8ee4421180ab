"""The contract that others script against: flags, files, standard output, exit status."""

from __future__ import annotations

from pathlib import Path

import pytest

from talkingface.cli import main
from talkingface.media.video import open_video, probe


def test_animates_and_prints_the_path_last(run, weights, clips, tmp_path):
    done = run(
        "--model=FOM",
        "--run_mode=infer",
        f"--checkpoint={weights}",
        f"--image_source={clips / 'source.png'}",
        *("--video_source", clips / "talk.mp4"),
        "--cross_id",
        "--output=made here.mp4",
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "made here.mp4"
    assert "tiny" in done.stderr
    assert "\r" not in done.stderr
    info = probe(tmp_path / "made here.mp4")
    assert (info.frames, info.has_audio) == (11, True)


def test_resolved_settings_repeat_the_run(run, weights, clips, tmp_path):
    first = run(f"--checkpoint={weights}", f"--video_source={clips / 'talk.mp4'}", "--frame_limit=2", "--output=one")
    assert first.returncode == 0, first.stderr
    again = run("--config=one.yaml", "--output=two")
    assert again.returncode == 0, again.stderr
    with open_video(tmp_path / "one") as one, open_video(tmp_path / "two") as two:
        assert all((a == b).all() for a, b in zip(one, two, strict=True))


def test_folder_of_pictures_exits_2_where_one_fails_and_keeps_the_rest(run, weights, clips):
    words = (f"--checkpoint={weights}", f"--video_source={clips / 'talk.mp4'}", "--frame_limit=2", "--output_dir=out")
    done = run(*words, f"--image_source={clips / 'portraits'}", "--landmarks=none", "--quiet")
    assert done.returncode == 2
    assert [Path(line).name for line in done.stdout.splitlines()] == ["a__talk.mp4", "b__talk.mp4"]
    [line] = done.stderr.splitlines()
    assert line.startswith("error: ") and "broken.png" in line


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "nothing to animate"),
        (("--image_source=absent.png", "--video_source={clips}/talk.mp4"), "absent.png"),
        (("--video_source={clips}/voice.wav",), "voice.wav"),
        (("--video_source={clips}/talk.mp4", "--output=result.mkv"), "result.mkv"),
        (("--video_source={clips}/talk.mp4", "--modle=FOM"), "--model"),
    ],
)
def test_mistakes_are_one_line_and_exit_2(capsys, monkeypatch, clips, tmp_path, words, message):
    monkeypatch.chdir(tmp_path)
    assert main([word.format(clips=clips) for word in words]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert message in line
    assert not list(tmp_path.rglob("*.mp4"))
