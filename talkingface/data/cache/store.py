"""The cache as a whole: clips with their curves over time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ...face3d.mesh_measure import curves
from .build import SUFFIX
from .shard import Shard, read_shard

_YAW = 1  # column of the angles


@dataclass(frozen=True, eq=False)
class CachedClip:
    """A clip and what its face does.

    Attributes:
        shard: its frames and meshes.
        opening: (n,), distance of the inner lips in distances of the outer eye corners.
        lids: (n,), distance of the lids over the width of the eye.
        yaw: (n,), turn of the head in degrees.
    """

    shard: Shard
    opening: NDArray[np.floating]
    lids: NDArray[np.floating]
    yaw: NDArray[np.floating]

    def __len__(self) -> int:
        return len(self.shard)


class FaceCache:
    """The clips of a folder that `build_cache` has written, or is writing.

    Args:
        folder: of the shards.
        fewest: clips with fewer frames are left out.

    Attributes:
        clips: by identity, in order of their names.

    Raises:
        DataError: if the folder holds no clip.
    """

    def __init__(self, folder: Path, fewest: int = 8) -> None:
        shards = [read_shard(path) for path in sorted(folder.glob(f"*{SUFFIX}"))]
        self.clips: dict[str, list[CachedClip]] = {}
        for shard in shards:
            if len(shard) >= fewest:
                self.clips.setdefault(shard.identity, []).append(_watched(shard))
        if not self.clips:
            raise DataError("the cache is empty", where=folder, cure="Build it with scripts/build_cache.py.")

    def __len__(self) -> int:
        return sum(len(clip) for group in self.clips.values() for clip in group)


def _watched(shard: Shard) -> CachedClip:
    found = curves(shard.mesh.astype(np.float64))
    return CachedClip(shard, found["mouth opening"], found["blinking"], shard.angles[:, _YAW])
