"""Same-identity reconstruction: the first frame of a clip, driven by the whole clip, against the clip itself."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from ..data.store import Clip, ClipStore, Frames
from ..models.base import ModelPlugin, Renderer
from ..motion.kinds import of_coefficients
from ..pipelines.draw.render import encode_source, retarget
from ..pipelines.frames import to_tensor, windows
from ..pipelines.model import LoadedModel, assemble, default_options
from ..pipelines.motions import as_taken
from .clips.affine import best_affine
from .clips.chosen import chosen_clips
from .clips.pairs import choose_pairs
from .measure import Measured, Predict, Shot, measure
from .metric import ClipFacts, Metric, MetricTools, choose_metrics
from .report import Report
from .results.unfinished import Unfinished
from .results.write import directions
from .settings import EvaluateSettings

_DEFAULT_FPS = Fraction(25)


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
    """Measure a model that is loaded, and the baselines; see `measure_reconstruction`.

    Args:
        model: None measures the baselines alone.
        store, settings, device, root: as for :func:`evaluate`.
    """
    started = time.monotonic()
    tools = MetricTools(device, root)
    metrics = choose_metrics(settings.metrics, tools)
    measured = measure_reconstruction(model, store, settings, metrics, tools)
    facts = {"data": store.root.name, "size": size_of(model, settings)}
    facts |= {"seconds": round(time.monotonic() - started, 1)}
    facts |= {"better": directions(metrics)}
    facts |= settings.model_dump(mode="json", exclude={"image_size"})
    return Report.of(measured.scores, facts, of_sets=measured.of_sets)


def measure_reconstruction(
    model: LoadedModel | None,
    store: ClipStore,
    settings: EvaluateSettings,
    metrics: Mapping[str, type[Metric]],
    tools: MetricTools,
    unfinished: Unfinished | None = None,
) -> Measured:
    """Draw each clip from its first frame, and compare.

    As in the paper of FOM (section 4, "video reconstruction"): the source is the first frame, the motion is absolute,
    every frame of the clip counts, the first one too. Predictions are compared as floats, without a detour over 8 bits.
    A model of coefficients is moved by those of the clip's own frames; clips without a face are left
    out then, for the baselines too.

    Raises:
        DataError: if a clip cannot be decoded, or none shows a face.
    """
    redraw = None if model is None else _Reconstructor(model)
    clips = chosen_clips(store.clips(), settings)
    shots = [(clip.name, partial(_shot, redraw, store, clip, settings, tools.device)) for clip in clips]
    return measure("reconstruction", shots, metrics, tools, chunk=settings.chunk, unfinished=unfinished)


def measure_another(
    model: LoadedModel,
    store: ClipStore,
    settings: EvaluateSettings,
    metrics: Mapping[str, type[Metric]],
    tools: MetricTools,
    seed: int,
    unfinished: Unfinished | None = None,
) -> Measured:
    """Move the first frame of one person by the clip of another, and measure what needs no frame to aim at.

    The motion is relative, as a user's; pairs come from ``evaluate.pairs`` or are drawn by the seed.

    Raises:
        DataError: if the pairs cannot be read, or the clips show one person alone.
    """
    redraw = _Reconstructor(model)
    pairs = choose_pairs(chosen_clips(store.clips(), settings), settings.pair_count, settings.pairs, seed)
    shots = [
        (f"{source.name} by {driving.name}", partial(_other, redraw, store, source, driving, settings, tools.device))
        for source, driving in pairs
    ]
    free = {name: metric for name, metric in metrics.items() if not metric.aligned}
    return measure("another", shots, free, tools, chunk=settings.chunk, unfinished=unfinished)


def size_of(model: LoadedModel | None, settings: EvaluateSettings) -> int:
    """Side of the pictures that are compared."""
    return settings.image_size or (256 if model is None else model.renderer.size[0])


class _Reconstructor:
    """Prediction of a clip by a model."""

    def __init__(self, model: LoadedModel) -> None:
        self.name, self.size = model.plugin.name, model.renderer.size[0]
        self._model, self._renderer = model, model.renderer

    def predictor(
        self, frames: Frames, fps: Fraction, chunk: int, another: Frames | None = None, *, relative: bool = False
    ) -> Predict:
        """Drive a picture by frames; returns the function that renders a chunk of the result.

        Args:
            frames: (T, S, S, 3), whose first is the picture unless `another` is given.
            another: (1, S, S, 3), the picture of another person.
            relative: carry the change since the first frame.
        """
        model = self._model
        source, motion = model.reader.read_clip(frames, fps, chunk=chunk)
        if another is not None:
            source, _ = model.reader.read_clip(another, fps, chunk=chunk)
        if of_coefficients(motion.kind):
            motion = as_taken(motion, self._renderer.takes)
        if of_coefficients(motion.kind) or another is not None:
            options = default_options(self.name) | {"relative": relative}
            motion = retarget(model.plugin, model.reader, source, motion, options)
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


def _shot(
    model: _Reconstructor | None,
    store: ClipStore,
    clip: Clip,
    settings: EvaluateSettings,
    device: torch.device | str,
) -> Shot:
    """A clip, the model's prediction of it and the baselines."""
    size = settings.image_size or (model.size if model else 256)
    frames, fps = store.whole(clip, size, settings.max_frames), clip.fps or _DEFAULT_FPS
    source = _pictures(frames[:1], device)
    baselines: dict[str, Predict] = {
        "repeat": lambda chosen: source.expand(chosen.stop - chosen.start, -1, -1, -1),
        "affine": lambda chosen: best_affine(source, _pictures(frames[chosen], device)),
    }
    methods = {model.name: model.predictor(frames, fps, settings.chunk)} if model else {}
    methods |= {name: baselines[name] for name in settings.baselines}
    facts = ClipFacts(fps, source, _sound(store, clip))
    return Shot(clip.name, clip.identity, len(frames), facts, lambda chosen: _pictures(frames[chosen], device), methods)


def _other(
    model: _Reconstructor,
    store: ClipStore,
    source: Clip,
    driving: Clip,
    settings: EvaluateSettings,
    device: torch.device | str,
) -> Shot:
    """The first frame of one clip, moved by another; the frames compared with are the driver's."""
    size = settings.image_size or model.size
    frames, fps = store.whole(driving, size, settings.max_frames), driving.fps or _DEFAULT_FPS
    picture = store.whole(source, size, 1)
    methods = {model.name: model.predictor(frames, fps, settings.chunk, picture, relative=True)}
    facts = ClipFacts(fps, _pictures(picture, device), _sound(store, driving))
    name = f"{source.name} by {driving.name}"
    return Shot(name, source.identity, len(frames), facts, lambda chosen: _pictures(frames[chosen], device), methods)


def _sound(store: ClipStore, clip: Clip) -> Path | None:
    return store.file(clip) if clip.has_audio else None
