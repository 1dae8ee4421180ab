"""What a training starts from: the weights of a file, or those of another run."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from torch import nn

from ..errors import ConfigError, TrainingError, did_you_mean
from ..models.base import Phase
from . import state


def initialise(networks: nn.ModuleDict, path: Path, model: str) -> tuple[list[str], str]:
    """Load weights into networks; optimizers and step stay new.

    Args:
        networks: of the model; those that are not held there keep their own weights.
        path: a weights file, a saved state or a run folder.
        model: name of the model, for the check of a file.

    Returns:
        Names of the networks that were loaded, and a line that says so.

    Raises:
        TrainingError: if a folder holds no state, or the state is of another model.
        WeightsError: if a file does not fit.
    """
    if path.is_dir():
        found = state.find(path)
        if found is None:
            raise TrainingError("no saved state", where=path, cure="Give a weights file, a state or a run folder.")
        held = state.load_networks(found, networks)
    else:
        held, found = _from_file(networks, path, model), path
    left = [name for name in networks if name not in held]
    return held, f"starts with {', '.join(held)} of {found}" + (f"; {', '.join(left)} new" if left else "")


def _from_file(networks: nn.ModuleDict, path: Path, model: str) -> list[str]:
    from ..weights.load import load_networks, load_strict

    loaded = load_networks(path, model=model)
    held = [name for name in networks if name in loaded.states]
    for name in held:
        load_strict(networks[name], loaded.states[name], where=f"{path}: {name}")
    return held


def check_through(phases: Iterable[Phase], held: Collection[str]) -> None:
    """Refuse to train against networks that nobody has trained.

    Args:
        phases: of the training.
        held: names of the networks that begin with weights of an earlier training.

    Raises:
        ConfigError: if a phase looks through another one.
    """
    for phase in phases:
        if new := [name for name in phase.through if name not in held]:
            what = f"the phase '{phase.name}' looks through {', '.join(new)}, which nobody has trained"
            cure = "Start with weights that hold them: --train.init_from=FILE_OR_RUN, or --checkpoint=NAME_OR_FILE."
            raise ConfigError(what, where="train.init_from", cure=cure)


def find_resume(resume: str, run_dir: Path) -> Path | None:
    """The state that ``--train.resume`` means; None to begin anew.

    Raises:
        TrainingError: if a path is given and holds no state.
    """
    if resume in ("", "auto"):
        return state.find(run_dir) if resume else None
    found = state.find(Path(resume))
    if found is None:
        near = did_you_mean(Path(resume).name, [path.name for path in state.saved(Path(resume).parent)])
        raise TrainingError("no saved state", where=f"--train.resume {resume}", cure=near)
    return found


def changed_settings(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Settings of the trainer that differ, as "image_size 128 -> 256"."""
    return [
        f"{name} {before.get(name)} -> {value}"
        for name, value in now.items()
        if name not in ("resume", "init_from") and before.get(name) != value
    ]
