"""Weights into networks: any file in, state dicts out, and a report that a person can act on where they do not fit."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import WeightsError
from .files.read import KINDS, Content, naming, read
from .files.records import TensorRecord, check_cost
from .files.tensorfile import stored, write_safetensors
from .identify import RECIPES, Recognised, Records, recognise, split

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

FORMAT = "talkingface/1"
# Batch counters are absent from files of other frameworks, and evaluation never uses them.
OPTIONAL_KEYS = ("num_batches_tracked",)
_SHOWN = 3

States = dict[str, dict[str, "Tensor"]]


@dataclass(frozen=True)
class Networks:
    """Weights of one file.

    Attributes:
        states: network -> state dict, on the CPU, in the number type of the file.
        metadata: text notes of the file; our own have ``format``, ``model``, ``variant`` and ``config``.
        model: whose weights they are; ``""`` where they were not recognised.
        layout: ``"talkingface/1"`` for our own files, else the kind of file (`read.KINDS`).
    """

    states: States
    metadata: dict[str, str]
    model: str
    layout: str


def load_networks(path: Path, *, model: str | None = None, only: Collection[str] | None = None) -> Networks:
    """Read the networks of a weight file of any known kind. Nothing in the file is executed.

    Args:
        path: a torch file (old or new), safetensors file, NumPy archive, Paddle file, or a folder with the three
            archives of a port. What only training needs (optimizer states) is not read.
        model: the model they are meant for; None takes any.
        only: networks to read; None reads all.

    Raises:
        WeightsError: if the file is missing, damaged, unsafe, not recognised, or of another model.
    """
    content = read(path)
    with naming(path):
        found = identify(content)
        if model is not None:
            _check_model(found, model)
        wanted = {name: state for name, state in found.networks.items() if only is None or name in only}
        check_cost((record for state in wanted.values() for record in state.values()), content.size)
        states = {name: {key: record.tensor() for key, record in state.items()} for name, state in wanted.items()}
    layout = FORMAT if _is_ours(content) else content.kind
    return Networks(states, content.metadata, found.model, layout)


def read_notes(paths: Sequence[Path]) -> dict[str, str]:
    """Text notes of weight files, without their numbers; where files say different things, the first is believed.

    Raises:
        WeightsError: if a file is missing, damaged or unsafe.
    """
    notes: dict[str, str] = {}
    for path in paths:
        notes = read(path).metadata | notes
    return notes


def load_together(paths: Sequence[Path], *, model: str, only: Collection[str]) -> States:
    """Read networks that are spread over several files, each from the first file that holds it.

    Args:
        paths: one or more; as for `load_networks`.
        model: the model they are meant for.
        only: the networks to read; all must be there.

    Raises:
        WeightsError: as `load_networks`, and if a network is in none of them.
    """
    states: States = {}
    for path in paths:
        states |= load_networks(path, model=model, only=[name for name in only if name not in states]).states
    absent = [name for name in only if name not in states]
    if absent:
        where = ", ".join(map(str, paths))
        raise WeightsError(f"holds no network {' and no '.join(absent)}", where=where, cure=_MORE_FILES)
    return states


def identify(content: Content) -> Recognised:
    """Whose weights a file holds, with its networks under torch's names."""
    if _is_ours(content):
        networks = split({key: value for key, value in content.tree.items() if isinstance(value, TensorRecord)})
        model = content.metadata.get("model", "")
        return Recognised(model, f"networks ({content.metadata.get('variant', 'no variant')})", networks)
    found = recognise(content.tree)
    if content.kind != "paddle":
        return found
    return Recognised(found.model, found.part, {name: torch_names(state) for name, state in found.networks.items()})


def torch_names(state: Records) -> Records:
    """A Paddle state under torch's names: other words for batch statistics, weights of linear layers turned.

    A matrix named ``weight`` is a linear layer's there, (in, out) where torch has (out, in); none of the models here
    has an embedding, the other layer with such a matrix.
    """
    renamed = {}
    for key, record in state.items():
        head, dot, last = key.rpartition(".")
        if last in ("weight", "weight_orig") and len(record.shape) == 2:
            record = TensorRecord(record.storage, record.offset, record.shape[::-1], record.stride[::-1])
        renamed[f"{head}{dot}{_PADDLE_NAMES.get(last, last)}"] = record
    return renamed


def load_strict(module: nn.Module, state: Mapping[str, Tensor], *, where: object) -> None:
    """Load a state dict; every key must be there, none may be left over, all shapes must agree.

    Args:
        module: takes the values in its own number type and on its own device.
        state: key -> tensor. ``OPTIONAL_KEYS`` may be missing.
        where: network and file, for the message.

    Raises:
        WeightsError: naming the first few keys of each kind of misfit, with near names; the module is unchanged.
    """
    wanted = module.state_dict()
    missing = [key for key in wanted if key not in state and key.rpartition(".")[2] not in OPTIONAL_KEYS]
    left_over = [key for key in state if key not in wanted]
    misshapen = [key for key in wanted if key in state and wanted[key].shape != state[key].shape]
    parts = (
        _some("missing", [_with_near(key, left_over) for key in missing]),
        _some("left over", left_over),
        _some("misshapen", [f"{key} {tuple(state[key].shape)}, not {tuple(wanted[key].shape)}" for key in misshapen]),
    )
    report = "; ".join(part for part in parts if part)
    if report:
        raise WeightsError(f"does not fit the network: {report}", where=where, cure=_OTHER_VARIANT)
    module.load_state_dict(dict(state), strict=False)


def save_networks(
    path: Path,
    networks: Mapping[str, Mapping[str, Tensor]],
    metadata: Mapping[str, str],
    dtype: torch.dtype | None = None,
) -> None:
    """Write networks as one safetensors file with keys ``<network>.<key>``; it is complete or not there at all.

    Args:
        path: ends in ``.safetensors``.
        networks: network -> state dict; names of networks hold no dot.
        metadata: text notes; ``format`` is added.
        dtype: number type of all tensors with a fraction; None keeps each as it is.

    Raises:
        ValueError: if a network's name holds a dot.
    """
    if any("." in name for name in networks):
        raise ValueError(f"names of networks hold no dot: {sorted(networks)}")
    tensors = {
        f"{name}.{key}": stored(value, dtype) for name, state in networks.items() for key, value in state.items()
    }
    write_safetensors(path, tensors, {"format": FORMAT, **metadata})


_PADDLE_NAMES = {"_mean": "running_mean", "_variance": "running_var"}
_OTHER_VARIANT = "It may belong to another --variant or --config."
_MORE_FILES = "Name the file that has it too, as --checkpoint=FILE,FILE, or a name of properties/checkpoints.yaml."


def _is_ours(content: Content) -> bool:
    return content.metadata.get("format", "").startswith("talkingface/")


def _check_model(found: Recognised, model: str) -> None:
    """Refuse another model's weights, and unknown ones where the model's own would have been recognised."""
    if found.model and found.model != model:
        what = f"{found.model}'s {found.part}"
        raise WeightsError(f"holds {what}, but --model={model}", cure=f"Name a checkpoint of {model}.")
    if not found.model and any(recipe.model == model for recipe in RECIPES):
        names = ", ".join(sorted(found.networks)[:_SHOWN]) or "loose tensors"
        raise WeightsError(f"not recognised as weights of {model}; it holds {names}")


def _some(title: str, keys: list[str]) -> str:
    """``"3 missing (a, b, ...)"``, or nothing."""
    if not keys:
        return ""
    more = ", ..." if len(keys) > _SHOWN else ""
    return f"{len(keys)} {title} ({', '.join(keys[:_SHOWN])}{more})"


def _with_near(key: str, others: list[str]) -> str:
    near = difflib.get_close_matches(key, others[:200], n=1, cutoff=0.8)
    return f"{key}, near to the file's {near[0]}" if near else key


__all__ = [
    "FORMAT",
    "KINDS",
    "Networks",
    "States",
    "load_networks",
    "load_strict",
    "load_together",
    "read_notes",
    "save_networks",
]
