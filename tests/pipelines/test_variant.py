"""Variants and weights that do not belong together: one line that says so, in place of names of keys."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from talkingface.config import load_settings, save_settings
from talkingface.config.model import params_beside_variant
from talkingface.errors import WeightsError
from talkingface.pipelines.model import load_plugin

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            "--variant=vox-256 --checkpoint=fom_compact",
            "fom_compact: has the structure of variant compact, not of vox-256. Give --variant=compact, or leave "
            "--checkpoint out.",
        ),
        (
            "--model_params.common_params.num_kp=4",
            "fom_compact: has another structure than model_params of --model_params.common_params.num_kp. Name the "
            "weights that belong to these settings with --checkpoint.",
        ),
    ],
)
def test_weights_of_another_structure_are_told_without_keys(tmp_path: Path, words: str, line: str) -> None:
    with pytest.raises(WeightsError) as error:
        load_plugin(load_settings([*words.split(), f"--checkpoint_root={tmp_path}"]), CPU)
    assert str(error.value) == line


def test_weights_of_the_variant_know_their_own_structure(tmp_path: Path) -> None:
    plugin, label = load_plugin(load_settings(["--variant=compact", f"--checkpoint_root={tmp_path}"]), CPU)
    assert label.startswith("weights: fom_compact (shipped") and plugin.name == "FOM"


def test_saved_settings_of_a_variant_repeat_its_run(tmp_path: Path) -> None:
    saved = save_settings(load_settings(["--variant=compact"]), tmp_path / "settings.yaml")
    load_plugin(load_settings([f"--config={saved}", f"--checkpoint_root={tmp_path}"]), CPU)


def test_settings_beside_the_variant_stay() -> None:
    settings = load_settings(["--variant=vox-256", "--model_params.generator_params.max_features=64"])
    assert params_beside_variant(settings) == {"generator_params": {"max_features": 64}}
