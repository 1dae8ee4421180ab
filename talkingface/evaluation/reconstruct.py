"""Same-identity reconstruction: the first frame of a clip, driven by the whole clip, against the clip itself."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import torch
from torch import Tensor

from ..data.store import Clip, ClipStore, Frames
from ..errors import DataError, NoFaceError
from ..models.base import ModelPlugin, Renderer
from ..motion.kinds import of_coefficients
from ..pipelines.frames import to_tensor, windows
from ..pipelines.model import LoadedModel, assemble
from ..pipelines.motions import as_taken
from ..pipelines.render import encode_source, retarget
from .affine import best_affine
from .metric import Metric, MetricTools, choose_metrics
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
    root: Path | None = None,
) -> Report:
    """Measure a model and the baselines on the clips of a store, see :func:`reconstruct`.

    Args:
        plugin: the model; None measures the baselines alone.
        store: test clips.
        settings: group ``evaluate``.
        device: where to compute.
        precision: of the model.
        root: folder of the weights that the user adds.
    """
    model = None
    if plugin is not None:
        plugin.networks.to(device)
        model = assemble(plugin, torch.device(device), precision, "", root=root)
    return reconstruct(model, store, settings, device=device, root=root)


def reconstruct(
    model: LoadedModel | None,
    store: ClipStore,
    settings: EvaluateSettings,
    *,
    device: torch.device | str = "cpu",
    root: Path | None = None,
) -> Report:
    """Measure a model that is loaded, and the baselines.

    As in the paper of FOM (section 4, "video reconstruction"): the source is the first frame, the motion is absolute,
    every frame of the clip counts, the first one too. Predictions are compared as floats, without a detour over 8 bits.
    A model of coefficients is moved by those of the clip's own frames; clips without a face are left
    out then, for the baselines too.

    Args:
        model: None measures the baselines alone.
        store, settings, device, root: as for :func:`evaluate`.

    Raises:
        DataError: if a clip cannot be decoded, or none shows a face.
        UnknownNameError, WeightsError, DependencyError: if a metric is not there, or something that it needs.
    """
    started = time.monotonic()
    clips = store.clips()[: settings.max_clips]
    redraw = None if model is None else _Reconstructor(model)
    size = settings.image_size or (redraw.size if redraw else 256)
    scores: list[ClipScore] = []
    tools = MetricTools(device, root)
    metrics = choose_metrics(settings.metrics, tools)
    measures: dict[str, dict[str, Metric]] = {}
    for number, clip in enumerate(clips, 1):
        frames = store.whole(clip, size, settings.max_frames)
        try:
            methods = _methods(redraw, clip, frames, settings, device)
        except NoFaceError:
            _log.warning("%s: no face is seen, so it is left out", clip.name)
            continue
        for method in methods.keys() - measures:
            measures[method] = {name: metric(tools) for name, metric in metrics.items()}
        scores += _score_clip(clip, frames, methods, measures, settings.chunk, device)
        _log.info("%d of %d clips, %s", number, len(clips), clip.name)
    if not scores:
        raise DataError("no face is seen in any clip", where=store.root)
    order = {name: place for place, name in enumerate(dict.fromkeys(score.method for score in scores))}
    scores.sort(key=lambda score: order[score.method])
    facts = {"data": store.root.name, "size": size, "seconds": round(time.monotonic() - started, 1)}
    facts |= {"better": {name: metric.better for name, metric in metrics.items()}}
    of_sets = {method: _computed(own, "set") for method, own in measures.items()}
    return Report.of(scores, {**facts, **settings.model_dump(mode="json", exclude={"image_size"})}, of_sets=of_sets)


class _Reconstructor:
    """Prediction of a clip by a model."""

    def __init__(self, model: LoadedModel) -> None:
        self.name, self.size = model.plugin.name, model.renderer.size[0]
        self._model, self._renderer = model, model.renderer

    def predictor(self, frames: Frames, fps: Fraction, chunk: int) -> Predict:
        """Drive the first frame by all; returns the function that renders a chunk of the result."""
        model = self._model
        source, motion = model.reader.read_clip(frames, fps, chunk=chunk)
        if of_coefficients(motion.kind):
            motion = as_taken(motion, self._renderer.takes)
            motion = retarget(model.plugin, model.reader, source, motion, {"relative": False})
        state = encode_source(self._renderer, source)
        parts = {keep_of.start: (window, keep) for keep_of, window, keep in _chunks(len(motion), chunk, self._renderer)}

        def predict(chosen: slice) -> Tensor:
            window, keep = parts[chosen.start]
            return self._renderer.render_part(state, motion[window], keep).float().clamp(0, 1)

        return predict


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
    """Predictions that are measured on a clip, by method."""
    source, chunk = _pictures(frames[:1], device), settings.chunk
    baselines: dict[str, Predict] = {
        "repeat": lambda chosen: source.expand(chosen.stop - chosen.start, -1, -1, -1),
        "affine": lambda chosen: best_affine(source, _pictures(frames[chosen], device)),
    }
    methods = {model.name: model.predictor(frames, clip.fps or _DEFAULT_FPS, chunk)} if model else {}
    return {**methods, **{name: baselines[name] for name in settings.baselines}}


def _score_clip(
    clip: Clip,
    frames: Frames,
    methods: dict[str, Predict],
    measures: dict[str, dict[str, Metric]],
    chunk: int,
    device: torch.device | str,
) -> list[ClipScore]:
    """Scores of a clip, by method; metrics of the whole set accumulate."""
    for start in range(0, len(frames), chunk):
        chosen = slice(start, min(start + chunk, len(frames)))
        real = _pictures(frames[chosen], device)
        with torch.inference_mode():
            for method, predict in methods.items():
                predicted = predict(chosen)
                for metric in measures[method].values():
                    metric.update(predicted, real)
    return [
        ClipScore(method, clip.name, clip.identity, len(frames), _computed(measures[method], "clip"))
        for method in methods
    ]


def _computed(measures: dict[str, Metric], over: str) -> dict[str, float]:
    """Numbers of the metrics over each clip, or over the whole set."""
    return {name: metric.compute() for name, metric in measures.items() if metric.over == over}
