"""Faces of the mesh space on pictures: positions of their points, and the surroundings of lips and eyes."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..face3d.mesh_space import shipped_space
from ..face3d.mesh_topology import CHIN, EYE_CORNERS, FOREHEAD
from ..motion.coefficients import LAYOUT_260, Coefficients
from ..nn.compact.face_motion import inside

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
