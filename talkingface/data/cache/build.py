"""Builds the cache: decodes each clip once, finds the face mesh, keeps every few frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...face.detect.analyser import FaceAnalyser
from ...face.face import Face
from ...face3d.mesh_space import shipped_space
from ...face3d.mesh_topology import POINTS
from ...motion.coefficients import LAYOUT_260
from ..store import Clip, ClipStore, Frames
from .settings import CacheSettings
from .shard import write_shard

SUFFIX = ".safetensors"


def build_cache(
    store: ClipStore, folder: Path, analyser: FaceAnalyser, settings: CacheSettings, share: tuple[int, int] = (0, 1)
) -> Iterator[tuple[Clip, int]]:
    """Write the shards that are missing, one clip of every identity before the next of any.

    Args:
        store: clips.
        folder: of the shards.
        analyser: one that gives the face mesh.
        settings: how many frames are kept.
        share: (number of this process, number of all): each takes its part of the clips.

    Yields:
        The clip that was written, and how many of its frames show a face.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for clip, step in spread(store.clips(), settings)[share[0] :: share[1]]:
        path = folder / f"{clip.name.replace('/', '__')}{SUFFIX}"
        if not path.is_file():
            yield clip, _build(store, clip, path, analyser, settings.image_size, step)


def spread(clips: Sequence[Clip], settings: CacheSettings) -> list[tuple[Clip, int]]:
    """Clips in the order in which they are worth having, with the distance of the frames that are kept of each.

    The distance grows for identities that have more than `frames_per_identity`.
    """
    groups: dict[str, list[Clip]] = {}
    for clip in clips:
        groups.setdefault(clip.identity, []).append(clip)
    steps = {
        identity: max(settings.every, -(-sum(clip.frames for clip in group) // settings.frames_per_identity))
        for identity, group in groups.items()
    }
    rounds = max(len(group) for group in groups.values())
    return [
        (group[turn], steps[identity])
        for turn in range(rounds)
        for identity, group in groups.items()
        if turn < len(group)
    ]


def _build(store: ClipStore, clip: Clip, path: Path, analyser: FaceAnalyser, size: int, step: int) -> int:
    frames = store.whole(clip, size)
    numbers = range(0, len(frames), step)
    faces = follow_face(frames[::step], analyser)
    meshes = {index: face.mesh for index, face in enumerate(faces) if face is not None and face.mesh is not None}
    seen = list(meshes)
    mesh = np.stack(list(meshes.values())) if meshes else np.zeros((0, POINTS, 3), np.float32)
    write_shard(
        path,
        clip.name,
        clip.identity,
        [frames[numbers[index]] for index in seen],
        [numbers[index] for index in seen],
        mesh,
        head_angles(mesh, size),
    )
    return len(seen)


def follow_face(frames: Frames, analyser: FaceAnalyser) -> list[Face | None]:
    """Largest face of each frame (H, W, 3), followed from one to the next; None where there is none."""
    faces: list[Face | None] = []
    last: Face | None = None
    for frame in frames:
        found = analyser.follow(frame, [last])[0] if last is not None else None
        if found is None:
            found = next(iter(analyser.faces(frame)), None)
        faces.append(found if found is not None and found.mesh is not None else None)
        last = faces[-1]
    return faces


def head_angles(mesh: NDArray[np.floating], size: int) -> NDArray[np.float32]:
    """Pitch, yaw and roll in degrees, (n, 3), of meshes (n, 468, 3) in pixels of a square frame."""
    if not len(mesh):
        return np.zeros((0, 3), np.float32)
    rows = shipped_space().fit(mesh.astype(np.float64), size=size)
    return np.degrees(rows[:, LAYOUT_260.angle]).astype(np.float32)
