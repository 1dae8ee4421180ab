"""Distances of whole sets: of the statistics of features of all predicted and all real frames."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..metric import ClipFacts, Metric, MetricTools
from .perceptual import VGGObserver

Floats = NDArray[np.float64]

SHRINK = 1e-3
"""Share of the mean variance that is added to every covariance, so that few frames give a distance too."""
BLOCKS = slice(2, 4)
SPAN = 16
"""Frames of a window of the video distance, as in FVD."""


def frechet(one: Floats, other: Floats) -> float:
    """Fréchet distance of two sets of features (n, D) and (m, D), as normal distributions; NaN for fewer than two.

    Source: Heusel et al. 2017 (FID), section 2, eq. 6.
    """
    if min(len(one), len(other)) < 2:
        return math.nan
    if one.shape == other.shape and np.array_equal(one, other):
        return 0.0
    means, covariances = zip(*((x.mean(axis=0), np.cov(x, rowvar=False)) for x in (one, other)), strict=True)
    ridge = SHRINK * float(np.mean([np.trace(c) for c in covariances])) / one.shape[1] * np.eye(one.shape[1])
    first, second = (c + ridge for c in covariances)
    # The trace of the root of a product is the sum of the roots of its eigenvalues; this form keeps it symmetric.
    values, vectors = np.linalg.eigh(first)
    root = vectors * np.sqrt(values.clip(min=0)) @ vectors.T
    shared = np.sqrt(np.linalg.eigvalsh(root @ second @ root).clip(min=0)).sum()
    apart = float(np.square(means[0] - means[1]).sum())
    return max(0.0, apart + float(np.trace(first) + np.trace(second)) - 2 * float(shared))


class FrechetVGG(Metric):
    """Fréchet distance of frames in features of VGG16; a stand-in for FID, whose numbers are others.

    Features are the means over places of the last activations of blocks 3 and 4, of frames at a height of 128 pixels.
    """

    heading, digits, better, over, aligned = "Fréchet VGG", 2, "lower", "set", False
    weights, packages, observes = "vgg16", ("h5py",), (VGGObserver,)

    def __init__(self, tools: MetricTools) -> None:
        super().__init__(tools)
        self._all: dict[str, list[Tensor]] = {"made": [], "real": []}
        self._clip: dict[str, list[Tensor]] = {"made": [], "real": []}

    def begin(self, clip: ClipFacts) -> None:
        self._clip = {"made": [], "real": []}

    def update(self, predicted: Tensor, real: Tensor) -> None:
        maps = self.observed(VGGObserver)
        for side, own in (("made", maps.made), ("real", maps.real)):
            self._clip[side].append(torch.cat([part.mean(dim=(2, 3)) for part in own[BLOCKS]], dim=1).cpu())

    def kept(self) -> dict[str, Tensor]:
        """Features (n, D) of the clip, by side."""
        return {side: self.rows(torch.cat(parts)) for side, parts in self._clip.items()}

    def take(self, kept: Mapping[str, Tensor]) -> None:
        """Add a clip's features (n, D) to the set."""
        for side, rows in kept.items():
            self._all[side].append(rows)

    def rows(self, features: Tensor) -> Tensor:
        """Rows (n, D) that stand for a clip with features (T, C)."""
        return features

    def compute(self) -> float:
        made, real = (torch.cat(self._all[side]).double().cpu().numpy() for side in ("made", "real"))
        return frechet(made, real)


class FrechetVGGVideo(FrechetVGG):
    """Fréchet distance of pieces of 16 frames in features of VGG16; a stand-in for FVD, whose numbers are others.

    A piece is the mean of its frames' features beside the mean size of their changes.
    """

    heading = "Fréchet VGG video"

    def rows(self, features: Tensor) -> Tensor:
        pieces = features[: len(features) // SPAN * SPAN].reshape(-1, SPAN, features.shape[1])
        return torch.cat([pieces.mean(dim=1), pieces.diff(dim=1).abs().mean(dim=1)], dim=1)
