"""Metrics of reconstruction: what a metric is, and those that come with the toolkit."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

import torch
from torch import Tensor

from ..errors import UnknownNameError
from ..face.detect.analyser import FaceAnalyser, missing_files, open_analyser
from ..paths import default_checkpoint_root
from ..plugins import METRICS
from ..weights import load_catalogue
from . import metrics

Made = TypeVar("Made")


class MetricTools:
    """Device, weights and face finder of metrics, opened when first asked for and shared by all methods.

    Attributes:
        device: where to compute.
        root: folder of the weights that the user adds.
    """

    def __init__(self, device: torch.device | str = "cpu", root: Path | None = None) -> None:
        self.device, self.root = torch.device(device), root or default_checkpoint_root()
        self._made: dict[Any, Any] = {}

    @cached_property
    def analyser(self) -> FaceAnalyser:
        """Finds faces and landmarks.

        Raises:
            DependencyError: if no landmark backend is there.
        """
        return open_analyser(root=self.root, device=str(self.device))

    def once(self, make: Callable[[MetricTools], Made]) -> Made:
        """The result of ``make(self)``, such as a network with its weights; made by the first who asks."""
        if make not in self._made:
            self._made[make] = make(self)
        made: Made = self._made[make]
        return made


class Metric(ABC):
    """A number that says how alike drawn and real frames are, gathered chunk by chunk; one object for each method.

    Attributes:
        heading: what the table calls it.
        digits: behind the point, in the table.
        better: which numbers are good ones.
        over: what one number is about: each clip, or the whole set of a method's clips.
        weights: name or bundle of the catalogue whose files it needs; empty: none.
        landmarks: it needs ``tools.analyser``.
    """

    heading: ClassVar[str]
    digits: ClassVar[int] = 4
    better: ClassVar[Literal["lower", "higher"]]
    over: ClassVar[Literal["clip", "set"]] = "clip"
    weights: ClassVar[str] = ""
    landmarks: ClassVar[bool] = False

    def __init__(self, tools: MetricTools) -> None:
        self.tools = tools

    @abstractmethod
    def update(self, predicted: Tensor, real: Tensor) -> None:
        """Take the next frames.

        Args:
            predicted, real: (N, 3, H, W), RGB, [0, 1]; frame by frame of one clip.
        """

    @abstractmethod
    def compute(self) -> float:
        """The number for everything taken since the last call; NaN where there is nothing to measure."""


class FrameMetric(Metric):
    """Mean over frames of a number that each frame has for itself."""

    def __init__(self, tools: MetricTools) -> None:
        super().__init__(tools)
        self._sum, self._count = 0.0, 0

    @abstractmethod
    def measure(self, predicted: Tensor, real: Tensor) -> Tensor:
        """The numbers (N,) of frames (N, 3, H, W), RGB, [0, 1]."""

    def update(self, predicted: Tensor, real: Tensor) -> None:
        self._sum += float(self.measure(predicted, real).sum())
        self._count += len(real)

    def compute(self) -> float:
        mean = self._sum / self._count if self._count else float("nan")
        self._sum, self._count = 0.0, 0
        return mean


class L1(FrameMetric):
    """Mean absolute difference."""

    heading, better = "L1", "lower"
    measure = staticmethod(metrics.l1)


class PSNR(FrameMetric):
    """Peak signal-to-noise ratio in dB."""

    heading, digits, better = "PSNR", 2, "higher"
    measure = staticmethod(metrics.psnr)


class SSIM(FrameMetric):
    """Structural similarity."""

    heading, better = "SSIM", "higher"
    measure = staticmethod(metrics.ssim)


def choose_metrics(names: list[str], tools: MetricTools) -> dict[str, type[Metric]]:
    """Classes of the metrics that ``--evaluate.metrics`` names, each of which has what it needs.

    Raises:
        UnknownNameError: if there is no such metric, or its package is broken.
        WeightsError: if a file that one needs is not there.
        DependencyError: if one needs landmarks, and no backend is there.
    """
    chosen = {name: METRICS.get(name, where="--evaluate.metrics") for name in names}
    for name, metric in chosen.items():
        files = load_catalogue().entries_for(metric.weights) if metric.weights else ()
        missing = [entry for entry in files if not entry.path(tools.root).is_file()]
        if missing:
            raise missing_files(f"--evaluate.metrics={name}", missing, tools.root)
        if metric.landmarks:
            _ = tools.analyser
    return chosen


def heading_of(name: str) -> tuple[str, int] | None:
    """(heading, digits) of a metric by its name; None if there is none of the name."""
    try:
        metric = METRICS.get(name)
    except UnknownNameError:
        return None
    return metric.heading, metric.digits
