"""The student's recipe end to end: separable, pruned, three stages, an export that loads strictly."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from data.faces import write_clip
from torch import nn

from talkingface.config import variant_params
from talkingface.data.cache.batches import PairBatches, PairSampler
from talkingface.data.cache.settings import DrawSettings
from talkingface.data.cache.store import FaceCache
from talkingface.data.loader import NO_AUGMENTATION
from talkingface.models.fom.config import FOMConfig
from talkingface.models.fom.networks.build import build_networks
from talkingface.models.fom.networks.student import NETWORKS
from talkingface.models.fom.plugin import FOM
from talkingface.nn.pruning.remove import parameter_count
from talkingface.paths import CLONE, in_clone
from talkingface.weights.load import load_networks, load_strict, read_notes

SMALL: dict[str, Any] = {
    "detector_widths": [16, 24],
    "motion_widths": [16, 24],
    "motion_features": 16,
    "generator_widths": [16, 24, 32],
    "decoder_width": 16,
    "num_bottleneck_blocks": 1,
    "motion_size": 64,
    "mouth_width": 18,
    "eyes_width": 18,
}
PUBLISHED: dict[str, Any] = {
    "kp_detector_params": {"block_expansion": 16, "max_features": 32, "num_blocks": 3},
    "generator_params": {
        "block_expansion": 16,
        "max_features": 32,
        "num_bottleneck_blocks": 1,
        "dense_motion_params": {"block_expansion": 16, "max_features": 32, "num_blocks": 3},
    },
}
TEACHERS = {"mixed": {"compact_params": SMALL}, "published": PUBLISHED}


def config_of(architecture: str) -> FOMConfig:
    base = variant_params("FOM", "vox-256" if architecture == "published" else "compact")
    return FOMConfig.model_validate({**base, "architecture": architecture, "image_size": 64, **TEACHERS[architecture]})


@pytest.mark.skipif(not in_clone(), reason="recipes are in a clone")
@pytest.mark.parametrize("architecture", TEACHERS)
def test_three_stages_give_a_smaller_file_that_loads(
    architecture: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [str(CLONE / "scripts"), *sys.path])
    from recipes.student import PARTS, Model, Recipe, save, train

    config = config_of(architecture)
    for split in ("train", "val"):
        write_clip(tmp_path / "cache" / split, "a", "ann", size=64)
    teacher = build_networks(config)
    save(tmp_path / "teacher.safetensors", Model(config, nn.ModuleDict({name: teacher[name] for name in NETWORKS})))
    recipe = Recipe(
        str(tmp_path / "teacher.safetensors"),
        tmp_path / "cache",
        tmp_path / "run",
        share=0.4,
        fitted_on=1,
        hours=0.05,
        batch_size=1,
        every=2,
        most_steps=2,
    )
    made = train(recipe)
    assert all((tmp_path / "run" / part.name / "done").is_file() for part in PARTS)
    student = FOM(FOMConfig.model_validate_json(read_notes([made])["config"]))
    for name, state in load_networks(made, model="FOM").states.items():
        load_strict(student.networks[name], state, where=made)
    sizes = [parameter_count(networks[name] for name in NETWORKS) for networks in (student.networks, teacher)]
    assert sizes[0] < sizes[1] / 2
    assert train(recipe) == made


@pytest.mark.skipif(not in_clone(), reason="recipes are in a clone")
def test_a_student_can_be_pruned_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(CLONE / "scripts"), *sys.path])
    from recipes.student import Model, begin, load, prune, save

    write_clip(tmp_path, "a", "ann", size=64)
    pairs = PairBatches(PairSampler(FaceCache(tmp_path), DrawSettings()), 2, NO_AUGMENTATION)[0]
    config = config_of("mixed")
    networks = build_networks(config)
    del networks["discriminator"]
    model, sizes = begin(Model(config, networks), pairs), []
    for _ in range(2):
        model = prune(model, NETWORKS, 0.3, pairs)
        save(tmp_path / "pruned.safetensors", model)
        again = load(tmp_path / "pruned.safetensors")
        drawn = [some.networks["kp_detector"].eval()(pairs["source"])["value"] for some in (model, again)]
        assert torch.allclose(*drawn, atol=1e-6)
        sizes.append(parameter_count(again.networks.values()))
    assert sizes[1] < sizes[0]
