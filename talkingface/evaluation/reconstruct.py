"""Same-identity reconstruction: the first frame of a clip, driven by the whole clip, against the clip itself."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from fractions import Fraction

import torch
from torch import Tensor
from torch.nn import functional

from ..data.store import Clip, ClipStore, Frames
from ..models.base import Driver, ModelPlugin, Renderer
from ..pipelines.frames import to_tensor, windows
from ..types import Source
from .affine import best_affine
from .metrics import METRICS
from .report import ClipScore, Report
from .settings import EvaluateSettings

_log = logging.getLogger(__name__)
_DEFAULT_FPS = Fraction(25)

Predict = Callable[[slice], Tensor]


def evaluate(
    plugin: ModelPlugin | None,
    store: ClipStore,
    settings: EvaluateSettings,
    *,
    device: torch.device | str = "cpu",
    precision: torch.dtype = torch.float32,
) -> Report:
    """Measure a model and the baselines on the clips of a store.

    As in the paper of FOM (section 4, "video reconstruction"): the source is the first frame, the motion is absolute,
    every frame of the clip counts, the first one too. Predictions are compared as floats, without a detour over 8 bits.

    Args:
        plugin: the model; None measures the baselines alone.
        store: test clips.
        settings: group ``evaluate``.
        device: where to compute.
        precision: of the model.

    Raises:
        DataError: if a clip cannot be decoded.
    """
    started = time.monotonic()
    clips = store.clips()[: settings.max_clips]
    model = _Reconstructor(plugin, device, precision) if plugin is not None else None
    size = settings.image_size or (model.size if model else 256)
    scores: list[ClipScore] = []
    for number, clip in enumerate(clips, 1):
        frames = store.whole(clip, size, settings.max_frames)
        scores += _score_clip(clip, frames, _methods(model, clip, frames, settings, device), settings.chunk, device)
        _log.info("%d of %d clips, %s", number, len(clips), clip.name)
    order = {name: place for place, name in enumerate(dict.fromkeys(score.method for score in scores))}
    scores.sort(key=lambda score: order[score.method])
    facts = {"data": store.root.name, "size": size, "seconds": round(time.monotonic() - started, 1)}
    return Report.of(scores, {**facts, **settings.model_dump(mode="json", exclude={"image_size"})})


class _Reconstructor:
    """A model as a function from a clip to its reconstruction."""

    def __init__(self, plugin: ModelPlugin, device: torch.device | str, precision: torch.dtype) -> None:
        plugin.networks.to(device)
        self.name = plugin.name
        self._driver: Driver = plugin.driver(precision)
        self._renderer: Renderer = plugin.renderer(precision)
        self._device = device
        self.size = self._renderer.size[0]

    def predictor(self, frames: Frames, fps: Fraction, chunk: int) -> Predict:
        """Drive the first frame by all; returns what draws a chunk of the result."""
        with torch.inference_mode():
            motion = self._driver.drive(self._driving(frames, chunk), fps)
            state = self._renderer.encode_source(Source(_pictures(frames[:1], self._device)))
        parts = {keep_of.start: (window, keep) for keep_of, window, keep in _chunks(len(motion), chunk, self._renderer)}

        def predict(chosen: slice) -> Tensor:
            window, keep = parts[chosen.start]
            return self._renderer.render(state, motion[window])[keep].float().clamp(0, 1)

        return predict

    def _driving(self, frames: Frames, chunk: int) -> Iterator[Tensor]:
        """Chunks of the clip in the size that the driver wants."""
        for start in range(0, len(frames), chunk):
            pictures = _pictures(frames[start : start + chunk], self._device)
            if tuple(pictures.shape[-2:]) != tuple(self._driver.size):
                pictures = functional.interpolate(pictures, size=self._driver.size, mode="bilinear", antialias=True)
            yield pictures


def _chunks(length: int, chunk: int, renderer: Renderer) -> Iterator[tuple[slice, slice, slice]]:
    """(frames of the clip, frames to render, which of those belong to the chunk), chunk after chunk."""
    for start, (window, keep) in zip(range(0, length, chunk), windows(length, chunk, renderer.radius), strict=True):
        yield slice(start, min(start + chunk, length)), window, keep


def _pictures(frames: Frames, device: torch.device | str) -> Tensor:
    """Frames (n, H, W, 3) uint8 as (n, 3, H, W) in [0, 1]."""
    return to_tensor(list(frames), device)


def _methods(
    model: _Reconstructor | None, clip: Clip, frames: Frames, settings: EvaluateSettings, device: torch.device | str
) -> dict[str, Predict]:
    """What is measured on a clip, by name."""
    source, chunk = _pictures(frames[:1], device), settings.chunk
    baselines: dict[str, Predict] = {
        "repeat": lambda chosen: source.expand(chosen.stop - chosen.start, -1, -1, -1),
        "affine": lambda chosen: best_affine(source, _pictures(frames[chosen], device)),
    }
    methods = {model.name: model.predictor(frames, clip.fps or _DEFAULT_FPS, chunk)} if model else {}
    return {**methods, **{name: baselines[name] for name in settings.baselines}}


def _score_clip(
    clip: Clip, frames: Frames, methods: dict[str, Predict], chunk: int, device: torch.device | str
) -> list[ClipScore]:
    """Mean scores of a clip, by method."""
    totals = {method: dict.fromkeys(METRICS, 0.0) for method in methods}
    for start in range(0, len(frames), chunk):
        chosen = slice(start, min(start + chunk, len(frames)))
        real = _pictures(frames[chosen], device)
        with torch.inference_mode():
            for method, predict in methods.items():
                predicted = predict(chosen)
                for name, metric in METRICS.items():
                    totals[method][name] += float(metric(predicted, real).sum()) / len(frames)
    return [ClipScore(method, clip.name, clip.identity, len(frames), scores) for method, scores in totals.items()]
