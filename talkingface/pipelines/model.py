"""A model with its weights, ready to animate."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from .. import registry
from ..config import model_config, variant_params
from ..config.schema import Edits, Movement
from ..errors import ConfigError, MotionError, WeightsError
from ..models.base import ModelPlugin, MotionExtractor, Renderer
from ..paths import default_checkpoint_root
from ..weights import Resolved, load_catalogue, resolve
from ..weights.load import load_networks, load_strict, load_together, read_notes
from ..weights.status import advice
from .coefficients import open_reader
from .device import choose_device, choose_precision
from .motion_reader import FrameReader, MotionReader
from .motions import of_coefficients

if TYPE_CHECKING:
    from ..config.schema import Settings


@dataclass(frozen=True)
class LoadedModel:
    """A model family with its weights on a device.

    Attributes:
        plugin: the model family; knows how to retarget.
        reader: reads motion off pictures and videos.
        renderer: draws the motion.
        device: where pictures must be.
        weights: which weights these are, in one line for the user.
    """

    plugin: ModelPlugin
    reader: MotionReader
    renderer: Renderer
    device: torch.device
    weights: str


def load_model(settings: Settings) -> LoadedModel:
    """Load the model and weights that the settings name, on their device and in their precision.

    Raises:
        UnknownNameError: no such model or checkpoint.
        WeightsError: the weights are missing, damaged, or another model's.
        ConfigError: the device is not there, or a setting of the model is wrong.
    """
    device = choose_device(settings.device)
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    plugin, label = load_plugin(settings, device)
    prepare(plugin, settings)
    root = settings.checkpoint_root or default_checkpoint_root()
    return assemble(plugin, device, choose_precision(settings.precision, device), label, root=root)


def load_plugin(settings: Settings, device: torch.device, *, voice: bool = False) -> tuple[ModelPlugin, str]:
    """(the model family with its weights, which weights these are).

    Args:
        voice: load only what its voice needs.

    Raises:
        UnknownNameError, WeightsError, ConfigError: as :func:`load_model`.
    """
    plugin_class = registry.model(settings.model)
    root = settings.checkpoint_root or default_checkpoint_root()
    found = resolve(settings.model, settings.checkpoint, root, wishes=dict(settings))
    base = base_config(settings.model, found, read_notes(found.paths))
    plugin = plugin_class(model_config(settings, _at_size(settings, base)))
    names = plugin.voice_networks if voice else plugin.inference_networks
    states = load_together(found.paths, model=settings.model, only=names)
    for name, state in states.items():
        load_strict(
            plugin.networks[name], plugin.adapt(name, state), where=f"{', '.join(map(str, found.paths))} ({name})"
        )
    plugin.networks.to(device).eval().requires_grad_(False)
    return plugin, found.label


def prepare(plugin: ModelPlugin, settings: Settings) -> None:
    """Hand a model the user's settings, and the further files that these need.

    Raises:
        ConfigError: the wishes contradict each other, or these weights cannot do it.
        WeightsError: a file is missing, damaged, or of another model.
    """
    if type(plugin).prepare is ModelPlugin.prepare:
        check_unedited(settings)
    catalogue, root = load_catalogue(), settings.checkpoint_root or default_checkpoint_root()
    for name, take in plugin.prepare(model_options(settings)).items():
        entry = catalogue.entries.get(name)
        path = Path(name) if entry is None else entry.path(root)
        if entry is not None and not path.is_file():
            raise WeightsError(f"its file {path} is not there", where=name, cure=advice(entry, root))
        states = load_networks(path, model=plugin.name if entry is None else entry.model).states
        take(next(iter(states.values())))


def check_unedited(settings: Settings) -> None:
    """Refuse edits where the model has none.

    Raises:
        ConfigError: names the flag.
    """
    usual = Edits()
    for name in Edits.model_fields:
        if getattr(settings, name) != getattr(usual, name):
            what = f"{settings.model} has no such edit"
            raise ConfigError(what, where=f"--{name}", cure="Choose another --model, or leave it out.")


def model_options(settings: Settings) -> dict[str, Any]:
    """The inference settings that are for the model, by the names of their flags."""
    return {name: getattr(settings, name) for group in (Movement, Edits) for name in group.model_fields}


def base_config(model: str, found: Resolved, notes: Mapping[str, str]) -> dict[str, Any]:
    """The configuration that the weights were trained with: from their own notes, else of the published variant."""
    if "config" in notes:
        return dict(json.loads(notes["config"]))
    if found.entry is not None and found.entry.variant is not None:
        return variant_params(model, found.entry.variant)
    return {}


def _at_size(settings: Settings, base: dict[str, Any]) -> dict[str, Any]:
    """The configuration with the picture size of ``--image_size``, where the model draws at more than one."""
    if settings.image_size is None:
        return base
    if "image_size" not in registry.config_class(settings.model).model_fields:
        raise ConfigError(
            f"{settings.model} draws at one size only",
            where=f"--image_size={settings.image_size}",
            cure="Leave it out.",
        )
    return base | {"image_size": settings.image_size}


def assemble(
    plugin: ModelPlugin, device: torch.device, precision: torch.dtype, weights: str, *, root: Path | None = None
) -> LoadedModel:
    """Join reader and renderer of a plugin whose networks are loaded and on their device.

    Args:
        weights: which weights these are, for the user.
        root: folder of the weights that the user adds.

    Raises:
        MotionError: reader and renderer do not fit.
        WeightsError: files that read coefficients in the renderer's space are missing.
    """
    renderer = plugin.renderer(precision)
    if of_coefficients(renderer.takes):
        root = root or default_checkpoint_root()
        reader: MotionReader = open_reader(renderer.space, model=plugin.name, root=root, device=device)
    else:
        extractor = plugin.extractor(precision)
        check_joined(extractor, renderer)
        reader = FrameReader(extractor, device)
    return LoadedModel(plugin, reader, renderer, device, weights)


def check_joined(extractor: MotionExtractor, renderer: Renderer) -> None:
    """Refuse an extractor whose motion the renderer cannot draw.

    Raises:
        MotionError: the kinds differ.
    """
    if extractor.gives != renderer.takes:
        raise MotionError(f"the extractor gives {extractor.gives!r}, but the renderer draws {renderer.takes!r}")
