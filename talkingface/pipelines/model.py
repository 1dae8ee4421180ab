"""A model with its weights, ready to animate."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch

from .. import registry
from ..config import model_config
from ..config.options import settings_class
from ..config.schema import Movement
from ..errors import ConfigError, MotionError, WeightsError
from ..models.base import ModelPlugin, MotionExtractor, Renderer
from ..motion.kinds import of_coefficients
from ..paths import default_checkpoint_root
from ..weights import Resolved, resolve
from ..weights.load import load_networks, load_strict, load_together, read_notes
from ..weights.status import file_of
from .plan.known_weights import as_trained, base_config
from .read.coefficients import open_reader
from .read.motion_reader import FrameReader, MotionReader

if TYPE_CHECKING:
    from ..config.schema import Settings


def choose_device(word: str) -> torch.device:
    """The device named ``auto``, ``cpu``, ``mps``, ``cuda`` or ``cuda:N``; ``auto`` is the first GPU, else the CPU.

    Raises:
        ConfigError: the device named is not there.
    """
    if word == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(word)
    there = {"cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available()), "cpu": 1}[device.type]
    if (device.index or 0) >= there:
        raise ConfigError(
            f"no such device: torch sees {there} of this type", where=f"--device={word}", cure="Use --device=auto."
        )
    return device


def choose_precision(word: str, device: torch.device) -> torch.dtype:
    """float32 or bfloat16; ``auto`` is bfloat16 where the device multiplies matrices faster in it.

    Raises:
        ConfigError: for float16, in which networks are trained but do not run otherwise.
    """
    if word == "fp16":
        raise ConfigError("is for training alone", where="--precision=fp16", cure="Use --precision=bf16.")
    if word != "auto":
        return {"float32": torch.float32, "bf16": torch.bfloat16}[word]
    if device.type == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        fast = device.type == "cpu" and "amx_bf16" in cpu_bf16_units()
    return torch.bfloat16 if fast else torch.float32


def cpu_bf16_units() -> list[str]:
    """The CPU's instruction sets for bfloat16; AMX makes it several times faster than float32.

    Empty with a torch too old to say it, so that ``auto`` stays with float32 there.
    """
    ask = getattr(torch.cpu, "get_capabilities", None)
    able = ask() if ask is not None else {}
    return [name for name in ("amx_bf16", "avx512_bf16") if able.get(name)]


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
    root = settings.weights_root
    return assemble(plugin, device, choose_precision(settings.precision, device), label, root=root)


def motion_space(settings: Settings) -> str:
    """Space of the motions that the weights draw which the settings name; "" where weights do not decide it.

    Only the networks that decide it are loaded; errors as :func:`load_plugin`.
    """
    if not registry.model(settings.model).space_networks:
        return ""
    plugin, _ = load_plugin(settings, torch.device("cpu"), part="space")
    return plugin.motion_space()


def load_plugin(
    settings: Settings, device: torch.device, *, part: Literal["inference", "voice", "space"] = "inference"
) -> tuple[ModelPlugin, str]:
    """(the model family with its weights, which weights these are).

    Args:
        part: what it is for: to read and draw motions, to speak, or to tell the space of its motions alone.

    Raises:
        UnknownNameError, WeightsError, ConfigError: as :func:`load_model`.
    """
    plugin_class = registry.model(settings.model)
    root = settings.weights_root
    found = resolve(settings.model, settings.checkpoint, root, preferences=dict(settings))
    base = base_config(settings.model, found, read_notes(found.paths))
    plugin = plugin_class(model_config(as_trained(settings, found), _at_size(settings, base)))
    names: tuple[str, ...] = getattr(plugin, f"{part}_networks")
    states = load_together(found.paths, model=settings.model, only=names)
    for name, state in states.items():
        where = f"{', '.join(map(str, found.paths))} ({name})"
        with other_structure(settings, found):
            load_strict(plugin.networks[name], plugin.adapt(name, state), where=where)
    plugin.networks.to(device).eval().requires_grad_(False)
    return plugin, found.label


@contextmanager
def other_structure(settings: Settings, weights: Resolved) -> Iterator[None]:
    """Say in one line that weights do not fit because the settings ask for another structure than they have.

    Raises:
        WeightsError: what the block raises, with that reason where there is one.
    """
    try:
        yield
    except WeightsError as error:
        own = weights.entry.variant if weights.entry is not None else ""
        named = ", ".join(map(str, weights.paths)) if weights.entry is None else weights.entry.name
        if own and settings.variant not in (None, own):
            what = f"has the structure of variant {own}, not of {settings.variant}"
            cure = f"Give --variant={own}, or leave --checkpoint out."
            raise WeightsError(what, where=named, cure=cure) from error
        if settings.variant is None and (origins := settings.origins_in("model_params")):
            what = f"has another structure than model_params of {', '.join(origins)}"
            cure = "Name the weights that belong to these settings with --checkpoint."
            raise WeightsError(what, where=named, cure=cure) from error
        raise


def prepare(plugin: ModelPlugin, settings: Settings) -> None:
    """Hand a model the user's settings, and the further files that these need.

    Raises:
        ConfigError: the settings contradict each other, or these weights cannot do it.
        WeightsError: a file is missing, damaged, or of another model.
    """
    root = settings.weights_root
    for name, take in plugin.prepare(model_options(settings)).items():
        path, model = file_of(name, root)
        take(next(iter(load_networks(path, model=model or plugin.name).states.values())))


def model_options(settings: Settings) -> dict[str, Any]:
    """The inference settings that are for the model, by the names of their flags: movement, and its own."""
    own = settings.own
    shared = {name: getattr(settings, name) for name in Movement.model_fields}
    return shared | {name: getattr(own, name) for name in type(own).model_fields}


def default_options(model: str) -> dict[str, Any]:
    """`model_options` of a run that sets none of them; a model that is not registered has the shared ones alone."""
    return model_options(settings_class(model if model in registry.models() else None).model_construct())


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
