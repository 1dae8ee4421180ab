"""The training loop on a small real model: it learns, resumes exactly, stops in order, and saves what it says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from talkingface.data import open_store
from talkingface.errors import ConfigError, TrainingError
from talkingface.models.base import Phase
from talkingface.train import Trainer
from talkingface.train.state import find, read_facts, saved
from talkingface.train.step import PhaseStep
from talkingface.weights.load import load_networks

from .test_processes import JudgeOnly
from .tiny import Tiny, quick, write_clips


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clips(tmp_path_factory.mktemp("clips"))


def weights(plugin: Tiny) -> dict[str, Tensor]:
    return {key: value.clone() for key, value in plugin.networks.state_dict().items()}


def run(clips: Path, folder: Path, plugin: Tiny | None = None, *, validate: bool = False, **changes: object) -> Tiny:
    plugin = plugin or Tiny()
    store = open_store(clips)
    Trainer(plugin, store, quick(**changes), folder, validation=store if validate else None).run()
    return plugin


def test_it_learns(clips: Path, tmp_path: Path) -> None:
    run(clips, tmp_path, max_steps=120, validate=True, validate_every=40)
    lines = [json.loads(line) for line in (tmp_path / "scalars.jsonl").read_text().splitlines()]
    scores = [line["l1"] for line in lines if line["group"] == "validation"]
    losses = [line["generator/l1"] for line in lines if line["group"] == "train"]
    assert len(scores) == 3
    assert scores[-1] < 0.5 * losses[0] / 10
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize("workers", [0, 1])
def test_a_resumed_run_gives_the_same_bits(clips: Path, tmp_path: Path, workers: int) -> None:
    whole = run(clips, tmp_path / "whole", max_steps=7, validate=True, validate_every=2)
    run(clips, tmp_path / "parts", max_steps=3, schedule="milestones", workers=workers)
    parts = run(clips, tmp_path / "parts", Tiny(seed=5), max_steps=7, resume="auto", workers=workers)
    assert weights(whole).keys() == weights(parts).keys()
    assert all(torch.equal(value, weights(parts)[key]) for key, value in weights(whole).items())
    for name in ("networks", "average", "optimizers"):
        files = [tmp_path / part / "states" / "step-00000007" / f"{name}.safetensors" for part in ("whole", "parts")]
        one, other = map(load_file, files)
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one), name


def test_another_seed_gives_other_weights(clips: Path, tmp_path: Path) -> None:
    one, other = run(clips, tmp_path / "a", max_steps=2), run(clips, tmp_path / "b", max_steps=2, seed=1)
    assert not all(torch.equal(value, weights(other)[key]) for key, value in weights(one).items())


def test_each_phase_moves_its_own_networks_only(clips: Path, tmp_path: Path) -> None:
    before, plugin = weights(Tiny()), Tiny()
    phases = plugin.phases
    plugin.phases = lambda train: phases(train)[1:]  # type: ignore[method-assign]
    plugin._painted = torch.zeros(4, 3, 16, 16)
    run(clips, tmp_path, plugin, max_steps=2)
    moved = {key.split(".")[0] for key, value in weights(plugin).items() if not torch.equal(value, before[key])}
    assert moved == {"discriminator"}


def test_a_loss_that_is_not_finite_stops_and_saves_nothing(clips: Path, tmp_path: Path) -> None:
    plugin = Tiny()
    run(clips, tmp_path, plugin, max_steps=2)
    with torch.no_grad():
        plugin.networks["painter"].last.bias.fill_(float("nan"))
    trainer = Trainer(plugin, open_store(clips), quick(max_steps=9), tmp_path)
    with pytest.raises(TrainingError, match="'l1' is nan"):
        trainer.run()
    assert [state.name for state in saved(tmp_path / "states")] == ["step-00000002"]


def test_it_keeps_the_newest_states_and_the_best(clips: Path, tmp_path: Path) -> None:
    settings = {"max_steps": 8, "checkpoint_every_s": 1e-6, "keep_last": 2, "validate_every": 1, "learning_rate": 1e-9}
    store = open_store(clips)
    result = Trainer(Tiny(), store, quick(**settings), tmp_path, validation=store).run()
    best = read_facts(result.state)["best"][1]
    assert {path.name for path in saved(tmp_path / "states")} == {best, "step-00000007", "step-00000008"}
    assert result.best is not None and result.best.is_file()


def test_a_signal_saves_before_leaving(clips: Path, tmp_path: Path) -> None:
    plugin = Tiny()
    judge = plugin._judge

    def interrupted(batch: dict[str, Tensor]) -> dict[str, Tensor]:
        if trainer.step == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return judge(batch)

    plugin._judge = interrupted  # type: ignore[method-assign]
    trainer = Trainer(plugin, open_store(clips), quick(max_steps=50), tmp_path)
    result = trainer.run()
    assert (result.step, result.reason) == (3, "SIGTERM")
    assert find(tmp_path) == result.state
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_time_is_a_budget(clips: Path, tmp_path: Path) -> None:
    result = Trainer(Tiny(), open_store(clips), quick(max_steps=10**6, max_seconds=0.3), tmp_path).run()
    assert result.reason == "time is up"
    assert read_facts(result.state)["step"] == result.step


def test_the_exported_weights_are_the_average_and_load(clips: Path, tmp_path: Path) -> None:
    plugin = run(clips, tmp_path, max_steps=4)
    exported = load_networks(tmp_path / "export" / "last.safetensors", model="Tiny")
    assert set(exported.states) == {"encoder", "painter"}
    assert json.loads(exported.metadata["config"]) == {"width": 8, "size": 16}
    average = load_file(find(tmp_path) / "average.safetensors")
    assert torch.equal(exported.states["painter"]["last.weight"], average["painter/last.weight"])
    assert not torch.equal(exported.states["painter"]["last.weight"], plugin.networks["painter"].last.weight)


def test_weights_of_another_run_at_another_size(clips: Path, tmp_path: Path) -> None:
    small = run(clips, tmp_path / "small", max_steps=2)
    large = Tiny(seed=9)
    trainer = Trainer(large, open_store(clips), quick(image_size=32, init_from=tmp_path / "small"), tmp_path / "large")
    assert all(torch.equal(value, weights(large)[key]) for key, value in weights(small).items())
    assert trainer.run().step == 6
    tuned = Tiny(seed=9)
    file = tmp_path / "large" / "export" / "last.safetensors"
    Trainer(tuned, open_store(clips), quick(init_from=file), tmp_path / "tuned")
    assert torch.equal(tuned.networks["painter"].last.weight, load_networks(file).states["painter"]["last.weight"])


def test_pictures_show_what_went_in_and_what_came_out(clips: Path, tmp_path: Path) -> None:
    run(clips, tmp_path, max_steps=2, image_every=2)
    assert (tmp_path / "pictures" / "step-00000002.png").is_file()
    assert "source | driving | prediction" in (tmp_path / "train.log").read_text()


def test_bf16_keeps_weights_and_sums_in_float32(clips: Path, tmp_path: Path) -> None:
    plugin = Tiny()
    Trainer(plugin, open_store(clips), quick(max_steps=2, clip_gradient=1.0), tmp_path, precision="bf16").run()
    assert {value.dtype for value in plugin.networks.parameters()} == {torch.float32}


def test_it_stops_early_where_the_score_gets_no_better(clips: Path, tmp_path: Path) -> None:
    store = open_store(clips)
    settings = quick(max_steps=50, learning_rate=1e-9, ema_decay=0, patience=2, validate_every=3)
    result = Trainer(JudgeOnly(), store, settings, tmp_path, validation=store).run()
    assert result.reason == "no better score" and result.step == 9, "the first validation, and two more"
    again = Trainer(
        JudgeOnly(), store, settings.model_copy(update={"resume": "auto"}), tmp_path, validation=store
    ).run()
    assert again.step <= result.step + 3, "the count of validations is resumed"


def test_gradients_of_several_batches_are_those_of_one(clips: Path, tmp_path: Path) -> None:
    def judged(folder: str, **changes: object) -> dict[str, Tensor]:
        plugin = JudgeOnly()
        return weights(run(clips, tmp_path / folder, plugin, max_steps=3, learning_rate=1e-3, **changes))

    one, several = judged("one", batch_size=4), judged("several", batch_size=2, accumulate=2)
    assert not torch.equal(one["discriminator.0.weight"], weights(JudgeOnly())["discriminator.0.weight"])
    assert all(torch.allclose(value, several[key], atol=1e-4) for key, value in one.items())


def test_activations_computed_again_change_no_bit(clips: Path, tmp_path: Path) -> None:
    kept, again = run(clips, tmp_path / "kept"), run(clips, tmp_path / "again", recompute=True)
    assert "3 blocks compute their activations again" in (tmp_path / "again" / "train.log").read_text()
    assert all(torch.equal(value, weights(again)[key]) for key, value in weights(kept).items())


def test_losses_are_scaled_in_float16_and_the_scale_is_resumed(clips: Path, tmp_path: Path) -> None:
    def halves(folder: str, steps: int, **changes: object) -> Tiny:
        plugin = Tiny()
        Trainer(plugin, open_store(clips), quick(max_steps=steps, **changes), tmp_path / folder, precision="fp16").run()
        return plugin

    whole = halves("whole", 6)
    halves("parts", 3)
    parts = halves("parts", 6, resume="auto")
    assert all(torch.equal(value, weights(parts)[key]) for key, value in weights(whole).items())
    found = [read_facts(tmp_path / part / "states" / "step-00000006")["scales"] for part in ("whole", "parts")]
    assert found[0] == found[1]
    assert found[1]["generator"]["_growth_tracker"] > 3 and found[1]["generator"]["scale"] > 1


def test_a_gradient_that_overflows_in_float16_lowers_the_scale() -> None:
    weight = torch.nn.Parameter(torch.ones(()))
    phase = Phase("only", (), lambda batch: {}, torch.optim.SGD)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**16)
    step = PhaseStep(phase, torch.optim.SGD([weight], lr=0.1), quick(), scaler)
    step.add({"loss": weight * 1e38}, 0)
    step.take(0)
    assert (weight.item(), scaler.get_scale()) == (1.0, 2.0**15)
    step.add({"loss": weight * 2}, 1)
    step.take(1)
    assert weight.item() == pytest.approx(0.8)


def test_errors_name_the_setting(clips: Path, tmp_path: Path) -> None:
    store = open_store(clips)
    with pytest.raises(ConfigError, match="Did you mean 'generator'"):
        Trainer(Tiny(), store, quick(learning_rates={"generater": 1e-3}), tmp_path)
    with pytest.raises(TrainingError, match="no saved state"):
        Trainer(Tiny(), store, quick(resume=str(tmp_path / "nowhere")), tmp_path)
    with pytest.raises(ConfigError, match="no score 'l2'"):
        Trainer(Tiny(), store, quick(best_score="l2"), tmp_path, validation=store).run()


INTERRUPTED = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from train.tiny import Tiny, quick
from talkingface.data import open_store
from talkingface.train import Trainer
settings = quick(max_steps=10**6, workers=1, log_every=1)
print(Trainer(Tiny(), open_store(sys.argv[2]), settings, Path(sys.argv[3])).run().reason)
"""


def test_ctrl_c_in_a_terminal_saves_although_it_reaches_the_workers(clips: Path, tmp_path: Path) -> None:
    tests, log = Path(__file__).parents[1], tmp_path / "run" / "scalars.jsonl"
    command = [sys.executable, "-c", INTERRUPTED, str(tests), str(clips), str(tmp_path / "run")]
    process = subprocess.Popen(command, cwd=tests.parent, stdout=subprocess.PIPE, text=True, start_new_session=True)
    deadline = time.monotonic() + 90
    while not log.is_file() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert output.strip() == "SIGINT"
    assert find(tmp_path / "run") is not None
