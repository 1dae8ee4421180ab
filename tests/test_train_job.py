"""The training job: what it hands to a model before training."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from talkingface import registry
from talkingface.cli import main
from talkingface.config import model_config, settings_from
from talkingface.errors import WeightsError
from talkingface.jobs.train import build_plugin, load_auxiliary
from talkingface.nn.losses.perceptual import VGG19
from talkingface.train.checkpoints import export
from talkingface.weights import load_catalogue


def plugin_of(settings):
    return registry.model(settings.model)(model_config(settings))


def settings_in(root: Path):
    return settings_from({"model": "FOM", "variant": "vox-256", "checkpoint_root": str(root)})


def test_the_model_says_how_to_do_without_vgg19(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    plugin = plugin_of(settings)
    load_auxiliary(plugin, settings)
    with pytest.raises(WeightsError, match="perceptual=0"):
        plugin.phases(settings.train)


def test_vgg19_is_loaded_from_the_checkpoint_folder(tmp_path: Path) -> None:
    torch.manual_seed(0)
    deepest = {"features.34.weight": torch.zeros(512, 512, 3, 3), "features.34.bias": torch.zeros(512)}
    torch.save({**VGG19().state_dict(), **deepest}, load_catalogue()["vgg19"].path(tmp_path))
    settings = settings_in(tmp_path)
    plugin = plugin_of(settings)
    load_auxiliary(plugin, settings)
    assert [phase.name for phase in plugin.phases(settings.train)] == ["generator"]


def test_training_begins_with_the_weights_of_a_checkpoint(tmp_path: Path) -> None:
    small = {"architecture": "compact", "compact_params": {"detector_widths": [8, 8], "motion_widths": [8, 8]}}
    settings = settings_from({"model": "FOM", "model_params": small})
    plugin, held = build_plugin(settings)
    assert held == []
    states = {"kp_detector": plugin.networks["kp_detector"].state_dict()}
    path = export(tmp_path / "detector.safetensors", plugin, states, "float32", {})
    other, held = build_plugin(settings_from({"model": "FOM", "checkpoint": str(path)}))
    assert held == ["kp_detector"], "the generator is new"
    for key, value in other.networks["kp_detector"].state_dict().items():
        assert torch.equal(value, states["kp_detector"][key]), key


def test_a_used_run_folder_is_refused_before_anything_is_built(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tmp_path / "states" / "step-00000001"
    state.mkdir(parents=True)
    (state / "state.json").write_text("{}")
    words = ["--run_mode=train", "--dataset=sample", f"--output_dir={tmp_path}"]
    assert main(words) == 2
    (errors,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert all(way in errors for way in ("--train.resume=auto", "--output_dir", "--overwrite"))
    assert main([*words, "--train.resume=auto"]) == 2
    assert "the state is damaged" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir() if path.name == "states"] == ["states"]
