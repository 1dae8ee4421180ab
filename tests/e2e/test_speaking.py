"""A picture speaks: by the command with the weights that ship, and for every shared sound, good or bad."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest
from pipelines.speaking import SAMPLE, needs_mesh, puppet, say, write_voice

from talkingface.config.flags import parse_flags
from talkingface.errors import MediaError
from talkingface.media.video import probe
from talkingface.paths import CLONE
from talkingface.pipelines.animate import animate

__all__ = ["puppet", "say"]  # fixtures
pytestmark = needs_mesh

SHARED = Path(os.environ.get("TALKINGFACE_SHARED", CLONE.parent / "shared")) / "data"
REFUSED = {"audio/a26_no_samples.wav", "audio/a30_corrupt_header.wav", "audio/a32_not_audio.wav"}
WARNED = {
    "audio/a20_silent_3s.wav": "the sound is silent",
    "audio/a21_short_0.1s.wav": "lasts 0.10 s only",
    "audio/a22_clipped.wav": "clipped",
    "audio/a23_nan_inf_float.wav": "no numbers",
    "audio/a31_damaged.mp3": "damaged in places",
}


def sounds() -> list[str]:
    """Shared sounds, of ordinary wav files only the first; empty where there are none."""
    manifest = SHARED / "MANIFEST.csv"
    if not manifest.is_file():
        return []
    with manifest.open(encoding="utf-8", newline="") as lines:
        names = [row["file"] for row in csv.DictReader(lines) if row["file"].startswith("audio/")]
    return [name for place, name in enumerate(names) if place == 0 or name[6:9] >= "a20" or not name.endswith(".wav")]


def test_the_command_makes_a_picture_speak(run, tmp_path):
    write_voice(tmp_path / "voice.wav", 0.2)
    done = run(
        *("--model=SadTalker", "--run_mode=infer", "--source_image", SAMPLE / "source.png"),
        *("--driven_audio", "voice.wav", "--result_dir", "out", "--preprocess", "full", "--still"),
        *("--pose_style", 3, "--size", 256, "--batch_size", 2, "--cpu"),
    )
    assert done.returncode == 0, done.stderr
    path = tmp_path / done.stdout.splitlines()[-1]
    info = probe(path)
    assert path.name == "source__voice.mp4" and (info.frames, info.fps, info.has_audio) == (5, 25, True)
    assert "coefficients: mesh space" in done.stderr


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared test data is not here (TALKINGFACE_SHARED)")
@pytest.mark.parametrize("name", sounds())
def test_sound(say, tmp_path, name):
    settings = say(audio_path=SHARED / name, audio="driving", frame_limit=2, output=tmp_path / "result.mp4")
    if name in REFUSED:
        with pytest.raises(MediaError) as caught:
            animate(settings)
        assert Path(name).name in str(caught.value) and "\n" not in str(caught.value)
        assert not (tmp_path / "result.mp4").exists()
        return
    result = animate(settings)
    info = probe(result.path)
    assert (info.frames, info.has_audio) == (2, True)
    assert WARNED.get(name, "") in " ".join(result.warnings)
    assert bool(result.warnings) == (name in WARNED)


def test_all_flags_of_the_published_program_are_known():
    words = "--driven_audio a.wav --source_image a.png --ref_eyeblink b.mp4 --ref_pose b.mp4 --checkpoint_dir c"
    words += " --result_dir r --pose_style 1 --batch_size 2 --size 256 --expression_scale 1.1 --input_yaw -20 30 10"
    words += " --input_pitch 0 5 --input_roll 3 --cpu --face3dvis --still --preprocess crop --verbose"
    given = {item.key: item.value for item in parse_flags(words.split())}
    assert given["audio_path"] == "a.wav" and given["input_yaw"] == ["-20", "30", "10"]
