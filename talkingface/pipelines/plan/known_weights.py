"""Facts about weights by the catalogue and by their notes, before any is loaded. No torch here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ... import registry
from ...config import model_config, variant_params
from ...config.model import params_beside_variant
from ...errors import WeightsError
from ...weights import Resolved, load_catalogue, resolve
from ...weights.files.read import read_notes

if TYPE_CHECKING:
    from ...config.schema import Settings


def config_of(settings: Settings) -> Any:
    """The model's configuration, as the weights that the settings name and the settings themselves say.

    Raises:
        UnknownNameError, WeightsError: there are no such weights.
        ConfigError: a setting of the model is wrong.
    """
    found = resolve(settings.model, settings.checkpoint, settings.weights_root, preferences=dict(settings))
    base = base_config(settings.model, found, read_notes(found.paths))
    sized = "image_size" in registry.config_class(settings.model).model_fields
    size = {"image_size": settings.image_size} if sized and settings.image_size is not None else {}
    return model_config(as_trained(settings, found), base | size)


def as_trained(settings: Settings, weights: Resolved) -> Settings:
    """The settings for weights of the variant that they name, which know their own structure best."""
    if weights.entry is None or settings.variant is None or weights.entry.variant != settings.variant:
        return settings
    return settings.model_copy(update={"model_params": params_beside_variant(settings)})


def base_config(model: str, found: Resolved, notes: Mapping[str, str]) -> dict[str, Any]:
    """The configuration that the weights were trained with: from their own notes, else of the published variant."""
    if "config" in notes:
        return _config_note(notes["config"], found.label)
    if found.entry is not None and found.entry.variant is not None:
        return variant_params(model, found.entry.variant)
    return {}


def _config_note(text: str, label: str) -> dict[str, Any]:
    """Configuration in the notes of a weight file, which is JSON."""
    try:
        config = json.loads(text)
    except (ValueError, RecursionError):
        config = None
    if not isinstance(config, dict):
        raise WeightsError("its note of the configuration is not readable", where=label, cure="Get the file again.")
    return config


def check_files(space: str, *, model: str, root: Path) -> None:
    """Refuse a space whose files are missing, without opening one; see `open_reader` of ``pipelines.coefficients``."""
    if space == "bfm":
        from ...face3d.deep import find_files  # loads torch

        try:
            find_files(root)
        except WeightsError as error:
            raise with_way_out(error, space, model) from error


def with_way_out(error: WeightsError, space: str, model: str) -> WeightsError:
    """The error with the weights of the model, if there are some, that do without the files of the space."""
    ours = shipped_weights(model)
    without = f" Or take --checkpoint={ours[0]}, which needs none of these." if ours and space == "bfm" else ""
    return WeightsError(error.what, where=error.where, cure=f"{error.cure or ''}{without}".strip())


def shipped_weights(model: str) -> list[str]:
    """List the names of a model's weights that come with the toolkit."""
    return [entry.name for entry in load_catalogue().entries.values() if entry.model == model and entry.shipped_path]
