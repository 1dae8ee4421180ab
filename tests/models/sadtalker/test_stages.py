"""The stages of training: what they learn, that they resume exactly, and that they follow each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from talkingface.data import Batches, ClipStore, open_store
from talkingface.data.features import FeatureOptions, add_features
from talkingface.errors import ConfigError, TrainingError, WeightsError
from talkingface.models.sadtalker.config import FACTS
from talkingface.models.sadtalker.networks.mapping import HeadMotion
from talkingface.models.sadtalker.plugin import ARCHITECTURES, SadTalker
from talkingface.models.sadtalker.training.expression import CLOSED, ExpressionShape
from talkingface.models.sadtalker.training.pictures import head_pose, separation
from talkingface.models.sadtalker.training.sound import sound_of, windows_of
from talkingface.models.sadtalker.voice.mel import FRAME_SAMPLES, mel_windows
from talkingface.paths import shipped
from talkingface.train import Trainer, TrainSettings
from talkingface.train.state import find
from talkingface.train.step import freeze_others

from .small import COMPACT, PUBLISHED, plugin_of

SAMPLE = shipped("dataset", "sample")
STAGES = [
    pytest.param(COMPACT, "expression", id="compact-expression"),
    pytest.param(COMPACT, "pose", id="compact-pose"),
    pytest.param(PUBLISHED, "render", id="published-render"),
]
EVERY = [
    *STAGES,
    *(pytest.param(PUBLISHED, stage, id=f"published-{stage}") for stage in ("expression", "pose", "mapping")),
    *(pytest.param(COMPACT, stage, id=f"compact-{stage}") for stage in ("mapping", "render")),
]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def store_of(plugin: SadTalker, cache: Path, split: str = "train") -> ClipStore:
    store = open_store(SAMPLE / "lmdb", split, size=64)
    return add_features(store, plugin.samples(), FeatureOptions(folder=cache, sound=SAMPLE, workers=1))


def batch_of(plugin: SadTalker, cache: Path, size: int = 2) -> dict[str, Tensor]:
    return Batches(store_of(plugin, cache), plugin.samples(), batch_size=size, image_size=64)[0]


def quick(stage: str, **changes: Any) -> TrainSettings:
    values = {
        "stage": stage, "image_size": 64, "batch_size": 2, "workers": 0, "log_every": 1, "tensorboard": False,
        "validate_batches": 1, "ema_decay": 0.9, "image_every": 1000, "validate_every": 2,
    }  # fmt: skip
    return TrainSettings.model_validate({**values, **changes})


def train(params: dict[str, Any], stage: str, cache: Path, folder: Path, seed: int = 0, **changes: Any) -> SadTalker:
    plugin = plugin_of(params, stage, seed)
    validation = store_of(plugin, cache, "test") if stage == "pose" else None
    Trainer(plugin, store_of(plugin, cache), quick(stage, **changes), folder, validation=validation).run()
    return plugin


def of_state(folder: Path, name: str) -> dict[str, Tensor]:
    found = find(folder)
    assert found is not None
    return load_file(found / f"{name}.safetensors")


@pytest.mark.parametrize(("params", "stage"), STAGES)
def test_a_resumed_stage_gives_the_same_bits(params: dict[str, Any], stage: str, cache: Path, tmp_path: Path) -> None:
    train(params, stage, cache, tmp_path / "whole", max_steps=2)
    train(params, stage, cache, tmp_path / "parts", max_steps=1)
    train(params, stage, cache, tmp_path / "parts", seed=5, max_steps=2, resume="auto")
    for name in ("networks", "average", "optimizers"):
        one, other = (of_state(tmp_path / part, name) for part in ("whole", "parts"))
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one), name


def test_stages_follow_each_other(cache: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="looks through kp_extractor, generator, he_estimator"):
        train(PUBLISHED, "mapping", cache, tmp_path / "alone", max_steps=1)
    train(PUBLISHED, "render", cache, tmp_path / "render", max_steps=1)
    plugin = train(
        PUBLISHED, "mapping", cache, tmp_path / "mapping", seed=3, max_steps=1, init_from=tmp_path / "render"
    )
    before, after = (of_state(tmp_path / name, "networks") for name in ("render", "mapping"))
    changed = {key.split("/")[0] for key in before.keys() & after.keys() if not torch.equal(before[key], after[key])}
    assert changed == {"mapping"}, "batch statistics of the renderer stay as they are too"
    exported = load_file(tmp_path / "mapping" / "export" / "last.safetensors")
    assert {key.split(".")[0] for key in exported} == set(plugin.inference_networks)
    with pytest.raises(TrainingError, match=r"the phases .*begin a new run with --train\.init_from"):
        train(PUBLISHED, "mapping", cache, tmp_path / "render", max_steps=2, resume="auto")


@pytest.mark.parametrize(("params", "stage"), EVERY)
def test_gradients_reach_what_a_stage_trains_and_nothing_else(params: dict[str, Any], stage: str, cache: Path) -> None:
    plugin = plugin_of(params, stage)
    batch = batch_of(plugin, cache)
    every = {id(parameter) for parameter in plugin.networks.parameters()}
    for phase in plugin.phases(quick(stage)):
        every |= {id(parameter) for parameter in plugin.networks.parameters()}
        freeze_others(plugin.networks, phase, every)
        plugin.networks.train().zero_grad()
        torch.stack(list(phase.loss(batch).values())).sum().backward()
        own = {id(p) for name in phase.networks for p in plugin.networks.get_submodule(name).parameters()}
        for key, parameter in plugin.networks.named_parameters():
            reached = parameter.grad is not None and bool(parameter.grad.isfinite().all())
            assert reached == (id(parameter) in own), f"{phase.name}: {key}"


def test_the_expression_stage_learns(cache: Path) -> None:
    plugin = plugin_of(COMPACT, "expression")
    batch, (phase,) = batch_of(plugin, cache, 4), plugin.phases(quick("expression"))
    optimizer = phase.optimizer(plugin.networks["audio2exp"].parameters())
    plugin.networks.eval()  # no dropout: the loss of one batch can go down to nothing
    before = plugin.validate(batch)[0]
    for group in optimizer.param_groups:
        group["lr"] = 5e-3
    for _ in range(150):
        optimizer.zero_grad()
        torch.stack(list(phase.loss(batch).values())).sum().backward()
        optimizer.step()
    after = plugin.validate(batch)[0]
    assert after["l1"] < 0.5 * before["l1"]
    assert after["mouth_error"] < 0.5 * before["mouth_error"]
    assert after["mouth_correlation"] > 0.9


def test_without_the_space_mesh_coefficients_alone_are_compared(cache: Path) -> None:
    plugin = plugin_of({**PUBLISHED, "trained_in": "bfm"}, "expression")
    batch, (phase,) = batch_of(plugin, cache), plugin.phases(quick("expression"))
    assert {"coefficients", "velocity"} <= set(phase.loss(batch))
    assert not {"mouth", "eyes"} & set(phase.loss(batch))
    assert set(plugin.networks.eval() and plugin.validate(batch)[0]) == {"l1"}


def test_a_stage_says_what_it_lacks() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'expression'"):
        plugin_of(COMPACT, "expresion")
    plugin = plugin_of({**PUBLISHED, "train_params": {}}, "render")
    with pytest.raises(WeightsError, match="perceptual=0"):
        plugin.phases(quick("render"))
    assert set(plugin.auxiliary(quick("render"))) == {"vgg19"}
    with pytest.raises(ConfigError, match=r"'render\.mouth'"):
        plugin.phases(quick("render", loss_weights={"mouth": 1, "perceptual": 0}))


def test_the_ratio_of_the_eyes_and_their_opening_are_inverse() -> None:
    shape = ExpressionShape()
    reference = torch.zeros(1, 64)
    ratio = torch.tensor([0.0, 0.4, 1.0])
    opening = shape.wanted_lids(ratio, reference.expand(3, -1))
    assert opening[0] == pytest.approx(shape.awake, rel=1e-5)
    assert opening[2] == pytest.approx(CLOSED * shape.awake, rel=1e-5)
    assert shape.closed(reference, reference).item() == 0


def test_windows_of_a_batch_are_those_of_the_whole_sound() -> None:
    wave = torch.randn(40 * FRAME_SAMPLES, generator=torch.Generator().manual_seed(0)) / 10
    part, first = sound_of("clip", 0, 4), 13
    piece = wave[(first + part.start) * FRAME_SAMPLES : (first + part.stop) * FRAME_SAMPLES]
    # The piece begins with moment 10: there, and at all multiples of five, moments and mel columns meet.
    assert torch.equal(windows_of(piece[None], 4)[0], mel_windows(wave)[first : first + 4, 0])


def test_head_angles_are_compared_in_the_axes_of_the_keypoints() -> None:
    bins = torch.full((1, 66), -50.0)
    peak = lambda degrees: bins.index_fill(1, torch.tensor([(degrees + 99) // 3]), 50.0)  # noqa: E731
    motion = HeadMotion(peak(30), peak(-12), peak(9), torch.zeros(1, 3), torch.zeros(1, 12))
    rows = torch.zeros(1, 70)
    rows[0, 64:67] = torch.deg2rad(torch.tensor([12.0, 30.0, -9.0]))  # pitch, yaw, roll
    assert head_pose(motion, rows).item() == pytest.approx(0, abs=1e-5)
    rows[0, 64] = 0
    assert head_pose(motion, rows).item() == pytest.approx(torch.deg2rad(torch.tensor(12.0)).item(), rel=1e-4)


def test_keypoints_that_lie_together_are_pushed_apart() -> None:
    apart = torch.tensor([[[-0.5, 0.0, 0.33], [0.5, 0.0, 0.33]]])
    assert separation(apart).item() == pytest.approx(0, abs=1e-6)
    assert separation(apart * torch.tensor([0.1, 1, 1])).item() == pytest.approx(2 * (0.1 - 0.01), rel=1e-4)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_settings_know_the_stages_without_networks(name: str) -> None:
    stages = list(ARCHITECTURES[name].stages)
    assert list(FACTS[name].groups) == stages == [stage for stage in SadTalker.stages if stage in stages]
    assert ("render" in stages) == (name != "mixed")  # its renderer is trained by a recipe
