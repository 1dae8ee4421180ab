"""Every stage of the compact recipes, from a cache of clips to the exported file."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from data.faces import write_clip

from talkingface import registry
from talkingface.paths import CLONE, in_clone
from talkingface.weights.load import load_networks, load_strict, read_notes

SMALL = {
    "detector_widths": [8, 8],
    "motion_widths": [8, 8],
    "motion_features": 8,
    "generator_widths": [8, 8, 8],
    "decoder_width": 8,
    "num_bottleneck_blocks": 1,
    "motion_size": 64,
    "mouth_width": 12,
    "eyes_width": 12,
}


@pytest.mark.skipif(not in_clone(), reason="recipes are in a clone")
@pytest.mark.parametrize("name", ["FOM", "SadTalker"])
def test_all_stages_run_and_the_export_loads(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(CLONE / "scripts"), *sys.path])
    from recipes.fom import FOM
    from recipes.sadtalker import SADTALKER
    from recipes.stages import Recipe, train

    for split in ("train", "val"):
        write_clip(tmp_path / "cache" / split, "a", "ann")
    model, run = {"FOM": FOM, "SadTalker": SADTALKER}[name], tmp_path / "run"
    params = {"image_size": 128, "compact_params": SMALL}
    recipe = Recipe(tmp_path / "cache", run, None, None, hours=0.05, batch_size=1, every=2, most_steps=2, params=params)
    made = train(model, recipe)
    assert all((run / stage.name / "done").is_file() for stage in model.stages)
    weights = load_networks(made, model=name)
    kind = registry.model(name)
    plugin = kind(kind.Config.model_validate_json(read_notes([made])["config"]))
    assert plugin.config.architecture == "mixed" and set(plugin.inference_networks) == weights.states.keys()
    for network, state in weights.states.items():
        load_strict(plugin.networks[network], state, where=made)
    assert train(model, recipe) == made
