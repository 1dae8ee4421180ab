"""Convert weight files: any known kind into ours, and back to the layout in which the models were published."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..errors import WeightsError
from ..part_files import atomic_file
from .files.tensorfile import to_storable
from .load import NetworkWeights, States, load_networks, save_networks

LAYOUTS = ("safetensors", "published")


def convert(
    source: Path | Sequence[Path],
    target: Path,
    *,
    to: str | None = None,
    half: bool = False,
    model: str | None = None,
) -> NetworkWeights:
    """Write the networks of ``source`` to ``target`` and return them.

    Tensors keep their values bit by bit unless ``half`` is set. Optimizer states and the epoch are left out.

    Args:
        source: any file that `load_networks` reads, or several of one model; where two hold a network of the same
            name, the first one counts.
        target: the file to write; it must not be a source.
        to: ``"safetensors"`` (ours) or ``"published"`` (torch file of state dicts); None: by the target's ending.
        half: convert floating-point numbers to float16.
        model: name of the model that the weights must belong to; None accepts any.

    Raises:
        WeightsError: if the source cannot be read or the target is the source.
    """
    import torch

    sources = [source] if isinstance(source, Path) else list(source)
    if target.resolve() in [path.resolve() for path in sources]:
        raise WeightsError("the file to write is the file to read", where=target, cure="Name another output.")
    networks = _joined([load_networks(path, model=model) for path in sources], target)
    dtype = torch.float16 if half else None
    if (to or layout_of(target)) == "published":
        save_published(target, networks, dtype)
    else:
        notes = {"model": networks.model, **networks.metadata}
        save_networks(target, networks.states, notes, dtype)
    return networks


def _joined(parts: Sequence[NetworkWeights], target: Path) -> NetworkWeights:
    """Join the networks of several files; the first file that holds a network counts."""
    models = sorted({part.model for part in parts})
    if len(models) > 1:
        raise WeightsError(
            f"the files are of {' and '.join(map(repr, models))}", where=target, cure="Join one model's."
        )
    states: States = {}
    metadata: dict[str, str] = {}
    for part in parts:
        states, metadata = part.states | states, part.metadata | metadata
    return NetworkWeights(states, metadata, parts[0].model, parts[0].layout)


def layout_of(target: Path) -> str:
    """Layout that belongs to a file's ending.

    Raises:
        WeightsError: if it is neither ``.safetensors`` nor one of torch's endings.
    """
    if target.suffix == ".safetensors":
        return "safetensors"
    if target.suffix in (".pth", ".pt", ".tar", ".ckpt"):
        return "published"
    raise WeightsError(f"no known ending {target.suffix!r}", where=target, cure="Use .safetensors or .pth.tar.")


def save_published(path: Path, networks: NetworkWeights, dtype: object = None) -> None:
    """Write a torch file as the published code loads it: network -> state dict; it appears only when complete."""
    import torch

    wanted = dtype if isinstance(dtype, torch.dtype) else None
    states = {
        name: {key: to_storable(value, wanted) for key, value in state.items()}
        for name, state in networks.states.items()
    }
    with atomic_file(path) as part:
        torch.save(states, part)
