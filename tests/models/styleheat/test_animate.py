"""Small StyleHEAT through the whole pipeline: a video, a voice, its own motion, and what is kept of an inversion."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pipelines.speaking import needs_mesh

from talkingface.cli import main
from talkingface.config import Settings, settings_from
from talkingface.errors import ConfigError
from talkingface.media.video import open_video
from talkingface.paths import shipped
from talkingface.pipelines.animate import animate
from talkingface.train.checkpoints import export

from .small import plugin

SAMPLE = shipped("dataset", "sample")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = plugin()
    states = {name: made.networks[name].state_dict() for name in made.inference_networks}
    return export(tmp_path_factory.mktemp("weights") / "small.safetensors", made, states, "float32", {})


@pytest.fixture
def make(weights: Path, tmp_path: Path) -> Callable[..., Settings]:
    def settings(name: str = "result.mp4", **changes: object) -> Settings:
        values = {"model": "StyleHeat", "checkpoint": str(weights), "device": "cpu", "frame_limit": 3, "threads": 1}
        values |= {"image_source": SAMPLE / "source.png", "output": tmp_path / name, "quality": "lossless"}
        return settings_from({key: value for key, value in (values | changes).items() if value is not None})

    return settings


def frames_of(path: Path) -> list[np.ndarray]:
    with open_video(path) as frames:
        return list(frames)


@needs_mesh
def test_a_video_a_voice_and_nothing_at_all_drive(make: Callable[..., Settings]):
    results = [
        animate(make("video.mp4", video_source=SAMPLE / "driving.mp4")),
        animate(make("voice.mp4", audio_path=SAMPLE / "driving.mp4")),
        animate(make("own.mp4", intuitive_edit=True)),
        animate(make("itself.mp4", image_source=None, video_source=SAMPLE / "driving.mp4")),
    ]
    assert [result.frames for result in results] == [3] * 4
    assert frames_of(results[0].path)[0].shape == (32, 32, 3)


@needs_mesh
def test_what_optimisation_found_is_kept_and_read_again(make: Callable[..., Settings], tmp_path: Path):
    found = tmp_path / "kept" / "face.safetensors"
    wishes = {"video_source": SAMPLE / "driving.mp4", "inversion_file": found}
    one = animate(make("one.mp4", inversion_option="optimize", inversion_steps=3, **wishes))
    again = animate(make("again.mp4", inversion_option="load", **wishes))
    plain = animate(make("plain.mp4", video_source=SAMPLE / "driving.mp4"))
    shown = [np.stack(frames_of(result.path)) for result in (one, again, plain)]
    assert np.array_equal(shown[0], shown[1]) and not np.array_equal(shown[0], shown[2])


@needs_mesh
def test_inner_pictures_lie_below_source_driver_and_result(make: Callable[..., Settings]):
    plain, shown = (
        frames_of(animate(make(f"{wish}.mp4", video_source=SAMPLE / "driving.mp4", visualize=wish)).path)
        for wish in (False, True)
    )
    assert [frame.shape for frame in shown] == [(64, 128, 3)] * 3
    for frame, result in zip(shown, plain, strict=True):
        source, inverted, warped, drawn = np.split(frame[32:].astype(int), 4, axis=1)
        assert np.abs(drawn - frame[:32, 64:96]).max() <= 2 and np.abs(drawn - result).max() <= 4
        assert np.abs(source - frame[:32, :32]).max() <= 2
        assert all(np.abs(part - drawn).max() > 20 for part in (source, inverted, warped))


@needs_mesh
def test_the_published_faults_come_back_on_request(make: Callable[..., Settings]):
    video = {"video_source": SAMPLE / "driving.mp4", "image_size": 16}
    ours, theirs = (
        animate(make(f"{faults}.mp4", published_behaviour=faults, **video)).path for faults in (False, True)
    )
    assert not np.array_equal(np.stack(frames_of(ours)), np.stack(frames_of(theirs)))


def test_edits_are_refused_where_there_are_none(make: Callable[..., Settings]):
    with pytest.raises(ConfigError, match="--attribute_edit"):
        animate(make(video_source=SAMPLE / "driving.mp4", attribute_edit="young"))
    with pytest.raises(ConfigError, match="pose_only is a flag of StyleHeat; FOM has no such flag"):
        animate(make(model="FOM", checkpoint=None, video_source=SAMPLE / "driving.mp4", pose_only=True))


def test_published_flags_are_taken(capsys: pytest.CaptureFixture[str]):
    flags = [
        "--edit_expression_only",
        "--if_extract",
        "--attribute_edit",
        "--attribute=old",
        "--inversion_option=encode",
    ]
    assert main(["--model=StyleHeat", *flags, "--print_config"]) == 0
    printed = capsys.readouterr().out
    assert "attribute_edit" in printed and "old" in printed and "still" in printed
