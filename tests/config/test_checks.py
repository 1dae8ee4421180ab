"""Flags that cannot go together: all of them are reported in one run, without torch."""

from __future__ import annotations

import subprocess
import sys

import pytest

from talkingface.config import load_settings, settings_from
from talkingface.errors import ConfigError, TalkingFaceError

SOUND = "--audio_path=a.wav"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("--model=SadTalker --audio_path=a.wav --pose_style=46", "--pose_style: there is no style 46. Use 0 to 45."),
        ("--model=StyleHeat --idle_seconds=2 --pose_style=99", "--pose_style: there is no style 99. Use 0 to 45."),
        ("--face=lrgest", "--face: 'lrgest' is no choice of a face. Did you mean 'largest'?"),
        ("--driving_face=-1", "--driving_face: '-1' is no choice of a face."),
        ("--still", "--still: FOM moves points of its own"),
        ("--input_yaw=3", "--input_yaw: FOM moves points of its own"),
        (f"{SOUND}", "--audio_path=a.wav: FOM is driven by frames, not by sound. Use --model=SadTalker."),
        (f"--model=StyleHeat {SOUND} --voice_model=FOM", "--voice_model=FOM: FOM has no voice. Use SadTalker."),
        (f"--model=StyleHeat {SOUND} --voice_model=Sad", "--voice_model: unknown model 'Sad'."),
        ("--model=SadTalker --landmarks=none", "--landmarks=none: SadTalker moves faces by coefficients"),
        ("--landmarks=given", "--landmarks=given: needs a file with points or boxes. Give --landmarks_file."),
        ("--upscale=2", "--upscale=2: enlarges what an enhancer makes, and there is none."),
        ("--enhancer=gfpgan --compare", "--compare: shows frames as the model draws them"),
        ("--video_source=a.mp4 --motion_path=b.motion", "--video_source and --motion_path would both drive."),
        ("--model=StyleHeat --intuitive_edit --motion_path=b.motion", "--motion_path and --intuitive_edit would both"),
        ("--drive=a.mp4", "--drive=a.mp4: is not FACE=FILE."),
        ("--drive 0=a.mp4 0=b.mp4", "--drive: face 0 has two drivers."),
        (
            "--model=StyleHeat --video_source=a.mp4 --pose_style=3",
            "--pose_style is for a picture that speaks or idles.",
        ),
        ("--video_source=a.mp4 --no-blink", "--blink is for a picture that speaks or idles."),
        ("--voice_model=SadTalker", "--voice_model is for a picture that speaks or idles."),
        ("--best_frame=3 --find_best_frame --image_source=a.png", "--best_frame and --find_best_frame both choose"),
        ("--best_frame=3 --frame_limit=3 --image_source=a.png", "--best_frame: frame 3 is not among the 3"),
        ("--best_frame=3 --no-relative", "--best_frame: chooses where a driver's change begins, and --no-relative"),
        (
            "--find_best_frame --video_source=a.mp4",
            "--find_best_frame: chooses where a driver's change begins",
        ),
        (
            f"--model=SadTalker {SOUND} --best_frame=3",
            "--best_frame: chooses where a driver's change begins",
        ),
        ("--face=all --no-if_align", "--face needs faces, and --no-if_align looks for none."),
        ("--face=all --preprocess=crop", "--face moves faces in their places, and --preprocess=crop shows one"),
        ("--face=0 --drive 0=a.mp4", "--face says whom --video_source moves, and there is none."),
        ("--ref_pose=a.mp4", "--ref_pose is for a picture that speaks or idles."),
        ("--intuitive_edit", "--intuitive_edit is a flag of StyleHeat; FOM has no such flag. Choose --model=StyleHeat"),
        ("--attribute=old", "--attribute is a flag of StyleHeat; FOM has no such flag."),
        ("--model=StyleHeat --inversion_option=load", "--inversion_option=load: no saved inversion."),
        (
            "--model=StyleHeat --attribute_edit=old --inversion_option=optimize",
            "--attribute_edit: --inversion_option=optimize fixes the features that an edit has to change.",
        ),
    ],
)
def test_flags_that_cannot_go_together(words: str, line: str) -> None:
    with pytest.raises(TalkingFaceError) as error:
        load_settings(words.split())
    assert str(error.value).startswith(line)
    assert "\n" not in str(error.value)


def test_every_flag_that_needs_faces_is_told() -> None:
    words = "--face=all --face3dvis --drive 0=a.mp4 --no-if_align --preprocess=resize"
    with pytest.raises(ConfigError) as error:
        load_settings([*words.split(), "--video_source=b.mp4"])
    lines = str(error.value).splitlines()
    off = "needs faces, and --no-if_align and --preprocess=resize look for none. Leave one of them out."
    assert lines == [f"--{flag} {off}" for flag in ("face", "drive", "face3dvis")]


def test_all_kinds_of_mistakes_are_reported_in_one_run() -> None:
    words = (
        "--modle=x --pose_style=99 --audio_path=a.wav --face=lrgest --fps=x --still --attribute=old --upscale 2 stray"
    )
    with pytest.raises(ConfigError) as error:
        load_settings(words.replace("--still", "--model=SadTalker --landmarks=none").split())
    flags = [line.split(":")[0].split(" ")[0] for line in str(error.value).splitlines()]
    words_of_flags = ["--modle", "'stray'", "--attribute", "--fps", "--face"]
    assert flags == [*words_of_flags, "--landmarks=none", "--pose_style", "--upscale=2"]


def test_they_are_reported_before_torch_is_loaded() -> None:
    code = (
        "import sys; from talkingface.cli import main; status = main(sys.argv[1:]);"
        "sys.exit(status if 'torch' not in sys.modules else 9)"
    )
    words = ["--model=SadTalker", "--image_source=a.png", "--idle_seconds=2", "--pose_style=99", "--face=lrgest"]
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 3, done.stderr


def test_a_flag_of_another_model_that_says_nothing_new_is_no_fault(tmp_path) -> None:
    assert not hasattr(load_settings(["--no-intuitive_edit", "--inversion_steps=250"]), "intuitive_edit")
    (tmp_path / "old.yaml").write_text("model: FOM\nattribute_edit: null\ninversion_steps: 250\nedit_ramp: true\n")
    assert load_settings([f"--config={tmp_path / 'old.yaml'}"]).model == "FOM"
    (tmp_path / "old.yaml").write_text("model: FOM\nedit_ramp: false\n")
    with pytest.raises(ConfigError, match=r"old.yaml: edit_ramp is a flag of StyleHeat; FOM has no such flag"):
        load_settings([f"--config={tmp_path / 'old.yaml'}"])
    (tmp_path / "new.yaml").write_text("model: StyleHeat\nedit_ramp: false\n")
    assert load_settings([f"--config={tmp_path / 'new.yaml'}"]).own.model_dump()["edit_ramp"] is False
    with pytest.raises(ConfigError, match="argument pose_only is a flag of StyleHeat"):
        settings_from({"pose_only": True})


@pytest.mark.parametrize("word", ["--print_config", "--run_mode=doctor"])
def test_contradictions_matter_where_something_is_animated(word: str) -> None:
    assert load_settings(["--still", word]).still
