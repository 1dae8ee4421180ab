"""Faces of the mesh space on pictures: positions of their points, and the surroundings of lips and eyes."""

from __future__ import annotations

import logging

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..face.detect.analyser import FaceAnalyser, open_analyser, problem_of
from ..face.face import Face
from ..face3d.mesh import CHIN, EYE_CORNERS, FOREHEAD
from ..face3d.mesh_space import shipped_space
from ..motion.coefficients import LAYOUT_260, Coefficients
from ..nn.compact.face_motion import inside
from ..paths import default_checkpoint_root

POINTS = 468
_BACKEND = "mesh"
_log = logging.getLogger(__name__)


class MeshDetector:
    """Finds the largest face of each picture, followed from one picture to the next.

    Args:
        analyser: gives the face mesh; None finds nothing.
    """

    def __init__(self, analyser: FaceAnalyser | None) -> None:
        self._analyser = analyser
        self._last: Face | None = None

    @classmethod
    def open(cls) -> MeshDetector:
        """A detector with the offline backend, or one that finds nothing where that cannot be used."""
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


_FLATTEST = 0.35  # height of a ring's surroundings over its width, at least: a shut eye has some too
_SURROUNDINGS = 1.5  # size of the surroundings over that of the ring


def face_points(rows: Tensor, like: Tensor) -> Tensor:
    """Points of faces (N, 468, 2), (x, y) in [-1, 1].

    Args:
        rows: (N, 260), of the mesh space, with identity.
        like: gives the device.
    """
    side = 256
    mesh = shipped_space().decode(rows.cpu().numpy(), size=side)
    return torch.from_numpy(mesh[..., :2] * (2 / (side - 1)) - 1).to(like)


def points_of(identity: Tensor, rows: Tensor) -> Tensor:
    """Points of one person's face (N, 468, 2), (x, y) in [-1, 1], x to the right and y down.

    Args:
        identity: (1, 80), of the mesh space.
        rows: (N, 70) or (N, 73), which hold no identity.
    """
    moved, full = Coefficients(rows.cpu().numpy()), Coefficients(np.zeros((len(rows), LAYOUT_260.width), np.float32))
    full.id[:] = identity.cpu().numpy()
    full.exp[:], full.angle[:], full.trans[:] = moved.exp, moved.angle, moved.trans
    return face_points(torch.from_numpy(full.values), rows)


def surroundings(points: Tensor, rings: list[tuple[int, ...]], like: Tensor) -> Tensor:
    """(N, 1, H, W): 1 in and around rings of points, enlarged and never flat.

    Args:
        points: (N, 468, 2).
        like: pictures (N, 3, H, W), whose size the result has.
    """
    size = (like.shape[-2] // 2, like.shape[-1] // 2)
    covered = [inside(_enlarged(points[:, list(ring)]), size) for ring in rings]
    return F.interpolate(torch.stack(covered).sum(dim=0).clamp(max=1), size=like.shape[-2:], mode="bilinear")


def face_sizes(points: Tensor) -> Tensor:
    """(N,), about the distance of the outer corners of the eyes, however the head is turned.

    Args:
        points: (N, 468, 2).
    """
    left, right = EYE_CORNERS
    width, height = points[:, left] - points[:, right], points[:, FOREHEAD] - points[:, CHIN]
    return torch.maximum(width.norm(dim=-1), height.norm(dim=-1) / 2)


def _enlarged(ring: Tensor) -> Tensor:
    middle = ring.mean(dim=1, keepdim=True)
    away = (ring - middle) * _SURROUNDINGS
    width, height = (away.amax(dim=1) - away.amin(dim=1)).unbind(dim=1)
    stretch = (width * _FLATTEST / height.clamp(min=1e-3)).clamp(min=1)
    return middle + away * torch.stack([torch.ones_like(stretch), stretch], dim=1)[:, None]
