"""The plug-in of StyleHEAT."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from ...nn.stylegan2.discriminator import Discriminator
from ...types import Motion
from ..base import Batch, ModelPlugin, Phase, Renderer
from ..fixed import FixedNetworks
from .config import STAGES, StyleHeatConfig
from .edits.options import EditOptions
from .edits.state import EditState
from .networks.build import StyleHeatNetworks, TrainingNumbers, initialise, networks_by_name
from .networks.fast import FastStyleHeat
from .networks.warper import video_warper_names
from .training.generator import GeneratorObjective
from .training.objective import Objective
from .training.phases import phases_of, samples_of, validate_stage

MEAN = "latent_avg"


def adapted(name: str, state: Mapping[str, Tensor], codes: int) -> dict[str, Tensor]:
    """State of a network under the names and shapes of ours.

    Args:
        name: of the network.
        codes: of a picture; a single mean code is repeated for each.
    """
    if name == "video_warper":
        return video_warper_names(state)
    renamed = dict(state)
    if name == "e4e_encoder" and MEAN in renamed:
        mean = renamed[MEAN]
        renamed[MEAN] = mean.squeeze(0) if mean.ndim == 3 else mean
        if renamed[MEAN].ndim == 1:
            renamed[MEAN] = renamed[MEAN].expand(codes, -1)
    return renamed


class StyleHeat(ModelPlugin):
    """StyleHEAT (Yin et al., ECCV 2022): a StyleGAN2 whose features are warped by a face's motion."""

    name: ClassVar[str] = "StyleHeat"
    Config: ClassVar[type] = StyleHeatConfig
    inference_networks = ("stylegan", "e4e_encoder", "hfgi_aligner", "hfgi_encoder", "video_warper", "calibrator")
    stages = STAGES

    config: StyleHeatConfig

    def __init__(self, config: StyleHeatConfig) -> None:
        self.config = config
        self.model = StyleHeatNetworks(config)
        initialise(self.model)
        self._discriminator, self._numbers = Discriminator(config.discriminator), TrainingNumbers()
        self.networks = networks_by_name(self.model, self._discriminator, self._numbers)
        self._fixed, self._edits = FixedNetworks(), EditState(EditOptions(), config)

    def adapt(self, name: str, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """State with our spelling of the warper, and a mean code for each code."""
        return adapted(name, state, self.config.encoder.codes)

    def prepare(self, options: Mapping[str, Any]) -> Mapping[str, Callable[[Mapping[str, Tensor]], None]]:
        """Take the edits; see `edits.state.EditState`."""
        own = {name: options[name] for name in EditOptions.model_fields if name in options}
        self._edits = EditState(EditOptions.model_validate(own), self.config)
        return self._edits.files()

    def file_for_kept(self, options: Mapping[str, Any]) -> Path | None:
        """Path of ``inversion_file``, where an inversion was improved step by step; see the base class."""
        return options.get("inversion_file") if options.get("inversion_option") == "optimize" else None

    def renderer(self, precision: torch.dtype = torch.float32) -> Renderer:
        """The renderer; float32 in any precision, as flows and the generator's long sums need it."""
        return self._edits.renderer(FastStyleHeat(self.model.eval()))

    def retarget(self, source: Motion, driving: Motion, options: Mapping[str, Any]) -> Motion:
        """Driving movement on the source's face, see `retarget.fit_to_source`, and each frame's share of an edit."""
        return self._edits.retarget(source, driving, options)

    def own_motion(self, source: Motion) -> Motion:
        """The published intuitive edit, see `edits.state.demo_motion`."""
        return self._edits.own_motion(source)

    def samples(self) -> Mapping[str, Any]:
        """Two frames of one clip, for the published stages with the coefficients around them."""
        return samples_of(self.stage, self.config)

    def auxiliary(self, train: Any) -> Mapping[str, Callable[[Mapping[str, Tensor]], None]]:
        """VGG19 and IR-SE50, where a loss of the stage needs them."""
        return self._fixed.takers(**self._needed(train))

    def phases(self, train: Any) -> list[Phase]:
        """The phases of the stage.

        Raises:
            ConfigError: if `train` has a weight for a loss that the stage does not have, or coefficients of this space
                do not give the stage the points of a face.
            WeightsError: if a loss needs a fixed network whose weights were not given.
        """
        config = self.config.trained(self.stage, train)
        if self.stage == "joint" and config.space != "mesh":
            raise config.without_mesh()
        self._fixed.check(**self._needed(train))
        objective = Objective(self.networks, self.model, config, self._fixed)
        stage = config.train_params.generator
        generator = GeneratorObjective(
            self.model.generator.stylegan, self._discriminator, self._numbers.path_length, stage
        )
        return phases_of(self.stage, objective, generator)

    @torch.no_grad()
    def validate(self, batch: Batch) -> tuple[dict[str, float], dict[str, Tensor]]:
        """Scores and pictures of the stage."""
        return validate_stage(self.stage, Objective(self.networks, self.model, self.config, self._fixed), batch)

    def _needed(self, train: Any) -> dict[str, bool]:
        """Fixed network -> True if the stage's losses need it."""
        names = self.config.loss_files(self.stage, train)
        return {"vgg": "vgg19" in names, "identity": "ir_se50" in names}
