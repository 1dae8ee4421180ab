"""What a model took long to find in a source, kept in a file that a later run reads instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..weights.load import save_networks
from .model import LoadedModel
from .scene import Scene

if TYPE_CHECKING:
    from ..config.schema import Settings

NETWORK = "inversion"


def keep_inversion(model: LoadedModel, scene: Scene, settings: Settings) -> None:
    """Write what was found of the first person, where the model's flags name a file for it."""
    path = settings.own.kept_in
    if path is None:
        return
    found = dict(model.renderer.kept(scene.people[0].state))
    path.parent.mkdir(parents=True, exist_ok=True)
    save_networks(path, {NETWORK: found}, {"model": model.plugin.name})
