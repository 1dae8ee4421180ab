"""Drift as the toolkit sees it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from talkingface.models.base import Batch, Losses, ModelPlugin, MotionExtractor, Phase, Renderer
from talkingface.types import Motion, Source

from .config import DriftConfig
from .networks import Finder, Painter

KIND = "drift.point"


class PointExtractor(MotionExtractor):
    """Finds the point of each driving frame."""

    takes = frozenset({"video", "image"})
    gives = KIND

    def __init__(self, finder: nn.Module, side: int) -> None:
        self.finder, self.size = finder.eval(), (side, side)

    @torch.inference_mode()
    def extract(self, frames: Iterable[Tensor], fps: Fraction) -> Motion:
        points = [self.finder(chunk) for chunk in frames]
        return Motion(KIND, fps, {"point": torch.cat(points)} if points else {})


class DriftRenderer(Renderer):
    """Moves the source by the way from its own point to that of the motion."""

    takes = KIND

    def __init__(self, networks: nn.ModuleDict, side: int) -> None:
        self.networks, self.size = networks.eval(), (side, side)

    @torch.inference_mode()
    def encode_source(self, source: Source) -> tuple[Tensor, Tensor]:
        return source.image, self.networks["finder"](source.image)

    @torch.inference_mode()
    def render(self, state: tuple[Tensor, Tensor], motion: Motion) -> Tensor:
        image, point = state
        return self.networks["painter"](image.expand(len(motion), -1, -1, -1), motion.values["point"] - point)


class Drift(ModelPlugin):
    """The whole picture follows one learned point."""

    name: ClassVar[str] = "Drift"
    Config: ClassVar[type] = DriftConfig

    inference_networks = ("finder", "painter")
    config: DriftConfig

    def __init__(self, config: DriftConfig) -> None:
        self.config = config
        self.networks = nn.ModuleDict({"finder": Finder(config.width), "painter": Painter(config.width)})

    def extractor(self, precision: torch.dtype = torch.float32) -> MotionExtractor:
        return PointExtractor(self.networks["finder"], self.config.image_size)

    def renderer(self, precision: torch.dtype = torch.float32) -> Renderer:
        return DriftRenderer(self.networks, self.config.image_size)

    def retarget(self, source: Motion, driving: Motion, options: Mapping[str, Any]) -> Motion:
        """Points of the source, moved like the driving's (``relative``: since its first frame), times the strength."""
        own, point = source.values["point"], driving.values["point"]
        start = point[:1] if options["relative"] else own
        return Motion(KIND, driving.fps, {"point": own + options["drift_strength"] * (point - start)})

    def samples(self) -> Mapping[str, Any]:
        return {"source": "random", "driving": "random"}

    def phases(self, train: Any) -> list[Phase]:
        return [Phase("drawing", self.inference_networks, self._losses, self._adam)]

    def _adam(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.Adam(parameters, lr=self.config.rate)

    def _redraw(self, batch: Batch) -> Tensor:
        finder, painter = self.networks["finder"], self.networks["painter"]
        return painter(batch["source"], finder(batch["driving"]) - finder(batch["source"]))

    def _losses(self, batch: Batch) -> Losses:
        return {"l1": (self._redraw(batch) - batch["driving"]).abs().mean()}

    @torch.no_grad()
    def validate(self, batch: Batch) -> tuple[dict[str, float], dict[str, Tensor]]:
        drawn = self._redraw(batch)
        return {"l1": float((drawn - batch["driving"]).abs().mean())}, {"prediction": drawn}
