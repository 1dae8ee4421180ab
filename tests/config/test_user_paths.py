"""Paths as users write them, in every setting that takes one: ``~`` is their home, addresses are no files."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

import talkingface
from talkingface import registry
from talkingface.config import load_settings
from talkingface.config.options import Option, options
from talkingface.config.translate import Given
from talkingface.config.user_paths import TEXT_PATHS, as_meant, takes_path
from talkingface.errors import ConfigError, TalkingFaceError
from talkingface.paths import CLONE, install_command, user_path

ADDRESS = "https://example.org/a//b.mp4?x=~1"
PATHS = {option.key: (option, model) for model in registry.models() for option in options(model).values()}
PATHS = {key: found for key, found in PATHS.items() if takes_path(found[0])}


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))


def written(option: Option, path: str) -> object:
    text = f"0={path}" if option.key == "drive" else path
    return [text] if option.is_list else text


def test_all_path_settings_are_known() -> None:
    names = {"image_source", "output", "config", "data.root", "train.init_from", "prepare.raw", "inversion_file"}
    assert names | TEXT_PATHS <= PATHS.keys()
    doubtful = {
        key for model in registry.models() for key in options(model) if key.endswith(("_dir", "_file", "_path"))
    }
    assert doubtful <= PATHS.keys()


@pytest.mark.parametrize("key", PATHS)
def test_the_home_is_expanded_in_every_path(key: str, tmp_path: Path) -> None:
    option, model = PATHS[key]
    (item,) = as_meant([Given(key, written(option, "~/a.mp4"), f"--{key}")], model, [])
    assert item.value == written(option, str(tmp_path / "a.mp4"))
    (strange,) = as_meant([Given(key, written(option, "~nobody-of-this-name/a"), f"--{key}")], model, [])
    assert strange.value == written(option, "~nobody-of-this-name/a")


@pytest.mark.parametrize("key", PATHS)
def test_addresses_are_refused_as_they_were_typed(key: str) -> None:
    option, model = PATHS[key]
    problems: list[TalkingFaceError] = []
    assert list(as_meant([Given(key, written(option, ADDRESS), f"--{key}")], model, problems)) == []
    (problem,) = problems
    assert f"'{ADDRESS}' is an address" in str(problem) and str(problem).startswith(f"--{key}=")


def test_flags_files_and_arguments_alike(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("image_source: ~/a.png\nmodel: styleheat\n")
    settings = load_settings(["--config=~/mine.yaml", "--video_source=~/b.mp4", "--checkpoint=~/w.pt,compact"])
    assert (settings.image_source, settings.video_source) == (tmp_path / "a.png", tmp_path / "b.mp4")
    assert settings.model == "StyleHeat" and settings.checkpoint == f"{tmp_path / 'w.pt'},compact"
    with pytest.raises(ConfigError, match=r"file:///home/a b\.mp4' is an address.* Write /home/a b.mp4"):
        load_settings(["--video_source", "file:///home/a b.mp4"])
    with pytest.raises(TalkingFaceError, match=r"^argument video_source: 'https://example\.org/a//b\.mp4"):
        talkingface.animate(driving=ADDRESS)
    assert user_path("~/x") == tmp_path / "x"


@pytest.mark.parametrize("word", ["fom", "FOM", "Fom"])
def test_models_are_known_in_any_case(word: str) -> None:
    assert load_settings([f"--model={word}"]).model == "FOM"
    assert load_settings(["--model", "sadTALKER", "--audio_path=a.wav"]).model == "SadTalker"
    assert load_settings([f"--model={word}", "--model_params.common_params.num_kp=4"]).origin("model").startswith("--")


def test_an_install_command_is_true_for_a_clone_and_for_a_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    words = shlex.split(install_command("landmarks"))
    assert (
        words[:4] == [sys.executable, "-m", "pip", "install"] and words[4] == "-e" and words[5].endswith("[landmarks]")
    )
    assert Path(words[5].removesuffix("[landmarks]")).joinpath("pyproject.toml").is_file()
    monkeypatch.setattr("talkingface.paths.in_clone", lambda: False)
    assert shlex.split(install_command("fan"))[4:] == ["talkingface[fan]"]


@pytest.mark.parametrize("name", ["crop_video", "crop_vox", "extract_landmarks", "extract_3dmm", "prepare_lmdb"])
def test_scripts_expand_the_home_too(name: str) -> None:
    text = (CLONE / "scripts" / f"{name}.py").read_text(encoding="utf-8")
    assert "type=user_path" in text and "type=Path" not in text
