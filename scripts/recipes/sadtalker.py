"""The recipe of the compact SadTalker's renderer: that of the compact FOM, learning on with what coefficients say."""

from __future__ import annotations

from pathlib import Path

from talkingface.config import variant_params
from talkingface.data.cache.batches import CoefficientBatches
from talkingface.models.base import ModelPlugin
from talkingface.models.mixed_settings import MixedLosses
from talkingface.models.sadtalker.config import SadTalkerConfig
from talkingface.models.sadtalker.training.mixed import MixedSadTalker
from talkingface.weights.load import load_networks, load_strict

from .fom import LIDS, SHARP, SHUT
from .stages import DECIDED, Model, Recipe, Stage, features, start_generator

STAGES = (
    Stage(
        "render",
        1.0,
        {**SHARP, **LIDS, "painted": 0.02, "without_points": 0.0},
        SHUT,
        {"generator": 3e-4, "discriminator": 4e-4},
        decided=1 / DECIDED,  # the start is an export, which `finish` has made steeper
    ),
)


def build(stage: Stage, recipe: Recipe, init: Path | None) -> ModelPlugin:
    """SadTalker with the networks around the generator that are kept, and a generator to start from."""
    params = {**variant_params("SadTalker", "compact"), "architecture": "mixed", **recipe.params}
    losses = MixedLosses(**stage.losses)
    plugin = MixedSadTalker(SadTalkerConfig.model_validate(params), losses, stage.rates, features(recipe.vgg))
    if recipe.rest is not None:
        states = load_networks(recipe.rest).states
        for name in plugin.inference_networks:
            if name != "generator":
                load_strict(plugin.networks[name], states[name], where=recipe.rest)
    start_generator(plugin, init)
    return plugin


SADTALKER = Model(STAGES, build, CoefficientBatches)
