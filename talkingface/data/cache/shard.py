"""One clip of the cache: compressed frames and their face meshes in a safetensors file."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from safetensors import safe_open
from safetensors.numpy import save_file

from ...errors import DataError

FORMAT = "talkingface/cache-1"
_QUALITY = 94


@dataclass(frozen=True, eq=False)
class Shard:
    """Frames of a clip, those with a face only.

    Attributes:
        path: of the file.
        clip: name of the clip in its store.
        identity: the person seen.
        numbers: (n,), the frames' numbers in the clip.
        mesh: (n, 468, 3) float32, pixels of the stored frame; x right, y down, z away from the viewer.
        angles: (n, 3) float32, pitch, yaw, roll in degrees.
    """

    path: Path
    clip: str
    identity: str
    numbers: NDArray[np.int64]
    mesh: NDArray[np.float32]
    angles: NDArray[np.float32]
    _file: Any
    _bounds: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.numbers)

    def frame(self, index: int) -> NDArray[np.uint8]:
        """Frame (H, W, 3), RGB, decoded from the mapped file."""
        start, stop = int(self._bounds[index]), int(self._bounds[index + 1])
        packed = self._file.get_slice("frames")[start:stop]
        return np.asarray(Image.open(io.BytesIO(packed.tobytes())).convert("RGB"))


def write_shard(
    path: Path,
    clip: str,
    identity: str,
    frames: Sequence[NDArray[np.uint8]],
    numbers: Sequence[int],
    mesh: NDArray[np.float32],
    angles: NDArray[np.float32],
) -> None:
    """Write a clip of frames (H, W, 3); the file is complete or not there at all. Arguments as in `Shard`."""
    packed = [_packed(frame) for frame in frames]
    bounds = np.concatenate([[0], np.cumsum([len(one) for one in packed])]).astype(np.int64)
    tensors: dict[str, NDArray[Any]] = {
        "frames": np.frombuffer(b"".join(packed) or b"\0", np.uint8),
        "bounds": bounds,
        "numbers": np.asarray(numbers, np.int64),
        "mesh": np.ascontiguousarray(mesh, np.float32),
        "angles": np.ascontiguousarray(angles, np.float32),
    }
    part = path.with_suffix(".part")
    save_file(tensors, part, {"format": FORMAT, "clip": clip, "identity": identity})
    part.replace(path)


def read_shard(path: Path) -> Shard:
    """Open a file of `write_shard`.

    Raises:
        DataError: if it is something else.
    """
    file = safe_open(path, framework="numpy")
    notes = file.metadata() or {}
    if notes.get("format") != FORMAT:
        raise DataError("no clip of a cache", where=path, cure="Remove it and build the cache again.")
    numbers, mesh, angles, bounds = (file.get_tensor(name) for name in ("numbers", "mesh", "angles", "bounds"))
    return Shard(path, notes["clip"], notes["identity"], numbers, mesh, angles, file, bounds)


def _packed(frame: NDArray[np.uint8]) -> bytes:
    out = io.BytesIO()
    Image.fromarray(frame).save(out, "JPEG", quality=_QUALITY, subsampling=0)
    return out.getvalue()
