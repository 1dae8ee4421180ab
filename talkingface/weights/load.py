"""Load weight files of any kind as state dicts, put them into networks, and report mismatches in full."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from ..errors import WeightsError
from .files.read import KINDS, Content, file_errors, read, read_notes
from .files.records import TensorRecord, check_cost
from .files.tensorfile import to_storable, write_safetensors
from .identify import SIGNATURES, Identified, Records, identify, split

if TYPE_CHECKING:
    from torch import Tensor, nn

FORMAT = "talkingface/1"
# Batch counters are absent from files of other frameworks, and evaluation never uses them.
OPTIONAL_KEYS = ("num_batches_tracked",)
_SHOWN = 3

States = dict[str, dict[str, "Tensor"]]


@dataclass(frozen=True)
class NetworkWeights:
    """Weights of one file.

    Attributes:
        states: network -> state dict, on the CPU, in the number type of the file.
        metadata: text notes of the file; our own have ``format``, ``model``, ``variant`` and ``config``.
        model: name of the model; ``""`` where it was not identified.
        layout: ``"talkingface/1"`` for our own files, else the kind of file (`read.KINDS`).
    """

    states: States
    metadata: dict[str, str]
    model: str
    layout: str


def load_networks(path: Path, *, model: str | None = None, only: Collection[str] | None = None) -> NetworkWeights:
    """Read the networks of a weight file of any known kind. Nothing in the file is executed.

    Args:
        path: a torch file (old or new), safetensors file, NumPy archive, Paddle file, or a folder with the three
            archives of a port. Optimizer states are not read.
        model: name of the model that the weights must belong to; None accepts any.
        only: networks to read; None reads all.

    Raises:
        WeightsError: if the file is missing, damaged, unsafe, not recognised, or of another model.
    """
    content = read(path)
    with file_errors(path):
        identified = identify_content(content)
        if model is not None:
            _check_model(identified, model)
        wanted = {name: state for name, state in identified.networks.items() if only is None or name in only}
        check_cost((record for state in wanted.values() for record in state.values()), content.size)
        states = {name: {key: record.tensor() for key, record in state.items()} for name, state in wanted.items()}
    layout = FORMAT if _is_ours(content) else content.kind
    return NetworkWeights(states, content.metadata, identified.model, layout)


def load_together(paths: Sequence[Path], *, model: str, only: Collection[str]) -> States:
    """Read networks that are spread over several files, each from the first file that holds it.

    Args:
        paths: one or more; as for `load_networks`.
        model: name of the model that the weights must belong to.
        only: the networks to read; all must exist.

    Returns:
        network -> key -> tensor (...), on the CPU.

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


def identify_content(content: Content) -> Identified:
    """Identify the model and the networks of a file, with torch's names for all keys."""
    if _is_ours(content):
        networks = split({key: value for key, value in content.tree.items() if isinstance(value, TensorRecord)})
        model = content.metadata.get("model", "")
        return Identified(model, f"networks ({content.metadata.get('variant', 'no variant')})", networks)
    identified = identify(content.tree)
    if content.kind != "paddle":
        return identified
    networks = {name: paddle_to_torch(state) for name, state in identified.networks.items()}
    return Identified(identified.model, identified.part, networks)


def paddle_to_torch(state: Records) -> Records:
    """Convert the names of a Paddle state to torch's and transpose the weights of linear layers.

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
    """Load a state dict; missing keys, unexpected keys and differing shapes are errors.

    Args:
        module: receives the values in its own number type and on its own device.
        state: key -> tensor (...). ``OPTIONAL_KEYS`` may be missing.
        where: network and file, for the message.

    Raises:
        WeightsError: with the first few keys of each kind of mismatch and similar names; the module is unchanged.
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


def load_only(module: nn.Module, path: Path, network: str) -> None:
    """Load one network of a file into a module; errors as for `load_networks` and `load_strict`.

    Args:
        module: receives the values.
        path: of the file.
        network: its name, as `load_networks` gives it.

    Raises:
        WeightsError: if the file does not hold it.
    """
    states = load_networks(path, only=[network]).states
    if network not in states:
        raise WeightsError(f"holds no weights of {network}", where=path, cure="Delete it and get it again.")
    load_strict(module, states[network], where=path)


def save_networks(
    path: Path,
    networks: Mapping[str, Mapping[str, Tensor]],
    metadata: Mapping[str, str],
    dtype: torch.dtype | None = None,
) -> None:
    """Write networks as one safetensors file with keys ``<network>.<key>``; the file appears only when it is complete.

    Args:
        path: ends in ``.safetensors``.
        networks: network -> key -> tensor (...); names of networks hold no dot.
        metadata: text notes; ``format`` is added.
        dtype: number type of all floating-point tensors; None keeps each as it is.

    Raises:
        ValueError: if a network's name holds a dot.
    """
    if any("." in name for name in networks):
        raise ValueError(f"names of networks hold no dot: {sorted(networks)}")
    tensors = {
        f"{name}.{key}": to_storable(value, dtype) for name, state in networks.items() for key, value in state.items()
    }
    write_safetensors(path, tensors, {"format": FORMAT, **metadata})


_PADDLE_NAMES = {"_mean": "running_mean", "_variance": "running_var"}
_OTHER_VARIANT = "It may belong to another --variant or --config."
_MORE_FILES = "Name the file that has it too, as --checkpoint=FILE,FILE, or a name of properties/checkpoints.yaml."


def _is_ours(content: Content) -> bool:
    return content.metadata.get("format", "").startswith("talkingface/")


def _check_model(identified: Identified, model: str) -> None:
    """Refuse another model's weights, and unknown ones where the model's own would have been identified."""
    if identified.model and identified.model != model:
        what = f"{identified.model}'s {identified.part}"
        raise WeightsError(f"holds {what}, but --model={model}", cure=f"Name a checkpoint of {model}.")
    if not identified.model and any(signature.model == model for signature in SIGNATURES):
        names = ", ".join(sorted(identified.networks)[:_SHOWN]) or "loose tensors"
        raise WeightsError(f"not recognised as weights of {model}; it holds {names}")


def _some(title: str, keys: list[str]) -> str:
    """Text such as ``"3 missing (a, b, ...)"``; empty without keys."""
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
    "NetworkWeights",
    "States",
    "load_networks",
    "load_only",
    "load_strict",
    "load_together",
    "read_notes",
    "save_networks",
]


DIGITS = 12


def fingerprint(network: nn.Module) -> str:
    """A short word that is the same for the same weights on every machine, and another one after any training.

    Args:
        network: as built and loaded, not rearranged for speed.
    """
    digest = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        digest.update(f"{name}{tuple(value.shape)}".encode())
        digest.update(value.detach().to("cpu", torch.float32).contiguous().numpy())
    return digest.hexdigest()[:DIGITS]
