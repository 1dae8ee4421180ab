"""The protocol of an evaluation: everything that its numbers depend on, and the hash of that."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ... import __version__
from ..metric import Metric

_PIECE = 2**20  # bytes


def file_hash(path: Path) -> str:
    """sha256 of a file, or of all files of a folder with their names."""
    digest = hashlib.sha256()
    for file in sorted(x for x in path.rglob("*") if x.is_file()) if path.is_dir() else [path]:
        digest.update(os.fsencode(file.name) if path.is_dir() else b"")
        with file.open("rb") as content:
            while piece := content.read(_PIECE):
                digest.update(piece)
    return digest.hexdigest()


def protocol(
    tables: Iterable[str],
    data: Mapping[str, str],
    metrics: Mapping[str, type[Metric]],
    weights: Mapping[str, str],
    crop: Mapping[str, Any],
) -> dict[str, Any]:
    """Describe an evaluation.

    Args:
        tables: tasks.
        data: names of files, with their hashes.
        metrics: by name.
        weights: names of weights, with their hashes.
        crop: how frames are taken.

    Returns:
        All of it, and its ``hash``.
    """
    versions = {name: metric.version for name, metric in metrics.items()}
    document = {
        "toolkit": __version__,
        "tables": list(tables),
        "data": dict(sorted(data.items())),
        "metrics": versions,
        "weights": dict(weights),
        "crop": dict(crop),
    }
    text = json.dumps(document, sort_keys=True, ensure_ascii=True)
    return {**document, "hash": hashlib.sha256(text.encode()).hexdigest()}
