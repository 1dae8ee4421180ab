"""What a run leaves on disk: saved states, the newest and the best, and exported weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch

from ..models.base import ModelPlugin
from . import state
from .ema import WeightAverage
from .settings import TrainSettings
from .start import changed_settings
from .state import States

FORMAT = "talkingface/1"


def export(path: Path, plugin: ModelPlugin, states: States, dtype: str, facts: Mapping[str, str]) -> Path:
    """Write weights as a file that ``--checkpoint`` takes.

    Args:
        path: of the safetensors file.
        plugin: names the model and holds its config.
        states: weights by network.
        dtype: ``"float32"``, ``"float16"`` or ``"bfloat16"``.
        facts: further metadata.
    """
    from ..weights.load import save_networks

    metadata = {"format": FORMAT, "model": plugin.name, "config": _config(plugin), **facts}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_networks(path, states, metadata, dtype=getattr(torch, dtype))
    return path


def _config(plugin: ModelPlugin) -> str:
    """The model's config as JSON, so that the file alone is enough to build it."""
    return json.dumps(plugin.config.model_dump(mode="json"))


class Checkpoints:
    """Saves and restores a run in ``states/`` and ``export/`` of its folder.

    Args:
        folder: of the run.
        plugin: the model.
        average: of its weights; this is what is exported.
        optimizers: by name of the phase.
        settings: group ``train``.
        metadata: further facts for exported weights.

    Attributes:
        best: the best score so far (lower is better) and the name of its state; None before the first validation.
    """

    def __init__(
        self,
        folder: Path,
        plugin: ModelPlugin,
        average: WeightAverage,
        optimizers: Mapping[str, torch.optim.Optimizer],
        settings: TrainSettings,
        metadata: Mapping[str, str],
    ) -> None:
        self._folder, self._plugin, self._average, self._optimizers = folder, plugin, average, optimizers
        self._settings, self._metadata = settings, dict(metadata)
        self.best: tuple[float, str] | None = None

    def state(self, step: int) -> Path:
        """Folder of the state after ``step`` steps."""
        return self._folder / "states" / f"step-{step:08d}"

    def weights(self, name: str) -> Path:
        """Exported weights: ``"last"`` or ``"best"``."""
        return self._folder / "export" / f"{name}.safetensors"

    def improves(self, score: float, step: int) -> bool:
        """Take note of a score; whether it is the best so far."""
        if self.best is not None and score >= self.best[0]:
            return False
        self.best = (score, self.state(step).name)
        return True

    def save(self, step: int, *, best: bool = False) -> None:
        """Write the state and the weights of now; of older states the newest few and the best one stay."""
        settings = self._settings.model_dump(mode="json")
        facts = {"step": step, "model": self._plugin.name, "best": self.best, "settings": settings}
        folder = self.state(step)
        state.save(folder, self._plugin.networks, self._average.states, self._optimizers, facts)
        state.prune(folder.parent, self._settings.keep_last, folder.parent / self.best[1] if self.best else None)
        for name in ("last", "best") if best else ("last",):
            noted = {**self._metadata, "step": str(step)}
            export(self.weights(name), self._plugin, self._average.states, self._settings.export_dtype, noted)

    def restore(self, found: Path) -> tuple[int, str]:
        """Go on from a saved state.

        Returns:
            Its step, and a line that says where it came from and which settings differ.

        Raises:
            TrainingError: if the state is of another model.
        """
        facts, average = state.load(found, self._plugin.networks, self._optimizers)
        self._average.load(average)
        self.best = (float(facts["best"][0]), str(facts["best"][1])) if facts["best"] else None
        changed = changed_settings(facts["settings"], self._settings.model_dump(mode="json"))
        line = f"goes on from {found}" + (f"; changed since: {', '.join(changed)}" if changed else "")
        return int(facts["step"]), line
