"""Batches of pairs with the points of their faces."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from ...face3d.mesh_space import shipped_space
from ..augment import Augmentation, augment_batch, draw_augmentation
from ..settings import AugmentSettings
from .draws import Pair, PairSampler


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


def pairs_of(pairs: Sequence[Pair], changes: Sequence[Augmentation], augment: AugmentSettings) -> dict[str, Tensor]:
    """Batch of changed pairs: pictures (N, 3, H, W) in [0, 1] and points (N, 468, 2) of both frames."""
    frames = np.stack([[pair.clip.shard.frame(number) for number in pair.frames] for pair in pairs])
    pictures = augment_batch(torch.from_numpy(frames), list(changes), augment)
    moved = augment.crop > 0 or augment.rotation_deg > 0
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
