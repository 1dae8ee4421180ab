"""A model with its weights, ready to animate."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from .. import registry
from ..config import model_config, variant_params
from ..errors import ConfigError, MotionError
from ..models.base import Driver, ModelPlugin, Renderer
from ..paths import default_checkpoint_root
from ..weights import Resolved, resolve
from ..weights.load import Networks, load_networks, load_strict
from .device import choose_device, choose_precision

if TYPE_CHECKING:
    from ..config.schema import Settings


@dataclass(frozen=True)
class LoadedModel:
    """A model family with its weights on a device.

    Attributes:
        plugin: the model family; knows how to retarget.
        driver: turns the driving signal into motion.
        renderer: draws the motion.
        device: where pictures must be.
        weights: which weights these are, in one line for the user.
    """

    plugin: ModelPlugin
    driver: Driver
    renderer: Renderer
    device: torch.device
    weights: str


def load_model(settings: Settings) -> LoadedModel:
    """The model and weights that the settings name, on their device and in their precision.

    Raises:
        UnknownNameError: no such model or checkpoint.
        WeightsError: the weights are missing, damaged, or another model's.
        ConfigError: the device is not there, or a setting of the model is wrong.
    """
    plugin_class = registry.model(settings.model)
    device = choose_device(settings.device)
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    found = resolve(settings.model, settings.checkpoint, settings.checkpoint_root or default_checkpoint_root())
    networks = load_networks(found.path, model=settings.model, only=plugin_class.inference_networks)
    plugin = plugin_class(model_config(settings, _at_size(settings, base_config(settings.model, found, networks))))
    for name in plugin.inference_networks:
        load_strict(plugin.networks[name], networks.states.get(name, {}), where=f"{found.path} ({name})")
    plugin.networks.to(device).eval().requires_grad_(False)
    return assemble(plugin, device, choose_precision(settings.precision, device), found.label)


def base_config(model: str, found: Resolved, networks: Networks) -> dict[str, Any]:
    """The configuration that the weights were trained with: from the file itself, else of the published variant."""
    if "config" in networks.metadata:
        return dict(json.loads(networks.metadata["config"]))
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


def assemble(plugin: ModelPlugin, device: torch.device, precision: torch.dtype, weights: str) -> LoadedModel:
    """The driver and renderer of a plugin whose networks are loaded and on their device."""
    model = LoadedModel(plugin, plugin.driver(precision), plugin.renderer(precision), device, weights)
    check_joined(model.driver, model.renderer)
    return model


def check_joined(driver: Driver, renderer: Renderer) -> None:
    """Refuse a driver whose motion the renderer cannot draw.

    Raises:
        MotionError: the kinds differ.
    """
    if driver.gives != renderer.takes:
        raise MotionError(f"the driver gives {driver.gives!r}, but the renderer draws {renderer.takes!r}")
