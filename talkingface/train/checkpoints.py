"""Files of a run: initial weights, saved states (the newest and the best), resuming, and exported weights."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Collection, Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..errors import ConfigError, TrainingError, WeightsError, did_you_mean, quoted, writing
from ..models.base import ModelPlugin, Phase
from ..part_files import atomic_file
from ..paths import inside
from . import state
from .settings import TrainSettings
from .state import States
from .state_facts import DamagedStateError, damaged
from .step import WeightAverage

FORMAT = "talkingface/1"
_GO_ON = "The states before it are kept: make room, then go on with --train.resume=auto."


def export(path: Path, plugin: ModelPlugin, states: States, dtype: str, facts: Mapping[str, str]) -> Path:
    """Write weights as a file for ``--checkpoint``; returns its path.

    Args:
        path: the safetensors file.
        plugin: the model, with its name and config.
        states: weights (...) by network and key.
        dtype: ``"float32"``, ``"float16"`` or ``"bfloat16"``.
        facts: further metadata.
    """
    from ..weights.load import save_networks

    metadata = {"format": FORMAT, "model": plugin.name, "config": _config(plugin), **facts}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_networks(path, states, metadata, dtype=getattr(torch, dtype))
    return path


def _config(plugin: ModelPlugin) -> str:
    """Config of the model as JSON, so that it can be built from the file alone."""
    return json.dumps(plugin.config.model_dump(mode="json"))


class Checkpoints:
    """Saves and restores a run in ``states/`` and ``export/`` of its folder.

    Args:
        folder: folder of the run.
        plugin: the model.
        average: running average of its weights, which is exported.
        optimizers: by name of the phase.
        scalers: scales of the losses, likewise.
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
        scalers: Mapping[str, torch.amp.GradScaler],
        settings: TrainSettings,
        metadata: Mapping[str, str],
    ) -> None:
        self._folder, self._plugin, self._average, self._optimizers = folder, plugin, average, optimizers
        self._scalers, self._settings, self._metadata = scalers, settings, dict(metadata)
        self.best: tuple[float, str] | None = None

    def state(self, step: int) -> Path:
        """Folder of the state after ``step`` steps."""
        return self._folder / "states" / f"step-{step:08d}"

    def weights(self, name: str) -> Path:
        """Path of exported weights: ``"last"`` or ``"best"``."""
        return self._folder / "export" / f"{name}.safetensors"

    def improves(self, score: float, step: int) -> bool:
        """Record a score; returns True if it is the best so far."""
        if self.best is not None and score >= self.best[0]:
            return False
        self.best = (score, self.state(step).name)
        return True

    def since_best(self, step: int) -> int:
        """Steps since the best score; 0 before the first validation."""
        number = self.best[1].rpartition("-")[2] if self.best else ""
        return step - int(number) if number.isascii() and number.isdigit() and len(number) < 16 else 0

    def save(self, step: int, *, best: bool = False) -> None:
        """Write the present state and weights; of the older states keep the newest few and the best one."""
        settings = self._settings.model_dump(mode="json")
        scales = {name: own.state_dict() for name, own in self._scalers.items() if own.is_enabled()}
        facts = {"step": step, "model": self._plugin.name, "best": self.best, "settings": settings, "scales": scales}
        folder, names = self.state(step), ("last", "best") if best else ("last",)
        # All is written before anything is renamed, so that a kill hardly ever comes between state and export; where
        # it does, the next start sets it right (`restore`).
        with writing(self._folder, TrainingError, _GO_ON), ExitStack() as commits:
            parts = [commits.enter_context(atomic_file(self.weights(name))) for name in names]
            for part in parts:
                self._export(part, self._average.states, step)
            commits.enter_context(
                state.saving(folder, self._plugin.networks, self._average.states, self._optimizers, facts)
            )
        with writing(folder.parent, TrainingError, _GO_ON):
            state.clear_remains(folder.parent)
            state.prune(folder.parent, self._settings.keep_last, folder.parent / self.best[1] if self.best else None)

    def _export(self, path: Path, states: States, step: int) -> None:
        metadata = {**self._metadata, "step": str(step)}
        export(path, self._plugin, states, self._settings.export_dtype, metadata)

    def restore(self, folder: Path, *, agree: bool = True) -> tuple[int, str]:
        """Continue from a saved state.

        Args:
            folder: the state.
            agree: export its weights again where those of another step are there.

        Returns:
            Its step, and a log line with its folder and the settings that differ.

        Raises:
            DamagedStateError: if it is not as it was written.
            TrainingError: if the state is of another model.
        """
        facts, average = state.load(folder, self._plugin.networks, self._optimizers)
        self._load_average(average, folder)
        self._load_scales(facts.get("scales", {}), folder)
        self.best = (float(facts["best"][0]), str(facts["best"][1])) if facts["best"] else None
        if agree and folder.resolve().parent == self.state(0).resolve().parent:
            self._agree(folder, int(facts["step"]))
        changed = changed_settings(facts["settings"], self._settings.model_dump(mode="json"))
        line = f"goes on from {folder}" + (f"; changed since: {', '.join(changed)}" if changed else "")
        return int(facts["step"]), line

    def _load_average(self, average: States, folder: Path) -> None:
        try:
            self._average.load(average)
        except (KeyError, RuntimeError) as error:
            raise damaged(folder, f"average: {error}") from error

    def _load_scales(self, scales: Any, folder: Path) -> None:
        """Restore the scales of losses; states of other precisions hold none."""
        for name, own in self._scalers.items():
            if not (own.is_enabled() and scales):
                continue
            try:
                scale, tracker = float(scales[name]["scale"]), int(scales[name]["_growth_tracker"])
            except (KeyError, TypeError, ValueError) as error:
                raise damaged(folder, f"scale of '{name}': {error}") from error
            if not 0 < scale < float("inf"):
                raise damaged(folder, f"scale of '{name}' is {scale}")
            own.load_state_dict({**own.state_dict(), "scale": scale, "_growth_tracker": tracker})

    def _agree(self, folder: Path, step: int) -> None:
        """Export again where a kill, or the loss of a damaged state, left weights of another step."""
        best = inside(folder.parent, self.best[1]) if self.best else None
        for name, origin in (("last", folder), ("best", best)):
            if origin is None:
                self.weights(name).unlink(missing_ok=True)
                continue
            wanted = step if origin == folder else _step_of(origin)
            if wanted is None or _exported_step(self.weights(name)) == wanted:
                continue
            self._export(self.weights(name), state.load_average(origin), wanted)


def _step_of(folder: Path) -> int | None:
    """Step of a state; None if it is gone or damaged."""
    try:
        return int(state.read_facts(folder)["step"])
    except DamagedStateError:
        return None


def _exported_step(path: Path) -> int | None:
    """Step of exported weights; None if they are missing or damaged."""
    from ..weights.load import read_notes

    try:
        step = read_notes([path]).get("step", "")
    except WeightsError:
        return None
    return int(step) if step.isascii() and step.isdigit() and len(step) < 16 else None


def initialise(networks: nn.ModuleDict, path: Path, model: str) -> tuple[list[str], str]:
    """Load initial weights into networks; optimizers and step stay new.

    Args:
        networks: networks of the model; those that are not in the file keep their own weights.
        path: a weights file, a saved state or a run folder.
        model: name of the model, for the check of a file.

    Returns:
        Names of the loaded networks, and a line for the log.

    Raises:
        TrainingError: if a folder holds no state, or the state is of another model.
        WeightsError: if a file does not fit.
    """
    if path.is_dir():
        origin = state.find(path)
        if origin is None:
            raise TrainingError("no saved state", where=path, cure="Give a weights file, a state or a run folder.")
        held = state.load_networks(origin, networks)
    else:
        held, origin = _from_file(networks, path, model), path
    left = [name for name in networks if name not in held]
    return held, f"starts with {', '.join(held)} of {origin}" + (f"; {', '.join(left)} new" if left else "")


def _from_file(networks: nn.ModuleDict, path: Path, model: str) -> list[str]:
    from ..weights.load import load_networks, load_strict

    loaded = load_networks(path, model=model)
    held = [name for name in networks if name in loaded.states]
    for name in held:
        load_strict(networks[name], loaded.states[name], where=f"{path}: {name}")
    return held


def check_required_networks(phases: Iterable[Phase], held: Collection[str]) -> None:
    """Check that the networks that phases backpropagate through, without training them, have trained weights.

    Args:
        phases: phases of the training.
        held: names of the networks that start with weights of an earlier training.

    Raises:
        ConfigError: if a phase needs another network.
    """
    for phase in phases:
        if new := [name for name in phase.through if name not in held]:
            what = f"the phase '{phase.name}' looks through {', '.join(new)}, which nobody has trained"
            cure = "Start with weights that hold them: --train.init_from=FILE_OR_RUN, or --checkpoint=NAME_OR_FILE."
            raise ConfigError(what, where="train.init_from", cure=cure)


def find_resume(resume: str, run_dir: Path) -> list[Path]:
    """Find the states for ``--train.resume``, in the order in which they are to be tried; none for a new training.

    Raises:
        TrainingError: if a path is given and holds no state.
    """
    if resume in ("", "auto"):
        return state.saved(run_dir / "states")[::-1] if resume else []
    origin = state.find(Path(resume))
    if origin is None:
        near = did_you_mean(Path(resume).name, [path.name for path in state.saved(Path(resume).parent)])
        raise TrainingError("no saved state", where=f"--train.resume {resume}", cure=near)
    return [origin]


# What a training leaves in the folder of its run; of a folder the names of what is in it.
RESULTS = {
    "states": r"step-[0-9]+",
    "export": r"(last|best)\.safetensors",
    "pictures": r"step-[0-9]+\.png",
    "tensorboard": r"events\.out\..*",
    "scalars.jsonl": "",
    "train.log": "",
    "settings.yaml": "",
}


def claim(run_dir: Path, resume: str, overwrite: bool) -> None:
    """Refuse a run folder that holds the results of another training, unless this one goes on or may replace them.

    Args:
        run_dir: folder of the run.
        resume: ``--train.resume``.
        overwrite: remove the results of the other training.

    Raises:
        ConfigError: with the three ways on; or what would have to be removed is not all a training's.
    """
    goes_on = resume == "auto" or (resume and Path(resume).resolve().is_relative_to(run_dir.resolve()))
    used = [run_dir / name for name in ("states", "export") if any(run_dir.glob(f"{name}/[!.]*"))]
    if goes_on or not used:
        return
    if not overwrite:
        cure = "Go on with it (--train.resume=auto), name another folder (--output_dir), or replace it (--overwrite)."
        raise ConfigError("holds the results of another training", where=run_dir, cure=cure)
    with writing(run_dir):
        others = [file for name, ours in RESULTS.items() for file in _others(run_dir / name, ours)]
        if others:
            what = f"holds other things than results of a training ({quoted(others[0])}) and is not removed"
            raise ConfigError(what, where=others[0].parent, cure="Move them, or name another folder (--output_dir).")
        for path in (run_dir / name for name in RESULTS):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def _others(folder: Path, ours: str) -> list[Path]:
    """Entries of a folder whose names are not those of a training, hidden ones apart."""
    if not folder.is_dir() or folder.is_symlink():
        return []
    return sorted(file for file in folder.iterdir() if not re.fullmatch(rf"\..*|{ours}", file.name))


def changed_settings(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Describe the settings of the trainer that differ, such as "image_size 128 -> 256"."""
    return [
        f"{name} {before.get(name)} -> {value}"
        for name, value in now.items()
        if name not in ("resume", "init_from") and before.get(name) != value
    ]
