"""Layers of files and flags: which wins, where a value came from, and how a file's mistakes are reported."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from talkingface.config import describe, load_settings, model_config, save_settings, settings_from
from talkingface.config.options import options
from talkingface.config.schema import Settings
from talkingface.config.yaml_file import read_layer, read_yaml
from talkingface.errors import ConfigError, UnknownNameError
from talkingface.paths import shipped


def write(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_flags_win_over_later_files_over_earlier_ones(tmp_path: Path) -> None:
    one = write(tmp_path / "one.yaml", "frame_limit: 1\nfps: 10\nbatch_size: 2\ntrain: {epochs: 5, max_steps: 7}\n")
    two = write(tmp_path / "two.yaml", "fps: 20\ntrain: {epochs: 6}\n")
    settings = load_settings(["--batch_size=3", "--config", one, two])
    assert (settings.frame_limit, settings.fps, settings.batch_size) == (1, 20, 3)
    assert (settings.train.epochs, settings.train.max_steps) == (6, 7)
    origins = [settings.origin(key) for key in ("frame_limit", "fps", "batch_size", "train.epochs", "seed", "model")]
    overall = str(shipped("properties", "overall.yaml"))
    assert origins == [one, two, "--batch_size", two, "default", overall]


def test_config_may_be_given_several_times(tmp_path: Path) -> None:
    files = [write(tmp_path / f"{name}.yaml", f"seed: {name}\n") for name in (1, 2)]
    assert load_settings([f"--config={files[0]}", f"--config={files[1]}"]).seed == 2
    assert load_settings([f"--config={files[1]}", f"--config={files[0]}"]).seed == 1


def test_a_file_may_choose_model_variant_and_data_set(tmp_path: Path) -> None:
    path = write(tmp_path / "run.yaml", "dataset: sample\n")
    settings = load_settings(["--config", path])
    assert settings.data.root == shipped("dataset", "sample")
    assert settings.origin("data.root") == str(shipped("properties", "dataset", "sample.yaml"))


def test_a_folder_is_a_data_set(tmp_path: Path) -> None:
    settings = load_settings([f"--dataset={tmp_path}"])
    assert settings.data.root == tmp_path
    assert settings.origin("data.root") == f"--dataset={tmp_path}"


def test_numbers_that_yaml_reads_as_text_become_numbers(tmp_path: Path) -> None:
    path = write(tmp_path / "a.yaml", "train: {learning_rate: 1e-4}\n")
    assert isinstance(read_yaml(Path(path))["train"]["learning_rate"], str)
    assert load_settings(["--config", path]).train.learning_rate == 1e-4


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("frame_limt: 3\n", "{path}: unknown key 'frame_limt'. Did you mean 'frame_limit'?"),
        ("train: {epoch: 3}\n", "{path}: unknown key 'train.epoch'. Did you mean 'epochs'?"),
        ("train: 3\n", "{path}: 'train' is a group of settings."),
        ("seed: {a: 1}\n", "{path}: seed: "),
        ("batch_size: many\n", "{path}: batch_size: 'many' should be a valid integer"),
        ("run_mode: trian\n", "{path}: run_mode: 'trian' is no choice. Did you mean 'train'?"),
        ("seed: 1\nseed: 2\n", "{path}, line 2: key 'seed' stands twice."),
        ("train:\n  epochs: 1\n  epochs: 1\n", "{path}, line 3: key 'epochs' stands twice."),
        ("- 1\n", "{path}: holds no settings."),
        ("a: [1\n", "{path}, line 2: is not YAML: "),
        (
            "seed: !!python/object/apply:os.getcwd []\n",
            "{path}, line 1: the tag '!!python/object/apply:",
        ),
        ("dataset_params: 3\n", "{path}: 'dataset_params' has to be a mapping of keys"),
        (
            "model_params: {common_params: {num_kq: 1}}\n",
            "{path}: model_params.common_params.num_kq: unknown key. Did y",
        ),
        ("model_params: {align_corners: 7}\n", "{path}: model_params.align_corners: '7' should be a valid boolean"),
    ],
)
def test_mistakes_in_files_name_the_file(tmp_path: Path, text: str, line: str) -> None:
    path = write(tmp_path / "bad.yaml", text)
    with pytest.raises(ConfigError) as error:
        load_settings(["--config", path])
    assert str(error.value).startswith(line.format(path=path))


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such settings file"):
        load_settings([f"--config={tmp_path / 'none.yaml'}"])
    with pytest.raises(ConfigError, match="no such settings file"):
        load_settings([f"--config={'a' * 300}.yaml"])


@pytest.mark.parametrize(
    ("flag", "near"),
    [
        ("--model=FON", "Did you mean 'FOM'"),
        ("--dataset=sampel", "'sample'"),
        ("--variant=no-such", "FOM has no variant"),
    ],
)
def test_unknown_names_are_reported_with_the_nearest(flag: str, near: str) -> None:
    with pytest.raises(UnknownNameError) as error:
        load_settings([flag])
    assert near in str(error.value)


def test_saved_settings_repeat_the_run(tmp_path: Path) -> None:
    words = ["--fps=30000/1001", "--train.milestones=1,2", "--train.loss_weights.perceptual=1,2", "--quality=7",
             "--model_params.common_params.num_kp=5", "--image_source=a b.png"]  # fmt: skip
    first = load_settings(words)
    path = save_settings(first, tmp_path / "deep" / "run.yaml")
    second = load_settings(["--config", str(path)])
    assert second.model_dump(exclude={"config"}) == first.model_dump(exclude={"config"})
    assert second.origin("fps") == str(path)
    assert yaml.safe_load(path.read_text())["model_params"] == {"common_params": {"num_kp": 5}}
    assert not list(path.parent.glob("*.part"))


def test_print_config_has_every_value_with_its_origin() -> None:
    lines = describe(load_settings(["--seed=4"])).splitlines()
    keys = [line.partition(": ")[0] for line in lines]
    assert [key for key in options() if key != "model_params"] == keys[: len(options()) - 1]
    assert "seed: 4  # --seed" in lines
    assert "batch_size: 4  # default" in lines
    assert any(line.startswith("model_params.common_params.num_kp: 10  # default of FOM") for line in lines)


def test_library_calls_take_nested_and_dotted_settings() -> None:
    settings = settings_from({"train": {"max_steps": 3}, "evaluate.max_clips": 2, "fps": "25/2", "image_source": "a"})
    assert (settings.train.max_steps, settings.evaluate.max_clips, settings.fps) == (3, 2, 12.5)
    assert settings.origin("fps") == "argument fps"
    with pytest.raises(ConfigError, match="Did you mean 'frame_limit'"):
        settings_from({"frame_limt": 3})


def test_the_users_model_settings_win_over_those_of_the_weights() -> None:
    base = {"common_params": {"num_kp": 15, "estimate_jacobian": False}}
    config = model_config(load_settings(["--model_params.common_params.num_kp=5"]), base)
    assert (config.common_params.num_kp, config.common_params.estimate_jacobian) == (5, False)


@pytest.mark.parametrize("path", sorted(shipped("properties", "model").rglob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_model_files_are_valid(path: Path) -> None:
    read_layer(path)
    model = path.stem if path.parent.name == "model" else path.parent.name
    variant = [] if path.parent.name == "model" else [f"--variant={path.stem}"]
    settings = load_settings([f"--model={model}", *variant])
    model_config(settings)


@pytest.mark.parametrize("path", sorted(shipped("properties", "dataset").glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_data_set_files_are_valid(path: Path) -> None:
    assert load_settings([f"--dataset={path.stem}"]).data.root is not None


def test_every_setting_has_a_meaning() -> None:
    assert [key for key, option in options().items() if not option.meaning] == []
    assert set(Settings.model_fields) <= {key.split(".")[0] for key in options()}
