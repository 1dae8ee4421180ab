"""Contract of a model plug-in, for tests of its author: ``from talkingface.testing import check_model``.

Needs no test runner: what is broken is an AssertionError that says what. One that has several small builds, or wants
each check apart, takes :class:`SmallModel` and :data:`CHECKS`.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import BaseModel
from torch import Tensor, nn

from . import registry
from .config import model_config, settings_from, variant_params
from .config.model import variant_names
from .config.options import settings_class
from .data import Batches, open_store
from .data.features import FeatureOptions, add_features
from .data.samples import describe
from .errors import ConfigError, MotionError
from .media.image import read_image, resize
from .models.base import Batch, ModelPlugin, Phase, SpeechRequest
from .models.samples import AudioWindow, CoefficientWindow
from .motion.kinds import of_coefficients
from .paths import shipped
from .pipelines.frames import to_tensor, windows
from .pipelines.model import check_joined, default_options
from .plugins import one_line
from .train import TrainSettings
from .train.checkpoints import export
from .train.step import freeze_others
from .types import Motion, Source
from .weights.load import load_networks, load_strict

FPS, FRAMES = Fraction(30000, 1001), 5
# Chunks only change the order of sums; after some tens of layers that is far below one of 255 levels.
ROUNDING = 1e-4


def check_model(
    model: str,
    params: Mapping[str, Any] | None = None,
    *,
    train: Mapping[str, Any] | None = None,
    may_default: Collection[str] = (),
) -> None:
    """Check that an installed model keeps the contract of all models; takes seconds where the build is small.

    It builds from its settings, animates five frames, chunks do not change the numbers, gradients reach every parameter
    that its phases declare, saved weights come back exactly, its flags and YAML files are complete.

    Args:
        model: the word after ``--model=``.
        params: settings that make it small, as below ``model_params``; pictures have 64 pixels.
        train: settings of its training, for example to leave out a loss that needs a download.
        may_default: groups of its settings that a variant's file need not spell out.

    Raises:
        AssertionError: says what is broken.
    """
    small = SmallModel(model, params=params or {}, train=train or {}, may_default=frozenset(may_default))
    for name, check in CHECKS.items():
        try:
            check(small)
        except AssertionError:
            raise
        except Exception as error:
            raise AssertionError(f"the check '{name}' ended with {one_line(error)}") from error


@dataclass(frozen=True)
class SmallModel:
    """A model, made small.

    Attributes:
        model: the word after ``--model=``.
        label: tells several small builds of one model apart.
        params: its settings, which may leave everything out that is small by default.
        train: settings of its training, for example to leave out a loss that needs a download.
        may_default: groups of its settings that a variant's file need not spell out.
        side: of square pictures, in pixels.
    """

    model: str
    label: str = "small"
    params: Mapping[str, Any] = field(default_factory=dict)
    train: Mapping[str, Any] = field(default_factory=dict)
    may_default: frozenset[str] = frozenset()
    side: int = 64

    def build(self, seed: int = 0) -> ModelPlugin:
        """The plug-in with fresh weights drawn from ``seed``."""
        torch.manual_seed(seed)
        config = registry.config_class(self.model).model_validate(dict(self.params))
        plugin = registry.model(self.model)(config)
        plugin.choose_stage(str(self.train.get("stage", "")))
        return plugin

    def settings(self) -> TrainSettings:
        """Settings of its training, on two items at once."""
        return TrainSettings.model_validate({"batch_size": 2, "workers": 0, "tensorboard": False, **self.train})

    @cached_property
    def frames(self) -> Tensor:
        """Frames (5, 3, S, S) in [0, 1], S = ``side``: the shipped portrait, moving to the right."""
        picture = resize(read_image(shipped("dataset", "sample", "source.png")), (self.side, self.side))
        return to_tensor([np.roll(picture, 3 * step, axis=1) for step in range(FRAMES)])

    def batch(self, plugin: ModelPlugin) -> Batch:
        """A training batch of two items (2, ...) of the shipped sample, with all that the model's samples ask for."""
        sample = shipped("dataset", "sample")
        store = open_store(sample / "lmdb", "train", size=self.side)
        with tempfile.TemporaryDirectory() as folder:
            if any(isinstance(part, CoefficientWindow | AudioWindow) for part in describe(plugin.samples()).values()):
                options = FeatureOptions(folder=Path(folder), sound=sample, workers=1)
                store = add_features(store, plugin.samples(), options)
            return Batches(store, plugin.samples(), batch_size=2, image_size=self.side)[0]


def require(condition: object, what: str) -> None:
    """Raise an AssertionError with ``what`` is broken, unless the condition holds."""
    if not condition:
        raise AssertionError(what)


def require_attributes(part: object, *names: str) -> None:
    """Raise an AssertionError unless a part of the plug-in has these attributes."""
    lacking = [name for name in names if not hasattr(part, name)]
    require(not lacking, f"{type(part).__name__} has no {' and no '.join(lacking)}")


def require_refusal(function: Callable[[], Any], error: type[Exception], word: str, what: str) -> None:
    """Raise an AssertionError unless a function raises an error that has a word in it."""
    try:
        function()
    except error as raised:
        require(word in str(raised), f"{what} does not name '{word}': {raised}")
    else:
        raise AssertionError(f"{what} is not refused with a {error.__name__}")


def near(tensor: Tensor, other: Tensor) -> bool:
    """True if two tensors (...) are the same but for rounding."""
    return tensor.shape == other.shape and torch.allclose(tensor, other, atol=ROUNDING)


# Motion and pictures, on tensors, as the pipeline makes them.


def coefficients_of(frames: Tensor) -> Tensor:
    """(n, 73): coefficients that follow frames (n, 3, H, W), as a reconstructor's would."""
    means = F.adaptive_avg_pool2d(frames, 4).flatten(1) - 0.5
    return means @ torch.randn(means.shape[1], 73, generator=torch.Generator().manual_seed(5)) / 4


def drive(plugin: ModelPlugin, frames: Tensor, chunk: int = FRAMES) -> Motion:
    """Motion of frames (n, 3, H, W), by the model's own extractor or as coefficients."""
    if not takes_coefficients(plugin):
        return plugin.extractor().extract(frames.split(chunk), FPS)
    return Motion("3dmm.73", FPS, {"coefficients": coefficients_of(frames)}, plugin.renderer().space)


def takes_coefficients(plugin: ModelPlugin) -> bool:
    """True where face coefficients drive a model."""
    return of_coefficients(plugin.renderer().takes)


def source_of(frames: Tensor) -> Source:
    """The first of frames (n, 3, H, W), as a source picture with its coefficients."""
    return Source(frames[:1], coefficients_of(frames[:1]), torch.zeros(1, 80))


def animate(plugin: ModelPlugin, frames: Tensor, chunk: int = FRAMES) -> Tensor:
    """Frames (n, 3, H, W) of the first one, moved like all of them."""
    plugin.networks.eval()
    motion = drive(plugin, frames)
    return draw(plugin, frames, fit(plugin, motion[:1], motion), chunk)


def fit(plugin: ModelPlugin, own: Motion, driving: Motion, *, relative: bool = True) -> Motion:
    """Driving motion fitted to the source's own, with the flags that a run has by default."""
    return plugin.retarget(own, driving, default_options(plugin.name) | {"relative": relative})


def draw(plugin: ModelPlugin, frames: Tensor, fitted: Motion, chunk: int = FRAMES) -> Tensor:
    """Frames (n, 3, H, W) of the first one under a motion that is fitted to it."""
    renderer = plugin.renderer()
    state = renderer.encode_source(source_of(frames))
    chunks = windows(len(fitted), chunk, renderer.radius)
    return torch.cat([renderer.render_part(state, fitted[window], keep) for window, keep in chunks])


def losses_of(plugin: ModelPlugin, phase: Phase, batch: Batch, trainable: set[int]) -> dict[str, Tensor]:
    """Losses () of a phase, run as the trainer does with the other networks frozen; the gradients stay."""
    freeze_others(plugin.networks, phase, trainable)
    plugin.networks.train().zero_grad()
    losses = phase.loss(batch)
    named = isinstance(losses, dict) and all(isinstance(loss, Tensor) for loss in losses.values())
    require(named, f"the loss of {phase.name} gives {type(losses).__name__}, not names and tensors")
    torch.stack(list(losses.values())).sum().backward()
    return losses


def trainable_of(plugin: ModelPlugin) -> set[int]:
    """Ids of the parameters that a model wants trained at all, asked for before any phase freezes others."""
    return {id(parameter) for parameter in plugin.networks.parameters() if parameter.requires_grad}


def parameters_of(plugin: ModelPlugin, phase: Phase, trainable: set[int]) -> dict[str, nn.Parameter]:
    """Parameters that a phase steps, by the names that it gives to networks or their parts, without frozen ones."""
    return {
        f"{name}.{key}": parameter
        for name in phase.networks
        for key, parameter in plugin.networks.get_submodule(name).named_parameters()
        if id(parameter) in trainable
    }


# The checks.


def check_builds(small: SmallModel) -> None:
    """It builds from its settings, is called as its entry, and its configuration survives JSON."""
    lacking = sorted(getattr(registry.model(small.model), "__abstractmethods__", ()))
    require(not lacking, f"the plug-in lacks {', '.join(lacking)}; talkingface.models.base says what each does")
    plugin = small.build()
    require_attributes(plugin, "name", "Config", "config", "networks", "inference_networks")
    require_attributes(plugin.renderer(), "takes", "size")
    if not takes_coefficients(plugin):
        require_attributes(plugin.extractor(), "takes", "gives", "size")
    if (voice := plugin.voice()) is not None:
        require_attributes(voice, "gives", "space", "fps", "sample_rate", "styles")
    require(plugin.name == small.model, f"the plug-in is called '{plugin.name}', and its entry '{small.model}'")
    require(plugin.Config is registry.config_class(small.model), "the entry's config is not the plug-in's Config")
    missing = set(plugin.inference_networks) - set(plugin.networks)
    require(not missing, f"inference_networks names {sorted(missing)}, which networks does not hold")
    again = registry.config_class(small.model).model_validate(json.loads(plugin.config.model_dump_json()))
    require(again == plugin.config, "the configuration is another one after model_dump_json")


def check_entry(small: SmallModel) -> None:
    """Check that the entry of a plug-in fits the loaded plug-in."""
    entry, plugin = registry.entry(small.model), small.build()
    renderer, voice = plugin.renderer(), plugin.voice()
    coefficients = takes_coefficients(plugin)
    what = f"the entry says coefficients={entry.coefficients}, and the renderer takes '{renderer.takes}'"
    require(entry.coefficients in (None, coefficients), what)
    styles = 0 if voice is None else voice.styles
    require(entry.pose_styles in (None, styles), f"the entry says {entry.pose_styles} pose styles of {styles}")
    space = getattr(plugin.config, "space", renderer.space)
    require(space == renderer.space, f"the config's space is '{space}', and the renderer's '{renderer.space}'")


def check_options(small: SmallModel) -> None:
    """Each of its own flags has a default, a description and a name that no shared flag has."""
    own = settings_class(small.model).OwnOptions
    for name, option in own.model_fields.items():
        require(not option.is_required(), f"the flag --{name} has no default")
        require(option.description, f"the flag --{name} has no description")
    require(not list(own().conflicts()), "its own flags contradict each other by their defaults")


def check_animates(small: SmallModel) -> None:
    """It animates five frames, in pictures of its renderer's size, in [0, 1]."""
    plugin = small.build()
    drawn, size = animate(plugin, small.frames), plugin.renderer().size
    require(drawn.shape == (FRAMES, 3, *size), f"frames are {tuple(drawn.shape)}, for a renderer of {size}")
    require(drawn.min() >= 0 and drawn.max() <= 1, f"frames go from {drawn.min():g} to {drawn.max():g}, not in [0, 1]")
    motion = drive(plugin, small.frames)
    require((len(motion), motion.fps) == (FRAMES, FPS), f"five frames gave {len(motion)} at {motion.fps} a second")
    if not takes_coefficients(plugin):
        gives = plugin.extractor().gives
        require(motion.kind == gives, f"the extractor gives '{motion.kind}', and says '{gives}'")


def check_rests(small: SmallModel) -> None:
    """No movement at all gives one picture all along."""
    drawn = animate(small.build(), small.frames[:1].expand(FRAMES, -1, -1, -1))
    require(near(drawn, drawn[:1].expand_as(drawn)), "frames differ though nothing moves")


def check_chunks(small: SmallModel) -> None:
    """Chunks do not change the numbers, neither of the motion nor of the pictures."""
    plugin = small.build()
    plugin.networks.eval()
    motion, drawn = drive(plugin, small.frames), animate(plugin, small.frames)
    for chunk in (1, 2):
        pieces = drive(plugin, small.frames, chunk)
        for name, value in motion.values.items():
            require(near(pieces.values[name], value), f"'{name}' of the motion is another one in chunks of {chunk}")
        require(near(animate(plugin, small.frames, chunk), drawn), f"frames are others in chunks of {chunk}")


def check_fits(small: SmallModel) -> None:
    """Extractor and renderer share one kind of motion, and a motion of another kind is refused by its name."""
    plugin = small.build()
    renderer, coefficients = plugin.renderer(), takes_coefficients(plugin)
    if not coefficients:
        check_joined(plugin.extractor(), renderer)
    require(coefficients == (renderer.space in ("bfm", "mesh")), f"'{renderer.takes}' in the space '{renderer.space}'")
    other = Motion("of.another.model", FPS, drive(plugin, small.frames).values)
    require_refusal(lambda: renderer.check(other), MotionError, other.kind, "a motion of another model")


def check_parts(small: SmallModel) -> None:
    """A part is drawn as in the whole."""
    plugin = small.build()
    plugin.networks.eval()
    renderer, motion = plugin.renderer(), drive(plugin, small.frames)
    fitted = fit(plugin, motion[:1], motion)
    state = renderer.encode_source(source_of(small.frames))
    whole = renderer.render(state, fitted)
    require(len(whole) == FRAMES, f"a motion of five frames gave {len(whole)} pictures")
    part = renderer.render_part(state, fitted, slice(1, 3))
    require(near(part, whole[1:3]), "render_part draws other frames than render")


def check_voice(small: SmallModel) -> None:
    """Its voice, if it has one, gives what it says, the same for the same seed, in a form that the renderer draws."""
    plugin = small.build()
    plugin.networks.eval()
    voice = plugin.voice()
    require((voice is not None) == bool(plugin.voice_networks), "voice_networks and voice() disagree")
    require(set(plugin.voice_networks) <= set(plugin.inference_networks), "voice_networks are inference_networks too")
    if voice is None:
        return
    wave = torch.randn(voice.sample_rate, generator=torch.Generator().manual_seed(2)) / 10
    source = coefficients_of(small.frames[:1])
    for request in (
        SpeechRequest(wave, 12, style=voice.styles - 1),
        SpeechRequest(None, 12),
        SpeechRequest(wave[:10], 1),
    ):
        motion, again = voice.speak(request, source), voice.speak(request, source)
        given = (motion.kind, motion.fps, motion.space)
        require(given == (voice.gives, voice.fps, voice.space), f"the voice gives {given}, and says otherwise")
        shape = tuple(motion.values["coefficients"].shape)
        require(shape == (request.frames, 70), f"the voice gives {shape} for {request.frames} frames")
        require(torch.equal(again.values["coefficients"], motion.values["coefficients"]), "one seed gives two motions")
    first, second = (voice.speak(SpeechRequest(wave, 12, seed=seed), source).values["coefficients"] for seed in (0, 1))
    require(not torch.equal(first, second), "two seeds give one motion")
    unknown = SpeechRequest(wave, 5, style=voice.styles)
    require_refusal(lambda: voice.speak(unknown, source), ConfigError, "style", "a style that is not there")
    own = Motion("3dmm.73", voice.fps, {"coefficients": source}, voice.space)
    fitted = fit(plugin, own, voice.speak(SpeechRequest(wave, 5), source), relative=False)
    renderer = plugin.renderer()
    require(fitted.kind == renderer.takes, f"retarget gives '{fitted.kind}', and the renderer takes '{renderer.takes}'")
    drawn = draw(plugin, small.frames, fitted)
    require(drawn.shape == (FRAMES, 3, *renderer.size), f"a voice gave frames of {tuple(drawn.shape)}")


def check_subject(small: SmallModel) -> None:
    """A subject that its extractor finds lies inside the picture."""
    plugin = small.build()
    extractor = None if takes_coefficients(plugin) else plugin.extractor()
    found = None if extractor is None else extractor.locate(small.frames[:1])
    if extractor is None or found is None:
        return
    require(extractor.locates, "locate finds a subject, and locates is False")
    room = small.side - found.side
    inside = found.side > 0 and 0 <= found.left <= room and 0 <= found.top <= room
    require(inside, f"{found} lies outside a picture of {small.side} pixels")


def check_gradients(small: SmallModel) -> None:
    """Losses are finite, and gradients reach every parameter that a phase declares, and no other."""
    plugin = small.build()
    batch, phases = small.batch(plugin), plugin.phases(small.settings())
    trainable = trainable_of(plugin)  # a stage may add networks of its own
    for phase in phases:
        losses = losses_of(plugin, phase, batch, trainable)
        for name, value in losses.items():
            require(value.ndim == 0 and value.isfinite(), f"the loss '{name}' of {phase.name} is {value}")
        stepped = parameters_of(plugin, phase, trainable)
        for name, parameter in stepped.items():
            reached = parameter.grad is not None and bool(parameter.grad.isfinite().all())
            require(reached, f"{phase.name} does not reach {name}")
        own = {id(parameter) for parameter in stepped.values()}
        others = [key for key, p in plugin.networks.named_parameters() if id(p) not in own and p.grad is not None]
        require(not others, f"{phase.name} also reaches {others}")


def check_steps(small: SmallModel) -> None:
    """A step of a phase changes every network that it declares."""
    plugin = small.build()
    batch, phases = small.batch(plugin), plugin.phases(small.settings())
    trainable = trainable_of(plugin)  # a stage may add networks of its own
    for phase in phases:
        own = parameters_of(plugin, phase, trainable)
        before = {name: parameter.detach().clone() for name, parameter in own.items()}
        losses_of(plugin, phase, batch, trainable)
        phase.optimizer(list(own.values())).step()
        moved = [name for name, parameter in own.items() if not torch.equal(parameter, before[name])]
        changed = {part for part in phase.networks if any(name.startswith(f"{part}.") for name in moved)}
        require(changed == set(phase.networks), f"{phase.name} leaves {set(phase.networks) - changed} as they were")


def check_validation(small: SmallModel) -> None:
    """Validation gives finite scores, and pictures in [0, 1]."""
    plugin = small.build()
    plugin.phases(small.settings())  # as the trainer does: a stage may add networks of its own
    plugin.networks.eval()
    scores, pictures = plugin.validate(small.batch(plugin))
    require(scores, "validate gives no score")
    for name, score in scores.items():
        require(torch.tensor(score).isfinite(), f"the score '{name}' is {score}")
    for name, shown in pictures.items():
        require(shown.shape == (2, 3, small.side, small.side), f"the pictures '{name}' are {tuple(shown.shape)}")
        within = shown.min() >= -1e-6 and shown.max() <= 1 + 1e-6
        require(within, f"the pictures '{name}' go from {shown.min():g} to {shown.max():g}, not in [0, 1]")


def check_saving(small: SmallModel) -> None:
    """Saved weights come back exactly, with the configuration to build the model from, and draw the same."""
    plugin = small.build()
    states = {name: plugin.networks[name].state_dict() for name in plugin.inference_networks}
    with tempfile.TemporaryDirectory() as folder:
        path = export(Path(folder) / "weights.safetensors", plugin, states, "float32", {"variant": small.label})
        loaded = load_networks(path, model=small.model)
        noted = (loaded.model, loaded.metadata["variant"])
        require(noted == (small.model, small.label), f"the file of {small.model} says that it is of {noted}")
        config = registry.config_class(small.model).model_validate_json(loaded.metadata["config"])
        other = registry.model(small.model)(config)
        for name in plugin.inference_networks:
            load_strict(other.networks[name], loaded.states[name], where=path)
            for key, value in other.networks[name].state_dict().items():
                require(torch.equal(value, states[name][key]), f"{name}.{key} is another one after loading")
    require(torch.equal(animate(other, small.frames), animate(plugin, small.frames)), "loaded weights draw otherwise")


def check_files(small: SmallModel) -> None:
    """A variant is there, and variants and defaults are valid and read as they are written."""
    model, config = small.model, registry.config_class(small.model)
    folder = registry.entry(model).properties
    require(variant_names(model), f"{model} has no variant: {folder} holds no {model}/*.yaml")
    require(settings_from({"model": model}).model == model, f"{model}.yaml in {folder} names another model")
    for variant in variant_names(model):
        params = variant_params(model, variant)
        read = model_config(settings_from({"model": model, "variant": variant}))
        require(read == config.model_validate(params), f"the variant {variant} is read otherwise than it is written")


def check_variants(small: SmallModel, may_default: Collection[frozenset[str]] | None = None) -> None:
    """Each variant spells out every setting, so that a changed default never changes it.

    Args:
        may_default: groups that a variant may leave out, for each kind of variant; None: those of the build.
    """
    allowed = [small.may_default] if may_default is None else may_default
    for variant in variant_names(small.model):
        missing = sorted(left_out(registry.config_class(small.model), variant_params(small.model, variant)))
        groups = {name.split(".")[0] for name in missing}
        require(any(groups <= some for some in allowed), f"{variant} leaves out {missing}")


def left_out(config: type[BaseModel], given: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Dotted names of the settings that a variant leaves to their defaults; a group left out counts once."""
    for name, option in config.model_fields.items():
        if name not in given:
            yield f"{prefix}{name}"
        elif isinstance(option.annotation, type) and issubclass(option.annotation, BaseModel):
            yield from left_out(option.annotation, given[name], f"{prefix}{name}.")


CHECKS: Mapping[str, Callable[[SmallModel], None]] = {
    "builds": check_builds,
    "entry": check_entry,
    "options": check_options,
    "animates": check_animates,
    "rests": check_rests,
    "chunks": check_chunks,
    "fits": check_fits,
    "parts": check_parts,
    "voice": check_voice,
    "subject": check_subject,
    "gradients": check_gradients,
    "steps": check_steps,
    "validation": check_validation,
    "saving": check_saving,
    "files": check_files,
    "variants": check_variants,
}
"""All checks by name; :func:`check_model` runs them in this order."""
