"""Clips of a made face in the form of the cache: it opens its mouth and turns."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from talkingface.data.cache.store import SUFFIX, head_angles, write_shard
from talkingface.face3d.mesh_space import shipped_space
from talkingface.motion.coefficients import LAYOUT_260


def write_clip(folder: Path, name: str, identity: str, frames: int = 12, size: int = 128, seed: int = 0) -> Path:
    """Write a clip whose pictures are noise and whose meshes are those of a moving face."""
    random = np.random.default_rng(seed)
    rows = np.zeros((frames, 260), np.float32)
    rows[:, LAYOUT_260.exp.start] = np.linspace(-2, 2, frames)
    rows[:, LAYOUT_260.angle.start + 1] = np.linspace(0.3, -0.3, frames)
    mesh = shipped_space().decode(rows, size=size).astype(np.float32)
    pictures = list(random.integers(0, 256, (frames, size, size, 3), dtype=np.uint8))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}{SUFFIX}"
    write_shard(path, name, identity, pictures, range(0, 2 * frames, 2), mesh, head_angles(mesh, size))
    return path
