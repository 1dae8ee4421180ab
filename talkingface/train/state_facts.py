"""Facts of a saved state: the JSON beside its tensors, which names every file with its digest and is checked first."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr, ValidationError

from ..errors import TrainingError, WeightsError
from ..weights.download.http import sha256_of
from ..weights.files.read import file_errors
from ..weights.files.tensorfile import read_safetensors

NETWORKS, AVERAGE, OPTIMIZERS, FACTS = (
    "networks.safetensors",
    "average.safetensors",
    "optimizers.safetensors",
    "state.json",
)
TENSORS = (NETWORKS, AVERAGE, OPTIMIZERS)
_LARGEST = 64 << 20  # bytes of the JSON; a real one has some thousand


class DamagedStateError(TrainingError):
    """A saved state cannot be read as it was written."""


class _Facts(BaseModel):
    """Facts of every state; states of before digests lack the last two."""

    model_config = ConfigDict(extra="allow")

    step: StrictInt = Field(ge=0, lt=1 << 53)
    model: StrictStr
    best: tuple[float, Annotated[StrictStr, Field(pattern=r"^step-[0-9]{1,15}$")]] | None  # names a folder
    settings: dict[StrictStr, Any]
    optimizers: dict[StrictStr, list[dict[StrictStr, Any]]]
    files: dict[StrictStr, StrictStr] | None = None
    digest: StrictStr | None = None


def write_facts(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write the facts of a state whose tensors are there, with digests of those and of the facts themselves."""
    known = {**facts, "files": {name: sha256_of(folder / name) for name in TENSORS}}
    known = json.loads(json.dumps(known))  # as it will be read
    known["digest"] = _digest(known)
    (folder / FACTS).write_text(json.dumps(known, indent=1), encoding="utf-8")


def read_facts(folder: Path) -> dict[str, Any]:
    """Read the facts of a saved state.

    Raises:
        DamagedStateError: if they are missing or not as they were written.
    """
    path = folder / FACTS
    try:
        if path.stat().st_size > _LARGEST:
            raise damaged(folder, f"{FACTS} is too long")
        facts = json.loads(path.read_text(encoding="utf-8"))
        _Facts.model_validate(facts)
    except OSError as error:
        raise damaged(folder, f"{FACTS}: {error.strerror or error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise damaged(folder, f"{FACTS}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    except (ValueError, RecursionError) as error:  # no UTF-8, no JSON, nested without end
        raise damaged(folder, f"{FACTS} is not readable") from error
    if facts.get("digest", None) not in (None, _digest(facts)):
        raise damaged(folder, f"{FACTS} is not as it was written")
    return dict(facts)


def check_files(folder: Path, facts: Mapping[str, Any]) -> None:
    """Compare the tensor files of a state with their digests; states of before digests are taken as they are.

    Raises:
        DamagedStateError: if a file is missing or not as it was written.
    """
    for name in TENSORS:
        wanted = (facts.get("files") or {}).get(name)
        try:
            found = sha256_of(folder / name) if wanted is not None else None
            (folder / name).stat()
        except OSError as error:
            raise damaged(folder, f"{name}: {error.strerror or error}") from error
        if wanted != found:
            raise damaged(folder, f"{name} is not as it was written")


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """Read the tensors (...) of one file of a state.

    Raises:
        DamagedStateError: if it is missing or damaged.
    """
    try:
        with file_errors(path):
            return {name: record.tensor() for name, record in read_safetensors(path)[0].items()}
    except WeightsError as error:
        raise damaged(path.parent, f"{path.name}: {error.what}") from error


def damaged(folder: Path, what: str) -> DamagedStateError:
    """Error that names a state and the way on."""
    cure = "Remove this folder; --train.resume=auto goes on from the state before it."
    return DamagedStateError(f"the state is damaged ({' '.join(what.split())[:200]})", where=folder, cure=cure)


def _digest(facts: Mapping[str, Any]) -> str:
    """Digest of the facts, whatever their order."""
    rest = {name: value for name, value in facts.items() if name != "digest"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()
