"""The plug-in of FOM."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ...nn.visualize import draw_keypoints
from ...types import Motion
from ...weights.load import fingerprint
from ..base import Batch, ModelPlugin, MotionExtractor, Phase, Renderer
from ..fixed import FixedNetworks
from ..mesh_faces import MeshDetector
from ..settings import untrained
from .config import FOMConfig, TrainParams
from .mixed_renderer import MixedExtractor, MixedRenderer
from .networks.build import build_networks, fast_generator
from .networks.generator import fast_detector
from .renderer import FOMRenderer, KeypointExtractor
from .retarget import fit_to_source
from .training.objective import Objective


class FOM(ModelPlugin):
    """First Order Motion Model for Image Animation (Siarohin et al., NeurIPS 2019)."""

    name: ClassVar[str] = "FOM"
    Config: ClassVar[type] = FOMConfig

    inference_networks = ("kp_detector", "generator")
    space_networks = ("kp_detector",)
    config: FOMConfig

    def __init__(self, config: FOMConfig) -> None:
        self.config = config
        self.networks = build_networks(config)
        self.kind = config.motion_kind
        self.size = (config.image_size, config.image_size)
        self._fixed = FixedNetworks()

    def extractor(self, precision: torch.dtype = torch.float32) -> MotionExtractor:
        """Keypoint extractor; float32 in any precision."""
        common = fast_detector(self.networks["kp_detector"]), self.kind, self.size, self.motion_space()
        return MixedExtractor(*common, MeshDetector.open()) if self._mixed else KeypointExtractor(*common)

    def renderer(self, precision: torch.dtype = torch.float32) -> Renderer:
        """The renderer, over a copy of the generator that is rearranged for speed."""
        generator = fast_generator(self.config, self.networks["generator"].eval(), precision)
        common = fast_detector(self.networks["kp_detector"]), generator, self.kind, self.size, self.motion_space()
        return MixedRenderer(*common, MeshDetector.open()) if self._mixed else FOMRenderer(*common)

    @property
    def _mixed(self) -> bool:
        return self.config.architecture == "mixed"

    def motion_space(self) -> str:
        """Fingerprint of the keypoint detector, as every training invents its own keypoints."""
        return fingerprint(self.networks["kp_detector"]) + ("-mesh" if self._mixed else "")

    def retarget(self, source: Motion, driving: Motion, options: Mapping[str, Any]) -> Motion:
        """Driving keypoints fitted to the source; options and errors as :func:`~.retarget.fit_to_source`."""
        return fit_to_source(source, driving, options)

    def samples(self) -> Mapping[str, Any]:
        """Two frames of one clip."""
        return {"source": "random", "driving": "random"}

    def auxiliary(self, train: Any) -> Mapping[str, Callable[[Mapping[str, Tensor]], None]]:
        """VGG19, where the perceptual loss has a weight."""
        return self._fixed.takers(vgg=bool(self.config.loss_files("", train)))

    def phases(self, train: Any) -> list[Phase]:
        """Generator with keypoint detector, then the discriminator where a loss asks for it.

        Raises:
            WeightsError: if the perceptual loss has a weight but VGG19's weights were not given.
            ConfigError: for mixed keypoints, whose training needs points of faces beside the frames.
        """
        if self._mixed:
            raise untrained("FOM")
        params = self.config.trained(train)
        vgg = self._fixed.required_vgg() if self.config.loss_files("", train) else None
        objective = Objective(self.networks, self.config, params, vgg)
        phases = [self._generator_phase(objective, params)]
        if objective.uses_discriminator:
            rate, milestones = params.lr_discriminator, params.epoch_milestones
            optimizer = partial(self._adam, rates={"discriminator": rate})
            phases.append(
                Phase("discriminator", ["discriminator"], objective.discriminator_losses, optimizer, 1, milestones)
            )
        return phases

    def _generator_phase(self, objective: Objective, params: TrainParams) -> Phase:
        rates = {"generator": params.lr_generator, "kp_detector": params.lr_kp_detector}
        rates = {name: rate for name, rate in rates.items() if rate > 0}
        optimizer = partial(self._adam, rates=rates)
        return Phase("generator", list(rates), objective.generator_losses, optimizer, 1, params.epoch_milestones)

    def _adam(self, parameters: Iterable[nn.Parameter], rates: Mapping[str, float]) -> torch.optim.Optimizer:
        """Adam as published, each network's parameters at its own learning rate."""
        wanted = list(parameters)
        rate_of = {id(p): rate for name, rate in rates.items() for p in self.networks[name].parameters()}
        groups = [
            {"params": [p for p in wanted if rate_of[id(p)] == rate], "lr": rate}
            for rate in dict.fromkeys(rates.values())
        ]
        return torch.optim.Adam(groups, betas=(0.5, 0.999))

    @torch.no_grad()
    def validate(self, batch: Batch) -> tuple[dict[str, float], dict[str, Tensor]]:
        """Mean absolute error of the driving frames re-enacted from the source frames, and the pictures."""
        detector: Any = self.networks["kp_detector"]
        generator: Any = self.networks["generator"]
        source, driving = batch["source"], batch["driving"]
        kp_source, kp_driving = detector(source), detector(driving)
        out = generator.decode(generator.encode(source), kp_source, kp_driving, explain=True)
        pictures = {
            "source": draw_keypoints(source, kp_source["value"]),
            "driving": draw_keypoints(driving, kp_driving["value"]),
            "prediction": out["prediction"],
            "deformed": out["deformed"],
        }
        return {"l1": float((out["prediction"] - driving).abs().mean())}, pictures
