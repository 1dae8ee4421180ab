"""Saved state of a training run: a folder of safetensors and JSON that appears only when it is complete."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import TrainingError
from ..part_files import atomic_folder
from ..weights.files.tensorfile import write_safetensors
from .state_facts import (
    AVERAGE,
    FACTS,
    NETWORKS,
    OPTIMIZERS,
    check_files,
    damaged,
    read_facts,
    read_tensors,
    write_facts,
)

__all__ = ["AVERAGE", "FACTS", "NETWORKS", "OPTIMIZERS", "read_facts"]
_SEPARATOR = "/"
_OLD = "-old"  # ends the name of a state that has just been replaced by one of the same step
States = dict[str, dict[str, Tensor]]


@contextmanager
def saving(
    folder: Path, networks: nn.ModuleDict, average: States, optimizers: Mapping[str, torch.optim.Optimizer], facts: dict
) -> Iterator[None]:
    """Write a state beside ``folder`` for the block, which writes what belongs to it, and rename it at the end.

    A state of the same step that was there before is left for `clear_remains`.

    Args:
        folder: folder of the state, for example ``states/step-00001000``.
        networks: all networks, by name.
        average: averaged weights (...), by network and parameter.
        optimizers: by name of the phase.
        facts: other data needed to resume, as JSON values.
    """
    with atomic_folder(folder) as partial:
        groups = {name: optimizer.state_dict() for name, optimizer in optimizers.items()}
        write_safetensors(
            partial / NETWORKS, _flat({name: network.state_dict() for name, network in networks.items()}), {}
        )
        write_safetensors(partial / AVERAGE, _flat(average), {})
        write_safetensors(
            partial / OPTIMIZERS, _flat({name: _tensors(group["state"]) for name, group in groups.items()}), {}
        )
        settings = {name: group["param_groups"] for name, group in groups.items()}
        write_facts(partial, {**facts, "optimizers": settings})
        yield


def clear_remains(folder: Path) -> None:
    """Remove what a killed run left unfinished in a folder of states, and put back a state that it was replacing."""
    for path in folder.glob(".step-*"):
        name = path.name.removeprefix(".").removesuffix(_OLD)
        if path.name.endswith(_OLD) and not (folder / name).exists():
            path.rename(folder / name)
        else:
            shutil.rmtree(path, ignore_errors=True)


def load(folder: Path, networks: nn.ModuleDict, optimizers: Mapping[str, torch.optim.Optimizer]) -> tuple[dict, States]:
    """Restore networks and optimizers from a saved state.

    Returns:
        The facts saved with it, and the averaged weights (...) by network and parameter.

    Raises:
        DamagedStateError: if it is not as it was written.
        TrainingError: if the state is of another model.
    """
    facts = read_facts(folder)
    check_files(folder, facts)
    if set(facts["optimizers"]) != set(optimizers):
        phases = f"{', '.join(sorted(facts['optimizers']))}; this training has {', '.join(sorted(optimizers))}"
        cure = f"To train another stage begin a new run with --train.init_from={folder}."
        raise TrainingError(f"the state has the phases {phases}", where=folder, cure=cure)
    held = load_networks(folder, networks)
    if missing := [name for name in networks if name not in held]:
        raise TrainingError(f"the state has no network '{missing[0]}'", where=folder)
    tensors = _nested(read_tensors(folder / OPTIMIZERS))
    for name, optimizer in optimizers.items():
        try:
            _load_optimizer(optimizer, tensors.get(name, {}), facts["optimizers"][name])
        except (KeyError, IndexError, TypeError, ValueError, RuntimeError) as error:  # numbers or names that do not fit
            raise damaged(folder, f"optimizer of '{name}': {error}") from error
    return facts, load_average(folder)


def load_average(folder: Path) -> States:
    """Averaged weights (...) of a saved state, by network and parameter.

    Raises:
        DamagedStateError: if they are missing or damaged.
    """
    return _nested(read_tensors(folder / AVERAGE))


def load_networks(folder: Path, networks: nn.ModuleDict) -> list[str]:
    """Restore only the networks of a saved state; returns the names of those that it holds.

    Raises:
        TrainingError: if the state is of another model.
    """
    states = _nested(read_tensors(folder / NETWORKS))
    held = [name for name in networks if name in states]
    if not held:
        raise TrainingError(f"the state holds {', '.join(states)}; none of them is of this model", where=folder)
    for name in held:
        try:
            networks[name].load_state_dict(states[name])
        except RuntimeError as error:
            line = " ".join(str(error).split())[:200]
            raise TrainingError(f"network '{name}' of the state does not fit: {line}", where=folder) from error
    return held


def find(path: Path) -> Path | None:
    """Find the state at a path: the path itself, or the newest state of a run folder; None if there is none."""
    if (path / FACTS).is_file():
        return path
    states = saved(path / "states")
    return states[-1] if states else None


def saved(folder: Path) -> list[Path]:
    """List the states in a folder, oldest first."""
    return sorted(path.parent for path in folder.glob(f"step-*/{FACTS}"))


def prune(folder: Path, keep_last: int, best: Path | None) -> None:
    """Remove all but the newest states and the best one."""
    for old in saved(folder)[:-keep_last]:
        if best is None or old.name != best.name:
            shutil.rmtree(old)


def _flat(states: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Flatten states to one mapping of contiguous copies, because safetensors refuses shared memory."""
    return {
        f"{name}{_SEPARATOR}{key}": value.detach().cpu().contiguous().clone()
        for name, state in states.items()
        for key, value in state.items()
    }


def _nested(flat: Mapping[str, Tensor]) -> States:
    states: States = {}
    for key, value in flat.items():
        name, _, rest = key.partition(_SEPARATOR)
        states.setdefault(name, {})[rest] = value
    return states


def _tensors(state: Mapping[int, Mapping[str, Any]]) -> dict[str, Tensor]:
    """Flatten the state of an optimizer to ``"<parameter>/<key>"`` -> tensor."""
    return {
        f"{index}{_SEPARATOR}{key}": torch.as_tensor(value)
        for index, own in state.items()
        for key, value in own.items()
    }


def _load_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor], groups: list[dict]) -> None:
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        index, _, key = name.partition(_SEPARATOR)
        state.setdefault(int(index), {})[key] = _laid_out_like(parameters[int(index)], value)
    if len(groups) != len(optimizer.param_groups):
        raise ValueError("saved with other groups of parameters (train.groups)")
    restored = [_group_like(now, group) for group, now in zip(groups, optimizer.param_groups, strict=True)]
    optimizer.load_state_dict({"state": state, "param_groups": restored})


def _group_like(now: Mapping[str, Any], saved: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a group of parameters as they were saved, each of the kind that the optimizer has now."""
    for key in ("params", "lr"):
        if key not in saved:
            raise ValueError(f"no {key}")
    for key, value in now.items():
        numeric = isinstance(value, int | float) and not isinstance(value, bool)
        if numeric and not isinstance(saved.get(key, value), int | float):
            raise ValueError(f"{key} is no number")
    return {key: tuple(value) if isinstance(now.get(key), tuple) else value for key, value in saved.items()}


def _laid_out_like(parameter: Tensor, value: Tensor) -> Tensor:
    """Copy a value to the memory order of its parameter; another order can round differently in the last bit."""
    return torch.empty_like(parameter, dtype=value.dtype).copy_(value) if value.shape == parameter.shape else value
