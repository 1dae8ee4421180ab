"""Points of the face mesh in the pictures that a model is shown, found by the offline backend where it is installed."""

from __future__ import annotations

import logging

import torch
from torch import Tensor

from ..face.detect.analyser import FaceAnalyser, open_analyser, problem_of
from ..face.face import Face
from ..paths import default_checkpoint_root

POINTS = 468
_BACKEND = "mesh"
_log = logging.getLogger(__name__)


class PointsFinder:
    """Finds the largest face of each picture, followed from one picture to the next.

    Args:
        analyser: gives the face mesh; None finds nothing.
    """

    def __init__(self, analyser: FaceAnalyser | None) -> None:
        self._analyser = analyser
        self._last: Face | None = None

    @classmethod
    def open(cls) -> PointsFinder:
        """A finder with the offline backend, or one that finds nothing where that cannot be used."""
        root = default_checkpoint_root()
        problem = problem_of(_BACKEND, root)
        if problem is not None:
            _log.warning("lips and lids follow keypoints alone: %s", problem)
            return cls(None)
        return cls(open_analyser(_BACKEND, root=root))

    def forget(self) -> None:
        """Begin a new video."""
        self._last = None

    def __call__(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Points and presence of the faces in pictures (N, 3, H, W), RGB in [0, 1], in their order.

        Returns:
            (N, 468, 2), (x, y) in [-1, 1], 0 where there is no face, and (N,), 1 where there is one, else 0.
        """
        points = torch.zeros(len(pictures), POINTS, 2)
        present = torch.zeros(len(pictures))
        for number, picture in enumerate(pictures):
            self._last = self._find(picture)
            if self._last is not None and self._last.mesh is not None:
                size = torch.tensor([picture.shape[-1] - 1, picture.shape[-2] - 1])
                points[number] = torch.from_numpy(self._last.mesh[:, :2].copy()) * 2 / size - 1
                present[number] = 1
        return points.to(pictures), present.to(pictures)

    def _find(self, picture: Tensor) -> Face | None:
        if self._analyser is None:
            return None
        frame = picture.mul(255).round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).contiguous().cpu().numpy()
        if self._last is not None and (found := self._analyser.follow(frame, [self._last])[0]) is not None:
            return found
        return next(iter(self._analyser.faces(frame)), None)
