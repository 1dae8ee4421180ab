"""Batches of pairs with the points of their faces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from ...face3d.mesh_space import shipped_space
from ..augment import Augmentation, augment_batch, draw_augmentation
from ..settings import AugmentSettings
from .settings import DrawSettings
from .store import CachedClip, FaceCache


@dataclass(frozen=True)
class Pair:
    """Two frames of one clip.

    Attributes:
        clip: their clip.
        frames: (source, driving), numbers among the clip's stored frames.
    """

    clip: CachedClip
    frames: tuple[int, int]


class PairSampler:
    """Draws pairs: an identity first, all alike; then what shall disagree; then a clip, and its frames.

    Args:
        cache: where pairs come from.
        settings: shares of what disagrees.
        seed: with the pair's number the only source of randomness.
    """

    def __init__(self, cache: FaceCache, settings: DrawSettings, seed: int = 0) -> None:
        self._settings, self._seed = settings, seed
        self._groups = [cache.clips[identity] for identity in sorted(cache.clips)]
        self._shares = np.cumsum([settings.mouth, settings.lids, settings.turn])

    def generator(self, number: int) -> np.random.Generator:
        """The random numbers of pair `number`, independent of those of other pairs."""
        return np.random.Generator(np.random.Philox(key=np.array([self._seed, number], np.uint64)))

    def pair(self, random: np.random.Generator) -> Pair:
        """Draw a pair."""
        group = self._groups[int(random.integers(len(self._groups)))]
        kind = int(np.searchsorted(self._shares, random.random(), side="right"))
        if kind == len(self._shares):
            clip = _choose(group, [float(len(clip)) for clip in group], random)
            first, second = random.choice(len(clip), 2, replace=False)
            return Pair(clip, (int(first), int(second)))
        clip = _choose(group, [_range(_curve(clip, kind)) for clip in group], random)
        return Pair(clip, _apart(_curve(clip, kind), self._settings.extreme, random))


def _curve(clip: CachedClip, kind: int) -> NDArray[np.floating]:
    return (clip.opening, clip.lids, clip.yaw)[kind]


def _range(curve: NDArray[np.floating]) -> float:
    low, high = np.quantile(curve, (0.05, 0.95))
    return float(high - low)


def _choose(clips: list[CachedClip], weights: list[float], random: np.random.Generator) -> CachedClip:
    bounds = np.cumsum(weights)
    place = int(np.searchsorted(bounds, random.random() * bounds[-1], side="right"))
    return clips[min(place, len(clips) - 1)]


def _apart(curve: NDArray[np.floating], extreme: float, random: np.random.Generator) -> tuple[int, int]:
    """Two frames from the ends of a curve, in either order."""
    order = np.argsort(curve)
    count = max(1, int(len(order) * extreme))
    low, high = int(random.choice(order[:count])), int(random.choice(order[-count:]))
    return (low, high) if random.integers(2) else (high, low)


class PairBatches(Dataset[dict[str, Tensor]]):
    """Batch number ``step``, as a pure function of the sampler's seed and the step.

    Args:
        sampler: draws the pairs.
        batch_size: pairs of a batch.
        augment: random changes; points follow the picture.
    """

    def __init__(self, sampler: PairSampler, batch_size: int, augment: AugmentSettings) -> None:
        self._sampler, self._batch_size, self._augment = sampler, batch_size, augment

    def __getitem__(self, step: int) -> dict[str, Tensor]:
        """Frames ``source`` and ``driving``, (N, 3, H, W) in [0, 1], and the points of their faces.

        These are ``points_source`` and ``points_driving``, (N, 468, 2), (x, y) in [-1, 1], the middles of the border
        pixels.
        """
        randoms = [self._sampler.generator(step * self._batch_size + index) for index in range(self._batch_size)]
        pairs = [self._sampler.pair(random) for random in randoms]
        changes = [draw_augmentation(self._augment, random) for random in randoms]
        return pairs_of(pairs, changes, self._augment)


class CoefficientBatches(PairBatches):
    """Batches whose points are those that coefficients say, with the coefficients."""

    def __getitem__(self, step: int) -> dict[str, Tensor]:
        """Batch of `PairBatches`, with ``rows_source`` and ``rows_driving``, (N, 260), of the mesh space.

        Both frames of a pair have the identity that is estimated from the two.
        """
        randoms = [self._sampler.generator(step * self._batch_size + index) for index in range(self._batch_size)]
        pairs = [self._sampler.pair(random) for random in randoms]
        changes = [draw_augmentation(self._augment, random) for random in randoms]
        batch = pairs_of(pairs, changes, self._augment)
        side, space = batch["source"].shape[-1], shipped_space()
        moved = _moved(self._augment)
        rows = [
            space.fit(changed_mesh(pair.clip.shard.mesh[list(pair.frames)], change, side, moved), size=side)
            for pair, change in zip(pairs, changes, strict=True)
        ]
        for index, name in enumerate(("source", "driving")):
            found = np.stack([pair[index] for pair in rows])
            points = space.decode(found, size=side)[..., :2] * (2 / (side - 1)) - 1
            batch[f"rows_{name}"] = torch.from_numpy(found)
            batch[f"points_{name}"] = torch.from_numpy(points.astype(np.float32))
        return batch


def pairs_of(pairs: Sequence[Pair], changes: Sequence[Augmentation], augment: AugmentSettings) -> dict[str, Tensor]:
    """Batch of changed pairs: pictures (N, 3, H, W) in [0, 1] and points (N, 468, 2) of both frames."""
    frames = np.stack([[pair.clip.shard.frame(number) for number in pair.frames] for pair in pairs])
    pictures = augment_batch(torch.from_numpy(frames), list(changes), augment)
    moved = _moved(augment)
    points = np.stack(
        [
            changed_points(pair.clip.shard.mesh[list(pair.frames), :, :2], change, frames.shape[-2], moved)
            for pair, change in zip(pairs, changes, strict=True)
        ]
    )
    found = torch.from_numpy(points.astype(np.float32))
    source, driving = (pictures[:, index].contiguous() for index in (0, 1))
    return {"source": source, "driving": driving, "points_source": found[:, 0], "points_driving": found[:, 1]}


def changed_points(
    points: NDArray[np.floating], change: Augmentation, side: int, moved: bool = True
) -> NDArray[np.float64]:
    """Move points (n, 468, 2) as a change moves their picture.

    Args:
        points: (n, 468, 2), pixels of a picture of `side` pixels, whole numbers at the middles of pixels.
        change: of the picture.
        moved: whether its crop and rotation are applied.

    Returns:
        (n, 468, 2), in [-1, 1], the middles of the border pixels.
    """
    edges = (np.asarray(points, np.float64) + 0.5) * (2 / side) - 1
    if change.mirror:
        edges = edges[:, shipped_space().partner] * (-1, 1)
    if moved:
        matrix, shift = change.crop_from_item[:, :2], change.crop_from_item[:, 2]
        edges = (edges - shift) @ np.linalg.inv(matrix).T
    return edges * (side / (side - 1))


def changed_mesh(
    mesh: NDArray[np.floating], change: Augmentation, side: int, moved: bool = True
) -> NDArray[np.float64]:
    """Move meshes (n, 468, 3) in pixels as a change moves their picture of `side` pixels; depth grows with the rest."""
    points = (changed_points(mesh[..., :2], change, side, moved) + 1) * ((side - 1) / 2)
    depth = np.asarray(mesh[..., 2:], np.float64)
    if change.mirror:
        depth = depth[:, shipped_space().partner]
    if moved:
        depth = depth / np.sqrt(abs(np.linalg.det(change.crop_from_item[:, :2])))
    return np.concatenate([points, depth], axis=2)


def _moved(augment: AugmentSettings) -> bool:
    return augment.crop > 0 or augment.rotation_deg > 0
