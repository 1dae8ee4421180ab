"""Groups of parameters, the score that keeps weights, and the words about an experiment."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from talkingface.config import load_settings
from talkingface.data import open_store
from talkingface.errors import ConfigError
from talkingface.models.base import ModelPlugin
from talkingface.train import Trainer, TrainSettings

from .tiny import Tiny, quick, write_clips


def trainer(tmp_path: Path, settings: TrainSettings, plugin: ModelPlugin | None = None) -> Trainer:
    store = open_store(write_clips(tmp_path / "clips"))
    return Trainer(plugin or Tiny(), store, settings, tmp_path / "run", validation=store)


def test_dots_of_patterns_are_no_borders_between_settings() -> None:
    words = ["--dataset=sample", "--train.groups.generator.final.*.learning_rate=1e-5"]
    groups = load_settings([*words, "--train.groups.*.bias.weight_decay=0"]).train.groups
    assert groups["generator.final.*"].learning_rate == 1e-5 and groups["*.bias"].weight_decay == 0
    assert TrainSettings(groups={"a.b": {"learning_rate": 1}}).groups["a.b"].learning_rate == 1


def test_a_pattern_gives_its_parameters_another_rate_and_the_last_one_counts(tmp_path: Path) -> None:
    groups = {"painter.*": {"learning_rate": 0}, "painter.last.*": {"learning_rate": 1e-2}}
    groups["encoder.*.bias"] = {"weight_decay": 0.5}
    plugin = Tiny()
    begun = {name: value.detach().clone() for name, value in plugin.networks.named_parameters()}
    own = trainer(tmp_path, quick(groups=groups, max_steps=2), plugin)
    found = own._optimizers["generator"].param_groups
    assert sum(len(group["params"]) for group in found) == len(list(plugin.networks["encoder"].parameters())) + 6
    assert {group["weight_decay"] for group in found if all(p.ndim == 1 for p in group["params"])} >= {0.5}
    own.run()
    changed = {name for name, value in plugin.networks.named_parameters() if not torch.equal(value, begun[name])}
    assert "painter.first.0.weight" not in changed and {"painter.last.weight", "encoder.0.weight"} <= changed


def test_a_pattern_without_a_parameter_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"painter\.lost") as caught:
        trainer(tmp_path, quick(groups={"painter.lost.*": {"learning_rate": 1}}))
    assert "painter.last" in str(caught.value)


def test_the_best_state_is_that_of_a_metric_in_its_own_direction(tmp_path: Path) -> None:
    result = trainer(tmp_path, quick(best_score="psnr", validate_every=1, max_steps=5)).run()
    entries = [json.loads(line) for line in (tmp_path / "run" / "scalars.jsonl").read_text().splitlines()]
    scores = {entry["step"]: entry["psnr"] for entry in entries if entry["group"] == "validation"}
    best = max(scores, key=lambda step: scores[step])
    assert len(set(scores.values())) > 1 and result.score == pytest.approx(scores[best], rel=1e-5)
    state = json.loads((tmp_path / "run" / "states" / f"step-{best:08d}" / "state.json").read_text())
    assert state["best"][1] == f"step-{best:08d}"
    assert load_file(tmp_path / "run" / "export" / "best.safetensors")


def test_a_metric_of_movements_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="single frames"):
        trainer(tmp_path, quick(best_score="flicker", validate_every=1)).run()


def test_name_and_note_are_in_the_log(tmp_path: Path) -> None:
    trainer(tmp_path, quick(name="wide", note="twice the\nchannels", max_steps=1)).run()
    assert "experiment: wide: twice the channels" in (tmp_path / "run" / "train.log").read_text()
