"""StyleHEAT as the toolkit sees it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from pydantic import ValidationError
from torch import Tensor

from ...errors import ConfigError
from ...nn.losses.identity import IdentityNetwork
from ...nn.losses.perceptual import VGG19
from ...nn.stylegan2.discriminator import Discriminator
from ...types import Motion
from ...weights.load import load_strict
from ..base import Batch, ModelPlugin, Phase, Renderer
from .config import STAGES, StyleHeatConfig
from .edits.options import Wishes
from .edits.state import Session
from .networks.build import StyleHeatNetworks, TrainingNumbers, initialise, networks_by_name
from .networks.fast import FastStyleHeat
from .networks.warper import video_warper_names
from .training.generator import GeneratorObjective
from .training.objective import Helpers, Objective
from .training.phases import phases_of, samples_of
from .training.validate import judge

MEAN = "latent_avg"


def adapted(name: str, state: Mapping[str, Tensor], codes: int) -> dict[str, Tensor]:
    """The state of a network.

    Args:
        name: of the network.
        codes: of a picture; a mean code that is one for all is repeated so often.
    """
    if name == "video_warper":
        return video_warper_names(state)
    found = dict(state)
    if name == "e4e_encoder" and MEAN in found:
        mean = found[MEAN]
        found[MEAN] = mean.squeeze(0) if mean.ndim == 3 else mean
        if found[MEAN].ndim == 1:
            found[MEAN] = found[MEAN].expand(codes, -1)
    return found


CATALOGUED = {"vgg": "vgg19", "identity": "ir_se50"}
"""Fixed networks that losses look through -> their names in the catalogue."""


class StyleHeat(ModelPlugin):
    """StyleHEAT (Yin et al., ECCV 2022): a StyleGAN2 whose features are warped by a face's motion."""

    name: ClassVar[str] = "StyleHeat"
    Config: ClassVar[type] = StyleHeatConfig
    inference_networks = ("stylegan", "e4e_encoder", "hfgi_aligner", "hfgi_encoder", "video_warper", "calibrator")
    stages = STAGES

    config: StyleHeatConfig

    def __init__(self, config: StyleHeatConfig) -> None:
        self.config = config
        self.whole = StyleHeatNetworks(config)
        initialise(self.whole)
        self._discriminator, self._numbers = Discriminator(config.discriminator), TrainingNumbers()
        self.networks = networks_by_name(self.whole, self._discriminator, self._numbers)
        self._helpers, self._session = Helpers(), Session(Wishes(), config)

    def adapt(self, name: str, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Other spellings of the warper, and mean codes that are one for all."""
        return adapted(name, state, self.config.encoder.codes)

    def prepare(self, options: Mapping[str, Any]) -> Mapping[str, Callable[[Mapping[str, Tensor]], None]]:
        """Take the wishes, and say which files they need; see `session.Session`."""
        self._session = Session(Wishes.of(options, self.config), self.config)
        return self._session.files(options.get("inversion_file"))

    def file_for_kept(self, options: Mapping[str, Any]) -> Path | None:
        """As in the base class: ``inversion_file``, where an inversion was improved step by step."""
        return options.get("inversion_file") if options.get("inversion_option") == "optimize" else None

    def renderer(self, precision: torch.dtype = torch.float32) -> Renderer:
        """The renderer; float32 in any precision, as flows and the generator's long sums need it."""
        return self._session.renderer(FastStyleHeat(self.whole.eval()))

    def retarget(self, source: Motion, driving: Motion, options: Mapping[str, Any]) -> Motion:
        """As `retarget.fit_to_source`, with how much of an edit each frame has."""
        return self._session.retarget(source, driving, options)

    def own_motion(self, source: Motion) -> Motion:
        """The published intuitive edit, see tour.py."""
        return self._session.own_motion(source)

    def samples(self) -> Mapping[str, Any]:
        """Two frames of one clip, for the published stages with the coefficients around them."""
        return samples_of(self.stage, self.config)

    def auxiliary(self, train: Any) -> Mapping[str, Callable[[Mapping[str, Tensor]], None]]:
        """VGG19 and IR-SE50, where a loss of the stage looks through them."""
        takers = {"vgg": self._take_vgg, "identity": self._take_identity}
        return {CATALOGUED[name]: takers[name] for name in self._needed(self._trained(train))}

    def phases(self, train: Any) -> list[Phase]:
        """The phases of the stage.

        Raises:
            ConfigError: if `train` has a weight for a loss that the stage does not have, or coefficients of this space
                do not tell the stage where the points of a face are.
            WeightsError: if a loss needs a fixed network whose weights were not given.
        """
        config = self._trained(train)
        if self.stage == "joint" and config.space != "mesh":
            cure = "Use --variant=compact, or train the other stages one after another."
            raise ConfigError(f"the stage joint needs the space mesh, not {config.space}", where="--stage", cure=cure)
        for name in self._needed(config):
            getattr(self._helpers, f"the_{name}")()
        objective = Objective(self.networks, self.whole, config, self._helpers)
        stage = config.train_params.generator
        generator = GeneratorObjective(
            self.whole.generator.stylegan, self._discriminator, self._numbers.path_length, stage
        )
        return phases_of(self.stage, objective, generator)

    @torch.no_grad()
    def validate(self, batch: Batch) -> tuple[dict[str, float], dict[str, Tensor]]:
        """As `judge.judge`."""
        return judge(self.stage, Objective(self.networks, self.whole, self.config, self._helpers), batch)

    def _trained(self, train: Any) -> StyleHeatConfig:
        """The configuration with the loss weights that `train` sets for the stage."""
        wished = dict(getattr(train, "loss_weights", None) or {})
        if not wished:
            return self.config
        document = self.config.model_dump()
        document["train_params"][self.stage]["loss_weights"].update(wished)
        try:
            return StyleHeatConfig.model_validate(document)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(part) for part in first["loc"][3:])
            raise ConfigError(f"'{name}': {first['msg']}", where="train.loss_weights") from None

    def _needed(self, config: StyleHeatConfig) -> list[str]:
        """Which helpers the stage's losses look through."""
        weights = getattr(config.train_params, self.stage).loss_weights
        wants = {"vgg": getattr(weights, "perceptual", 0), "identity": getattr(weights, "identity", 0)}
        return [name for name, weight in wants.items() if weight]

    def _take_vgg(self, state: Mapping[str, Tensor]) -> None:
        vgg = VGG19()
        vgg.load_torchvision(state)
        self._helpers.vgg = vgg

    def _take_identity(self, state: Mapping[str, Tensor]) -> None:
        network = IdentityNetwork()
        load_strict(network, state, where="ir_se50")
        self._helpers.identity = network.requires_grad_(False).eval()
