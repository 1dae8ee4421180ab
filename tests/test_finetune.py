"""Fine-tuning on one person, through the command."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from talkingface.cli import main
from talkingface.config import load_settings, model_config, settings_from
from talkingface.models.fom.plugin import FOM
from talkingface.train.checkpoints import export
from talkingface.weights.load import load_networks

SMALL = {
    "architecture": "compact", "image_size": 64,
    "compact_params": {
        "motion_size": 32, "detector_widths": [8, 8], "motion_widths": [8, 8], "generator_widths": [8, 8, 8],
    },
    "train_params": {"loss_weights": {
        "generator_gan": 0, "discriminator_gan": 0, "feature_matching": [], "perceptual": [], "reconstruction": 10,
    }},
}  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a small network."""
    torch.manual_seed(0)
    plugin = FOM(model_config(settings_from({"model": "FOM", "model_params": SMALL})))
    states = {name: plugin.networks[name].state_dict() for name in plugin.inference_networks}
    return export(tmp_path_factory.mktemp("weights") / "start.safetensors", plugin, states, "float32", {})


def person(root: Path, clips: int, colour: tuple[int, int, int], step: int = 4) -> Path:
    """Clips of a square that wanders over a background of its own, so many pixels with each frame."""
    for clip in range(clips):
        folder = root / f"clip{clip}"
        folder.mkdir(parents=True)
        for frame in range(10):
            picture = np.full((64, 64, 3), colour, np.uint8)
            picture[step * frame : step * frame + 16, 20 + clip : 36 + clip] = 255 - np.array(colour)
            Image.fromarray(picture).save(folder / f"{frame}.png")
    return root


def finetune(weights: Path, data: Path, out: Path, *words: str) -> list[dict[str, float]]:
    """Entries of ``scalars.jsonl``."""
    common = [
        "--run_mode=train", "--finetune", f"--checkpoint={weights}", f"--dataset={data}", f"--output_dir={out}",
        "--device=cpu", "--train.image_size=64", "--train.max_steps=4", "--train.validate_every=2", "--quiet",
        "--train.workers=0", "--train.tensorboard=false", "--train.warmup_steps=0",
    ]  # fmt: skip
    assert main([*common, *words]) == 0
    return [json.loads(line) for line in (out / "scalars.jsonl").read_text().splitlines()]


def test_held_out_frames_of_the_person_get_better_and_the_export_loads(trained: Path, tmp_path: Path) -> None:
    run, rate = tmp_path / "run", "--train.learning_rate=2e-3"
    entries = finetune(trained, person(tmp_path / "me", 2, (200, 40, 90)), run, rate)
    scores = [entry["l1"] for entry in entries if entry["group"] == "validation"]
    assert len(scores) == 3 and min(scores[1:]) < scores[0], "the first is that of the weights at the start"
    made = load_networks(run / "export" / "best.safetensors", model="FOM").states
    before = load_networks(trained, model="FOM").states
    assert made.keys() == before.keys()
    statistics = [key for key in before["generator"] if key.endswith("running_mean")]
    assert statistics, "it has batch norms"
    for key in statistics:
        assert torch.equal(made["generator"][key], before["generator"][key]), key


def test_weights_that_draw_other_people_worse_are_not_kept(trained: Path, tmp_path: Path) -> None:
    others = person(tmp_path / "they", 2, (10, 200, 120), step=0)  # at the start a source is shown as it is
    words = [f"--train.others={others}", "--train.others_limit=1", "--train.learning_rate=0.5"]
    entries = finetune(trained, person(tmp_path / "me", 2, (200, 40, 90)), tmp_path / "run", *words)
    assert [entry["step"] for entry in entries if entry["group"] == "others"] == [0, 2, 4]
    assert "--train.others_limit" in (tmp_path / "run" / "train.log").read_text()
    best = tmp_path / "run" / "export" / "best.safetensors"
    made, before = (load_networks(path, model="FOM").states for path in (best, trained))
    for name, state in before.items():
        assert all(torch.equal(made[name][key], value) for key, value in state.items()), "the start is the best"


def test_the_defaults_are_small_steps_and_the_stage_that_draws() -> None:
    words = ["--finetune", "--dataset=sample", "--model"]
    settings = load_settings([*words, "SadTalker"])
    assert settings.run_mode == "train" and settings.variant is None
    assert settings.train.stage == "render" and settings.train.fixed_norms and settings.train.max_steps == 120
    assert settings.origin("train.learning_rate").endswith("finetune.yaml")
    assert load_settings([*words, "StyleHeat", "--train.max_steps=7"]).train.max_steps == 7
    assert load_settings(["--no-finetune", "--dataset=sample"]).train.max_steps is None


def test_other_people_without_fine_tuning_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--run_mode=train", "--dataset=sample", f"--output_dir={tmp_path}"]
    assert main([*words, f"--train.others={tmp_path}"]) == 2
    assert "--finetune" in capsys.readouterr().err
    assert main([*words, "--finetune", f"--train.others={tmp_path / 'nowhere'}"]) == 2
    assert "--train.others" in capsys.readouterr().err
