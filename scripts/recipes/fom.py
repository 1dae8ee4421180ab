"""The recipe of the compact FOM's second generation."""

from __future__ import annotations

from pathlib import Path

from talkingface.config import variant_params
from talkingface.models.base import ModelPlugin
from talkingface.models.fom.config import FOMConfig
from talkingface.models.fom.training.mixed import MixedFOM
from talkingface.models.mixed_settings import MixedLosses
from talkingface.weights.load import load_networks, load_strict

from .stages import Model, Recipe, Stage, features, start_generator

SHARP = {"adversarial": 0.02, "matching": 0.1, "perceptual": 0.08, "without_points": 0.2}
LIDS = {"adversarial": 0.03, "eyes": 6, "smaller": 0.3, "regions": {"mouth": 0.4, "eyes": 0.35, "patch": 0.25}}
SHUT = {"mouth": 0.35, "lids": 0.3}
STAGES = (
    Stage("motion", 0.12),
    Stage("sharp", 0.08, SHARP),
    Stage("lids", 0.1, {**SHARP, **LIDS}, SHUT, {"generator": 3e-4, "discriminator": 4e-4}, warmup=20),
    Stage(
        "eyes",
        0.7,
        {**SHARP, **LIDS, "painted": 0.02},
        SHUT,
        {"generator": 3e-4, "discriminator": 4e-4},
        warmup=20,
        decided=1.8,
    ),
)


def build(stage: Stage, recipe: Recipe, init: Path | None) -> ModelPlugin:
    """FOM with the detector that is kept, and a generator to start from."""
    config = FOMConfig.model_validate({**variant_params("FOM", "compact"), "architecture": "mixed", **recipe.params})
    plugin = MixedFOM(config, MixedLosses(**stage.losses), stage.rates, features(recipe.vgg))
    if recipe.detector is not None:
        states = load_networks(recipe.detector).states
        load_strict(plugin.networks["kp_detector"], states["kp_detector"], where=recipe.detector)
    start_generator(plugin, init)
    return plugin


FOM = Model(STAGES, build)
