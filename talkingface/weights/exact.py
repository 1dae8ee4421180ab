"""Files of the catalogue that libraries of others open, which trust them: they have to be the published ones."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ..errors import WeightsError
from .catalogue import Catalogue, load_catalogue
from .status import advice


def published_bytes(name: str, root: Path, catalogue: Catalogue | None = None) -> bytes:
    """Content of a file of the catalogue, if it is to the bit the one that the catalogue describes.

    Libraries that run networks believe what such a file says of itself, and a made-up one ends the process, or worse.

    Args:
        name: in the catalogue, of a file whose size and sha256 are known.
        root: folder of the weights that the user has added.

    Raises:
        WeightsError: it is not there, or is another file.
    """
    entry = (catalogue or load_catalogue())[name]
    path, cure = entry.path(root), advice(entry, root)
    if not path.is_file():
        raise WeightsError("the file is not there", where=path, cure=cure)
    if path.stat().st_size == entry.size:
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() == entry.sha256:
            return content
    raise WeightsError(
        f"not the file '{name}' of the catalogue (its sha256 differs)", where=path, cure=f"Delete it. {cure}"
    )
