"""The interface of metrics, and what they share: device, weights, a face analyser, facts of the clip."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

import torch
from torch import Tensor

from ..errors import DependencyError, TalkingFaceError, UnknownNameError
from ..face.detect.analyser import FaceAnalyser, missing_files, open_analyser
from ..paths import default_checkpoint_root
from ..plugins import METRICS
from ..weights import load_catalogue

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
        self._of_frames: dict[Any, tuple[Tensor, Any]] = {}

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

    def of_real(self, measure: Callable[[MetricTools, Tensor], Tool], real: Tensor) -> Tool:
        """The result of ``measure(self, real)``, kept while the same tensor is asked for: methods share real frames.

        Args:
            real: (N, 3, H, W), RGB, [0, 1].
        """
        frames, seen = self._of_frames.get(measure, (None, None))
        if frames is not real:
            seen = measure(self, real)
            self._of_frames[measure] = (real, seen)
        found: Tool = seen  # type: ignore[assignment]
        return found


@dataclass(frozen=True)
class ClipFacts:
    """Facts of the clip that is measured next.

    Attributes:
        fps: frames per second.
        source: (1, 3, H, W) in [0, 1], the picture that was animated.
        real_sound, made_sound: files with the sound of either side; None where there is none.
    """

    fps: Fraction
    source: Tensor
    real_sound: Path | None = None
    made_sound: Path | None = None


ObserverT = TypeVar("ObserverT", bound="Observer")


class Observing:
    """A part of an evaluation that reads observers.

    Attributes:
        observes: kinds of `Observer` that it reads, through `observed`; each has taken the frames before it.
    """

    observes: ClassVar[tuple[type[Observer], ...]] = ()

    def __init__(self, tools: MetricTools) -> None:
        self.tools = tools
        self.observers: Mapping[type[Observer], Observer] = {}

    def observed(self, kind: type[ObserverT]) -> ObserverT:
        """The observer of a kind that `observes` names, with what it saw of the clip."""
        observer = self.observers[kind]
        assert isinstance(observer, kind)  # noqa: S101 (narrows the type)
        return observer


class Observer(Observing, ABC):
    """Something seen in predicted and real frames that several metrics measure; one object for each method."""

    @abstractmethod
    def begin(self, clip: ClipFacts) -> None:
        """Forget the clip before, and take the facts of the next."""

    @abstractmethod
    def update(self, predicted: Tensor, real: Tensor) -> None:
        """Take the next frames (N, 3, H, W), RGB, [0, 1]."""


class Metric(Observing, ABC):
    """A measure of predicted against real frames, gathered chunk by chunk; one object for each method.

    Attributes:
        heading: of its column in the table.
        digits: behind the point, in the table.
        better: direction of good numbers.
        aim: the best number, where larger ones are too large.
        over: scope of a number: each clip, or the whole set of a method's clips.
        weights: name or bundle of the catalogue whose files it needs; empty: none.
        packages: modules that it imports and the toolkit does not bring.
        landmarks: it needs ``tools.analyser``.
        aligned: the real frames show the same person, pixel for pixel; otherwise they are only the driver's.
        version: of the definition; a report is comparable with another where the versions are equal.
    """

    heading: ClassVar[str]
    digits: ClassVar[int] = 4
    better: ClassVar[Literal["lower", "higher"]]
    aim: ClassVar[float | None] = None
    over: ClassVar[Literal["clip", "set"]] = "clip"
    weights: ClassVar[str] = ""
    packages: ClassVar[tuple[str, ...]] = ()
    landmarks: ClassVar[bool] = False
    aligned: ClassVar[bool] = True
    version: ClassVar[int] = 1

    def begin(self, clip: ClipFacts) -> None:
        """Take the facts of the clip that comes next."""

    @abstractmethod
    def update(self, predicted: Tensor, real: Tensor) -> None:
        """Take the next frames.

        Args:
            predicted, real: (N, 3, H, W), RGB, [0, 1]; frame by frame of one clip.
        """

    def kept(self) -> dict[str, Tensor]:
        """Tensors (n, ...) that a metric of the set gathered in the clip, for an evaluation that goes on later."""
        return {}

    def take(self, kept: Mapping[str, Tensor]) -> None:
        """Add what `kept` gave of a clip in an earlier run, tensors (n, ...)."""

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


ALL = "all"
"""The word for every metric that has what it needs."""


def choose_metrics(names: list[str], tools: MetricTools) -> dict[str, type[Metric]]:
    """Classes of the metrics that ``--evaluate.metrics`` names, each of which has what it needs.

    Raises:
        UnknownNameError: if there is no such metric, or its package is broken.
        WeightsError: if a file that one needs is not there.
        DependencyError: if one needs landmarks, and no backend is there.
    """
    if ALL in names:
        lacking = lacking_metrics(tools)
        return {name: metric for name, metric in METRICS.usable().items() if name not in lacking}
    chosen = {name: METRICS.get(name, where="--evaluate.metrics") for name in names}
    for name, metric in chosen.items():
        if (problem := problem_of(name, metric, tools)) is not None:
            raise problem
    return chosen


def lacking_metrics(tools: MetricTools) -> dict[str, str]:
    """Metrics that cannot be measured here -> the reason, with the name of the file or package that is not there."""
    problems = {name: problem_of(name, metric, tools) for name, metric in METRICS.usable().items()}
    return {name: str(problem) for name, problem in problems.items() if problem is not None} | METRICS.broken()


def problem_of(name: str, metric: type[Metric], tools: MetricTools) -> TalkingFaceError | None:
    """The reason why a metric cannot be measured here; None where it can."""
    files = load_catalogue().entries_for(metric.weights) if metric.weights else ()
    missing = [entry for entry in files if not entry.path(tools.root).is_file()]
    if missing:
        return missing_files(f"--evaluate.metrics={name}", missing, tools.root)
    lacking = [package for package in metric.packages if find_spec(package) is None]
    if lacking:
        cure = f"Install it: pip install {lacking[0]}."
        return DependencyError(f"'{name}' needs {lacking[0]}", where="--evaluate.metrics", cure=cure)
    if metric.landmarks:
        try:
            _ = tools.analyser
        except TalkingFaceError as error:
            return error
    return None


def heading_of(name: str) -> tuple[str, int] | None:
    """(heading, digits) of a metric by its name; None if there is none of the name."""
    try:
        metric = METRICS.get(name)
    except UnknownNameError:
        return None
    return metric.heading, metric.digits
