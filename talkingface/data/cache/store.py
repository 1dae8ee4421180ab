"""The cache as a whole: clips with their curves over time."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from safetensors.numpy import save_file

from ...errors import DataError, WeightsError
from ...face.detect.analyser import FaceAnalyser
from ...face.face import Face
from ...face3d.mesh import POINTS
from ...face3d.mesh_measure import curves
from ...face3d.mesh_space import shipped_space
from ...media.image import BROKEN, MAX_PIXELS, check_size
from ...motion.coefficients import LAYOUT_260
from ...part_files import atomic_file
from ...paths import inside
from ...weights.files.read import file_errors
from ...weights.files.tensorfile import read_safetensors
from ..store import Clip, ClipStore, Frames
from .settings import CacheSettings

FORMAT = "talkingface/cache-1"
_QUALITY = 94
_ARRAYS = {"frames", "bounds", "numbers", "mesh", "angles"}
_BUILD_AGAIN = "Remove it and build the cache again."


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
    _frames: memoryview
    _bounds: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.numbers)

    def frame(self, index: int) -> NDArray[np.uint8]:
        """Frame (H, W, 3), RGB, decoded from the mapped file."""
        start, stop = int(self._bounds[index]), int(self._bounds[index + 1])
        try:
            with Image.open(io.BytesIO(self._frames[start:stop]), formats=("JPEG",)) as image:
                check_size(image.size, MAX_PIXELS, self.path)
                return np.asarray(image.convert("RGB"))
        except BROKEN as error:
            raise DataError(f"frame {index} is damaged ({error})", where=self.path, cure=_BUILD_AGAIN) from error


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
    with atomic_file(path) as part:
        save_file(tensors, part, {"format": FORMAT, "clip": clip, "identity": identity})


def read_shard(path: Path) -> Shard:
    """Open a file of `write_shard`.

    Raises:
        DataError: if it is something else.
    """
    try:
        with file_errors(path):
            records, notes = read_safetensors(path)
            if notes.get("format") != FORMAT or not {"clip", "identity"} <= notes.keys() or records.keys() != _ARRAYS:
                raise WeightsError("no clip of a cache")
            arrays = {name: record.tensor().numpy() for name, record in records.items() if name != "frames"}
            frames = records["frames"].storage.view
    except WeightsError as error:
        raise DataError(error.what, where=path, cure=_BUILD_AGAIN) from error
    count, bounds = len(arrays["numbers"]), arrays["bounds"]
    shapes = {"numbers": (count,), "bounds": (count + 1,), "mesh": (count, POINTS, 3), "angles": (count, 3)}
    ascending = bounds.dtype == np.int64 and bounds.ndim == 1 and bool((np.diff(bounds, prepend=0) >= 0).all())
    if any(arrays[name].shape != shape for name, shape in shapes.items()) or not ascending or frames is None:
        raise DataError("a damaged clip of a cache", where=path, cure=_BUILD_AGAIN)
    own = {name: arrays[name] for name in ("numbers", "mesh", "angles")}
    return Shard(path, notes["clip"], notes["identity"], **own, _frames=frames, _bounds=bounds)


def _packed(frame: NDArray[np.uint8]) -> bytes:
    out = io.BytesIO()
    Image.fromarray(frame).save(out, "JPEG", quality=_QUALITY, subsampling=0)
    return out.getvalue()


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
        path = inside(folder, f"{clip.name.replace('/', '__')}{SUFFIX}")
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
