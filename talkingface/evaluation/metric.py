"""Metrics of reconstruction: the interface, and those of the toolkit."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

import torch
from torch import Tensor

from ..errors import ShapeError, UnknownNameError
from ..face.detect.analyser import FaceAnalyser, missing_files, open_analyser
from ..paths import default_checkpoint_root
from ..plugins import METRICS
from ..weights import load_catalogue

# Wang et al. 2004, section III.B: window of 11 x 11 with a standard deviation of 1.5, K1 and K2.
_WINDOW, _SIGMA = 11, 1.5
_C1, _C2 = 0.01**2, 0.03**2
# A picture without any error, as the first frame is for the baselines, would make every mean infinite.
_LARGEST_PSNR = 100.0


def l1(predicted: Tensor, real: Tensor) -> Tensor:
    """Mean absolute difference.

    Args:
        predicted, real: (N, 3, H, W) in [0, 1].

    Returns:
        (N,), 0 for equal pictures, 1 at most.
    """
    _check(predicted, real)
    return (predicted - real).abs().mean(dim=(1, 2, 3))


def psnr(predicted: Tensor, real: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB for a peak of 1; at most 100.

    Args:
        predicted, real: (N, 3, H, W) in [0, 1].

    Returns:
        (N,).
    """
    _check(predicted, real)
    error = (predicted - real).square().mean(dim=(1, 2, 3))
    return (-10 * torch.log10(error)).clamp(max=_LARGEST_PSNR)


def ssim(predicted: Tensor, real: Tensor) -> Tensor:
    """Structural similarity, the mean over channels and over the windows that lie inside the picture.

    Args:
        predicted, real: (N, 3, H, W) in [0, 1], sides of at least 11 pixels.

    Returns:
        (N,), 1 for equal pictures.

    Source: Wang et al. 2004, eq. 13, Gaussian window, on each colour channel.
    """
    _check(predicted, real)
    if min(real.shape[-2:]) < _WINDOW:
        raise ShapeError(f"SSIM needs sides of at least {_WINDOW} pixels, got {tuple(real.shape)}")
    mean_p, mean_r = _blur(predicted), _blur(real)
    squares, product = mean_p.square() + mean_r.square(), mean_p * mean_r
    # The index holds the two variances only as a sum, so that one blur serves both.
    variances = _blur(predicted.square() + real.square()) - squares
    covariance = _blur(predicted * real) - product
    index = (2 * product + _C1) * (2 * covariance + _C2) / ((squares + _C1) * (variances + _C2))
    return index.mean(dim=(1, 2, 3))


def _check(predicted: Tensor, real: Tensor) -> None:
    if predicted.shape != real.shape or real.ndim != 4:
        raise ShapeError(f"expected two (N, 3, H, W), got {tuple(predicted.shape)} and {tuple(real.shape)}")


def _blur(values: Tensor) -> Tensor:
    """Gaussian mean over all windows inside the picture, (N, C, H, W) -> (N, C, H - 10, W - 10)."""
    return _slide(_slide(values, -1), -2)


def _slide(values: Tensor, dim: int) -> Tensor:
    """Gaussian mean along one axis. Sums of shifted views: on the CPU six times faster than a convolution."""
    half = _WINDOW // 2
    weights = torch.exp(-torch.arange(-half, half + 1, dtype=torch.float64).square() / (2 * _SIGMA**2))
    shares: list[float] = (weights / weights.sum()).tolist()
    length = values.shape[dim] - _WINDOW + 1
    total = values.narrow(dim, half, length) * shares[half]
    for offset in range(half):
        pair = values.narrow(dim, offset, length) + values.narrow(dim, _WINDOW - 1 - offset, length)
        total.add_(pair, alpha=shares[offset])
    return total


Tool = TypeVar("Tool")


class MetricTools:
    """Device, weights and face analyser of metrics, opened on demand and shared by all methods.

    Attributes:
        device: where to compute.
        root: folder of the weights that the user adds.
    """

    def __init__(self, device: torch.device | str = "cpu", root: Path | None = None) -> None:
        self.device, self.root = torch.device(device), root or default_checkpoint_root()
        self._made: dict[Any, Any] = {}

    @cached_property
    def analyser(self) -> FaceAnalyser:
        """Backend for faces and landmarks.

        Raises:
            DependencyError: if no landmark backend is there.
        """
        return open_analyser(root=self.root, device=str(self.device))

    def once(self, make: Callable[[MetricTools], Tool]) -> Tool:
        """The result of ``make(self)``, such as a network with its weights; made on the first call."""
        if make not in self._made:
            self._made[make] = make(self)
        tool: Tool = self._made[make]
        return tool


class Metric(ABC):
    """A measure of predicted against real frames, gathered chunk by chunk; one object for each method.

    Attributes:
        heading: of its column in the table.
        digits: behind the point, in the table.
        better: direction of good numbers.
        over: scope of a number: each clip, or the whole set of a method's clips.
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
    """Mean of a number over frames."""

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
    measure = staticmethod(l1)


class PSNR(FrameMetric):
    """Peak signal-to-noise ratio in dB."""

    heading, digits, better = "PSNR", 2, "higher"
    measure = staticmethod(psnr)


class SSIM(FrameMetric):
    """Structural similarity."""

    heading, better = "SSIM", "higher"
    measure = staticmethod(ssim)


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
