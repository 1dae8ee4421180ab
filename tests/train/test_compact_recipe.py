"""Every stage of the compact FOM's recipe, from a cache of clips to the exported file."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from data.faces import write_clip

from talkingface.models.fom.config import FOMConfig
from talkingface.models.fom.plugin import FOM
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
def test_all_stages_run_and_the_export_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(CLONE / "scripts"), *sys.path])
    from recipes.fom import STAGES, Recipe, train

    for split in ("train", "val"):
        write_clip(tmp_path / "cache" / split, "a", "ann")
    params = {"image_size": 128, "compact_params": SMALL}
    recipe = Recipe(
        tmp_path / "cache", tmp_path / "run", None, None, hours=0.05, batch_size=1, every=2, most_steps=2, params=params
    )
    made = train(recipe)
    assert [(tmp_path / "run" / stage.name / "done").is_file() for stage in STAGES] == [True] * len(STAGES)
    plugin = FOM(FOMConfig.model_validate_json(read_notes([made])["config"]))
    assert plugin.config.architecture == "mixed"
    for name, state in load_networks(made, model="FOM").states.items():
        load_strict(plugin.networks[name], state, where=made)
    assert train(recipe) == made
