"""Distances of whole sets: of the statistics of features of all predicted and all real frames."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...nn.features.i3d import CLASSES, I3D
from ...nn.features.inception import FIDInception
from ...weights import load_catalogue
from ...weights.load import load_only
from ..metric import ClipFacts, Metric, MetricTools
from .perceptual import VGGObserver

Floats = NDArray[np.float64]

SHRINK = 1e-3
"""Share of the mean variance that is added to every covariance, so that few frames give a distance too."""
BLOCKS = slice(2, 4)
SPAN = 16
"""Frames of a window of the video distance, as in FVD."""


def frechet(one: Floats, other: Floats, shrink: float = SHRINK) -> float:
    """Fréchet distance of two sets of features (n, D) and (m, D), as normal distributions; NaN for fewer than two.

    Args:
        shrink: share of the mean variance that is added to both covariances.

    Source: Heusel et al. 2017 (FID), section 2, eq. 6.
    """
    if min(len(one), len(other)) < 2:
        return math.nan
    if one.shape == other.shape and np.array_equal(one, other):
        return 0.0
    apart = float(np.square(one.mean(axis=0) - other.mean(axis=0)).sum())
    few = not shrink and len(one) + len(other) < one.shape[1]
    spread, shared = _few(one, other) if few else _many(one, other, shrink)
    return max(0.0, apart + spread - 2 * shared)


def _few(one: Floats, other: Floats) -> tuple[float, float]:
    """(sum of the traces, trace of the root of the product) of the covariances of fewer rows than columns.

    With covariances A'A and B'B the second is the sum of the singular values of AB': no matrix of D x D is needed.
    """
    first, second = ((x - x.mean(axis=0)) / math.sqrt(len(x) - 1) for x in (one, other))
    spread = float(np.square(first).sum() + np.square(second).sum())
    return spread, float(np.linalg.svd(first @ second.T, compute_uv=False).sum())


def _many(one: Floats, other: Floats, shrink: float) -> tuple[float, float]:
    """Return the same as `_few`, of any number of rows."""
    covariances = [np.cov(x, rowvar=False) for x in (one, other)]
    ridge = shrink * float(np.mean([np.trace(c) for c in covariances])) / one.shape[1] * np.eye(one.shape[1])
    first, second = (c + ridge for c in covariances)
    # The trace of the root of a product is the sum of the roots of its eigenvalues; this form keeps it symmetric.
    values, vectors = np.linalg.eigh(first)
    root = vectors * np.sqrt(values.clip(min=0)) @ vectors.T
    shared = np.sqrt(np.linalg.eigvalsh(root @ second @ root).clip(min=0)).sum()
    return float(np.trace(first) + np.trace(second)), float(shared)


class SetDistance(Metric):
    """Fréchet distance of features of all predicted and all real frames.

    Attributes:
        shrink: as for `frechet`.
    """

    over, aligned = "set", False
    shrink: ClassVar[float] = 0.0

    def __init__(self, tools: MetricTools) -> None:
        super().__init__(tools)
        self._all: dict[str, list[Tensor]] = {"made": [], "real": []}
        self._clip: dict[str, list[Tensor]] = {"made": [], "real": []}

    def begin(self, clip: ClipFacts) -> None:
        self._clip = {"made": [], "real": []}

    def update(self, predicted: Tensor, real: Tensor) -> None:
        for side, rows in zip(("made", "real"), self.features(predicted, real), strict=True):
            self._clip[side].append(rows.cpu())

    @abstractmethod
    def features(self, predicted: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
        """Features (n, D) of predicted and of real frames (N, 3, H, W), RGB, [0, 1]."""

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
        return frechet(made, real, self.shrink)


class FrechetVGG(SetDistance):
    """Fréchet distance of frames in features of VGG16; a stand-in for FID, whose numbers are others.

    Features are the means over places of the last activations of blocks 3 and 4, of frames at a height of 128 pixels.
    """

    heading, digits, better, shrink = "Fréchet VGG", 2, "lower", SHRINK
    weights, packages, observes = "vgg16", ("h5py",), (VGGObserver,)

    def features(self, predicted: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
        maps = self.observed(VGGObserver)
        made, true = (torch.cat([x.mean(dim=(2, 3)) for x in own[BLOCKS]], dim=1) for own in (maps.made, maps.real))
        return made, true


class FrechetVGGVideo(FrechetVGG):
    """Fréchet distance of pieces of 16 frames in features of VGG16; a stand-in for FVD, whose numbers are others.

    A piece is the mean of its frames' features beside the mean size of their changes.
    """

    heading = "Fréchet VGG video"

    def rows(self, features: Tensor) -> Tensor:
        pieces = features[: len(features) // SPAN * SPAN].reshape(-1, SPAN, features.shape[1])
        return torch.cat([pieces.mean(dim=1), pieces.diff(dim=1).abs().mean(dim=1)], dim=1)


def inception(tools: MetricTools) -> FIDInception:
    """The network of FID with its official weights."""
    network = FIDInception()
    load_only(network, load_catalogue()[FID.weights].path(tools.root), "inception")
    return network.to(tools.device)


def inception_features(tools: MetricTools, frames: Tensor) -> Tensor:
    """Features (N, 2048) of frames (N, 3, H, W), RGB, [0, 1]."""
    return tools.once(inception)(frames)  # type: ignore[no-any-return]


class FID(SetDistance):
    """Fréchet inception distance of all frames, with the official weights; comparable only for thousands of frames.

    Source: Heusel et al. 2017, section 2, eq. 6.
    """

    heading, digits, better, weights = "FID", 2, "lower", "fid_inception"

    def features(self, predicted: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
        return inception_features(self.tools, predicted), self.tools.of_real(inception_features, real)


def i3d(tools: MetricTools) -> I3D:
    """The network of FVD with its official weights."""
    network = I3D()
    load_only(network, load_catalogue()[FVD.weights].path(tools.root), "i3d")
    return network.to(tools.device)


class FVD(SetDistance):
    """Fréchet video distance of pieces of 16 frames one after another, with the official weights.

    Source: Unterthiner et al. 2018, section 3. Comparable only for hundreds of pieces.
    """

    heading, digits, better, weights = "FVD", 2, "lower", "fvd_i3d"

    def begin(self, clip: ClipFacts) -> None:
        super().begin(clip)
        self._waiting: dict[str, Tensor] = {}

    def features(self, predicted: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
        return self._pieces("made", predicted), self._pieces("real", real)

    def _pieces(self, side: str, frames: Tensor) -> Tensor:
        """Logits (n, 400) of the pieces that are whole; the frames left over wait."""
        frames = torch.cat([self._waiting[side], frames]) if side in self._waiting else frames
        whole = len(frames) // SPAN * SPAN
        self._waiting[side] = frames[whole:]
        if not whole:
            return frames.new_zeros(0, CLASSES)
        pieces = frames[:whole].unflatten(0, (-1, SPAN)).transpose(1, 2)
        return torch.cat([self.tools.once(i3d)(piece[None]) for piece in pieces])
