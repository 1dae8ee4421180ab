"""Likeness of the predicted face to the person: distances in the features of a network for faces."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ...enhance.align import five_of, is_large_enough, warp
from ...face.face import Face, largest_first, similarity
from ...nn.graph import GraphNetwork
from ...nn.losses.identity import IdentityNetwork
from ...weights import load_catalogue
from ...weights.files.tfjs import read_graph
from ...weights.load import load_only
from ..metric import ClipFacts, Metric, MetricTools, Observer
from ..observe import FaceObserver, mesh_analyser, pictures_of

SIDE = 112  # pixels of a face
# Middles of the eyes, nose tip and corners of the mouth in the pictures of 112 pixels that networks for faces are
# trained with (Deng et al. 2019, ArcFace), those on the left of the picture first.
PLACES = np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]])


def mobileface(tools: MetricTools) -> GraphNetwork:
    """The network MobileFace: faces (N, 3, 112, 112), RGB, 0 to 255 -> (N, 256)."""
    layers, numbers = (entry.path(tools.root) for entry in load_catalogue().entries_for(Identity.weights))
    return GraphNetwork(read_graph(layers, numbers)).to(tools.device)


def arcface(tools: MetricTools) -> IdentityNetwork:
    """The network IR-SE50 of ArcFace: faces (N, 3, 112, 112), RGB, in [-1, 1] -> (N, 512)."""
    network = IdentityNetwork()
    load_only(network, load_catalogue()[CSIM.weights].path(tools.root), "identity")
    return network.to(tools.device).eval()


class IdentityObserver(Observer):
    """Identity of the largest face in each frame, as a vector of length 1.

    Attributes:
        width: D, length of the vectors.
        source: (D,), of the source; NaN where it shows no face.
        made, real: (N, D) each, of the frames that were taken last; NaN where there is no face.
    """

    observes, width = (FaceObserver,), 256
    source: Tensor
    made: Tensor
    real: Tensor

    def begin(self, clip: ClipFacts) -> None:
        (picture,) = pictures_of(clip.source)
        face = next(iter(largest_first(self.tools.once(mesh_analyser).faces(picture))), None)
        self.source = self._vectors(clip.source, [face])[0]

    def update(self, predicted: Tensor, real: Tensor) -> None:
        faces = self.observed(FaceObserver).largest
        self.made, self.real = self._vectors(predicted, faces["made"]), self._vectors(real, faces["real"])

    def _vectors(self, frames: Tensor, faces: list[Face | None]) -> Tensor:
        crops = [aligned(frame, face) for frame, face in zip(frames, faces, strict=True)]
        known = [crop for crop in crops if crop is not None]
        vectors = torch.full((len(crops), self.width), math.nan)
        if known:
            there = torch.tensor([crop is not None for crop in crops])
            vectors[there] = F.normalize(self.embed(torch.stack(known).to(self.tools.device))).cpu()
        return vectors

    def embed(self, crops: Tensor) -> Tensor:
        """Features (N, D) of faces (N, 3, 112, 112), RGB, [0, 1]."""
        return self.tools.once(mobileface)(crops * 255)


class ArcFaceObserver(IdentityObserver):
    """Identity as ArcFace sees it."""

    width = 512

    def embed(self, crops: Tensor) -> Tensor:
        return self.tools.once(arcface)(crops * 2 - 1)  # type: ignore[no-any-return]


def aligned(frame: Tensor, face: Face | None) -> Tensor | None:
    """The face of a frame (3, H, W) in [0, 1], turned, scaled and cut: (3, 112, 112); None without a face or points."""
    five = None if face is None or face.landmarks is None else five_of(face.landmarks)
    if five is None or not is_large_enough(five):
        return None
    to_frame = np.asarray(np.linalg.inv(similarity(five.astype(np.float64), PLACES)), np.float64)
    return warp(frame[None], to_frame, (SIDE, SIDE), outside="zeros")[0].clamp(0, 1)


class IdentityMetric(Metric):
    """Mean of a number of the identities in the frames that show a face."""

    landmarks, weights = True, "mobileface"
    observes: ClassVar[tuple[type[IdentityObserver], ...]] = (IdentityObserver,)

    def begin(self, clip: ClipFacts) -> None:
        self._numbers: list[Tensor] = []

    def update(self, predicted: Tensor, real: Tensor) -> None:
        self._numbers.append(self.measure(self.observed(self.observes[0])))

    @abstractmethod
    def measure(self, seen: IdentityObserver) -> Tensor:
        """Numbers (N,) of the frames that were taken last; NaN where there is nothing to measure."""

    def compute(self) -> float:
        return float(torch.cat(self._numbers).nanmean()) if self._numbers else math.nan


class Identity(IdentityMetric):
    """Mean cosine of the angle between the identities of the source and of the predicted face.

    A stand-in for CSIM, whose network is ArcFace: here it is MobileFace, so the numbers are others.
    """

    heading, digits, better, aligned = "identity (MobileFace)", 3, "higher", False

    def measure(self, seen: IdentityObserver) -> Tensor:
        return seen.made @ seen.source


class IdentityDistance(IdentityMetric):
    """Mean distance of the identity of the predicted face from that of the real face, 0 to 2.

    Source: Siarohin et al. 2019 (FOM), section 4, average Euclidean distance (AED), there of features of OpenFace; here
    of MobileFace's, of length 1.
    """

    heading, digits, better = "identity distance (MobileFace)", 3, "lower"

    def measure(self, seen: IdentityObserver) -> Tensor:
        return (seen.made - seen.real).norm(dim=1)


class CSIM(Identity):
    """Cosine similarity of identities: that of `Identity`, in the features of ArcFace (IR-SE50).

    Source: Deng et al. 2019 (ArcFace); as Zakharov et al. 2019 and Zhang et al. 2023 (SadTalker, section 4.1) use it.
    """

    heading, weights, observes = "CSIM", "ir_se50", (ArcFaceObserver,)
