"""Commands of other programs: every row of docs/from-other-programs.md is typed, and run where shipped weights can."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from talkingface.cli import main
from talkingface.config import load_settings
from talkingface.errors import TalkingFaceError
from talkingface.paths import CLONE, default_checkpoint_root, shipped
from talkingface.weights import load_catalogue

PAGE = CLONE / "docs" / "from-other-programs.md"
SCRIPTS = {
    "crop-video.py": "crop_video",
    "crop_vox.py": "crop_vox",
    "extract_kp_videos.py": "extract_landmarks",
    "face_recon_videos.py": "extract_3dmm",
    "scripts/prepare_vox_lmdb.py": "prepare_lmdb",
}
SAMPLE = shipped("dataset", "sample")
PICTURE, VIDEO = SAMPLE / "source.png", SAMPLE / "driving.mp4"
MEDIA = {"me.png": PICTURE, "horse.png": PICTURE, "talk.mp4": VIDEO, "voice.wav": VIDEO, "horse.gif": VIDEO}
MEDIA["dance.mp4"] = VIDEO
NEEDS_MORE = re.compile("--enhancer|--landmarks|=optimize")  # packages, files, or minutes
OFFICIAL = re.compile("--variant=(?!compact)|--checkpoint=(?!fom_compact)|--attribute_edit|--run_mode")


def rows() -> list[tuple[str, str, str]]:
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `python ")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return [(row[0].strip("` "), row[1].strip("` "), " ".join(row[2:]).strip("| ")) for row in cells]


def flags_of(command: str) -> list[str]:
    """The words after the program; launchers and their own flags are left out."""
    words = shlex.split(command)
    program = max(place for place, word in enumerate(words[:6]) if word.endswith(".py") or word == "talkingface")
    return words[program + 1 :]


def added(known: str) -> list[str]:
    match = re.match(r"add `([^`]+)`", known)
    return shlex.split(match[1]) if match else []


def values(flags: list[str]) -> dict[str, Any]:
    settings = load_settings(flags)
    found = settings.model_dump(exclude={"config"})
    found["checkpoint"] = found["checkpoint"] and load_catalogue().name_of(found["checkpoint"])
    return found


COMMANDS = [row for row in rows() if "python scripts/" not in row[1]]
OF_SCRIPTS = [row for row in rows() if "python scripts/" in row[1]]


def test_the_page_has_the_commands_of_all_programs() -> None:
    assert len(COMMANDS) >= 30 and len(OF_SCRIPTS) >= 5
    headings = re.findall(r"^## (.+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[:5] == ["First Order Motion Model", "PaddleGAN", "StyleHEAT", "SadTalker", "LivePortrait"]


@pytest.mark.parametrize(("old", "new", "known"), COMMANDS)
def test_an_old_command_and_its_translation_give_the_same_settings(old: str, new: str, known: str) -> None:
    assert values(flags_of(old) + added(known)) == values(flags_of(new))


@pytest.mark.parametrize(("old", "new", "known"), [row for row in COMMANDS if not NEEDS_MORE.search(row[1])])
def test_it_runs_or_says_which_files_it_needs(
    old: str, new: str, known: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    words = [_placed(word) for word in [*flags_of(old), *added(known)]]
    _bring_face_mesh(tmp_path, needed="--model" in new)
    status = main(
        [
            *words,
            f"--checkpoint_root={tmp_path}",
            f"--frame_limit={20 if '--best_frame' in words else 1}",
            "--threads=1",
            "--compile=off",
        ]
    )
    out = capsys.readouterr()
    if OFFICIAL.search(new):
        errors = [line for line in out.err.splitlines() if line.startswith("error: ")]
        assert status == 2 and errors, out.err
        assert all(re.search("--checkpoint=|--dataset=|no such weight file", line) for line in errors), out.err
    else:
        assert status == 0, out.err
        assert Path(out.out.splitlines()[-1]).is_file()


def _bring_face_mesh(root: Path, *, needed: bool) -> None:
    """Put the landmark files that may be there into a weights folder without official weights."""
    files = default_checkpoint_root() / "mediapipe"
    if files.is_dir() and importlib.util.find_spec("ai_edge_litert") is not None:
        (root / "mediapipe").symlink_to(files)
    elif needed:
        pytest.skip("the face mesh is not here: --run_mode=fetch")


def _placed(word: str) -> str:
    name, equals, value = word.rpartition("=")
    return f"{name}{equals}{MEDIA[value]}" if value in MEDIA else word


@pytest.mark.parametrize(("old", "new", "known"), OF_SCRIPTS)
def test_scripts_take_the_old_flags(old: str, new: str, known: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name = SCRIPTS[next(word for word in shlex.split(old) if word.endswith(".py"))]
    assert f"python scripts/{name}.py" in new
    taken = [_parsed(_script(name), flags_of(command), monkeypatch) for command in (old, new)]
    published = {"name", "epoch", "model"}
    assert {key: value for key, value in taken[0].items() if key not in published} == {
        key: value for key, value in taken[1].items() if key not in published
    }


class _TakenError(Exception):
    """Carries the arguments that a script has read, before it works on them."""


def _parsed(module: ModuleType, words: list[str], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    parser_class = module.argparse.ArgumentParser
    parse = parser_class.parse_args

    def stop(self: Any, argv: Any = None) -> None:
        raise _TakenError(vars(parse(self, argv)))

    with monkeypatch.context() as patched, pytest.raises(_TakenError) as taken:
        patched.setattr(parser_class, "parse_args", stop)
        module.main(words)
    values: dict[str, Any] = taken.value.args[0]
    return values


def _script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, CLONE / "scripts" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


FOM_FILE = """\
dataset_params:
  root_dir: data/vox-png
  frame_shape: [128, 128, 3]
  augmentation_params: {flip_param: {horizontal_flip: false}, jitter_param: {hue: 0.2}}
model_params:
  common_params: {num_kp: 12, num_channels: 3, estimate_jacobian: true}
train_params: {num_epochs: 7, num_repeats: 3, batch_size: 5, epoch_milestones: [2], lr_generator: 1.0e-4}
animate_params: {num_pairs: 5}
"""


def test_a_published_configuration_that_is_there_is_read(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(FOM_FILE)
    settings = load_settings([f"--config={file}"])
    assert (settings.model, settings.run_mode, settings.data.root) == ("FOM", "train", Path("data/vox-png"))
    assert settings.model_params["common_params"]["num_kp"] == 12 and settings.model_params["image_size"] == 128
    train = settings.train
    assert (train.epochs, train.repeats, train.batch_size, train.milestones) == (7, 3, 5, [2])
    assert train.augment.hue == 0.2 and not train.augment.horizontal_flip
    assert settings.notes == [f"--config {file} is a published one: read as --model=FOM --dataset=data/vox-png"]
    named = tmp_path / "vox-adv-256.yaml"
    named.write_text(FOM_FILE)
    assert load_settings([f"--config={named}", "--dataset=sample"]).variant == "vox-adv-256"
    assert load_settings([f"--config={named}", "--dataset=sample"]).dataset == "sample"


@pytest.mark.parametrize(
    ("text", "variant"),
    [
        ("model: {mode: inference, enable_audio: false, free_styler_path: a.pt}\ndata:\n", None),
        (
            "model: {mode: train_video_warper}\ntrainer: {type: t}\nmax_epoch: 9\ndata: {path: my/lmdb}\n",
            "video_warper",
        ),
    ],
)
def test_styleheats_files_are_known_by_what_is_in_them(tmp_path: Path, text: str, variant: str | None) -> None:
    file = tmp_path / "renamed.yaml"
    file.write_text(text)
    settings = load_settings([f"--config={file}", "--run_mode=train", "--dataset=sample"])
    assert settings.model == "StyleHeat" and settings.variant in (variant, "compact")
    assert variant is None or settings.train.epochs == 9


@pytest.mark.parametrize(
    "text",
    [
        "dataset_params: {}\nmodel_params: {mapping_params: {}}\n",
        "model: {name: FirstOrderModel}\n",
        "model: {mode: other}\n",
        "train_params: 3\n",
    ],
)
def test_other_layouts_are_one_line(tmp_path: Path, text: str) -> None:
    file = tmp_path / "other.yaml"
    file.write_text(text)
    with pytest.raises(TalkingFaceError) as error:
        load_settings([f"--config={file}"])
    assert str(error.value).startswith(f"{file}: ") and "\n" not in str(error.value)
