"""Where the recognition network wants a face: five fixed places in a picture of 112x112."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from .five_points import five_points

SIDE = 112
# Left eye, right eye, nose tip, mouth corners in the pictures that insightface trains on.
PLACES = np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]])


def identity_matrix(landmarks: NDArray[Any]) -> NDArray[np.float64]:
    """The turn, scale and shift that bring a face to its place (least squares; Umeyama 1991).

    Args:
        landmarks: (68, 2) or (5, 2), pixels of the picture, y downwards.

    Returns:
        (2, 3): picture pixel (x, y, 1) -> pixel of the 112 crop; the unit matrix where all points lie in one place.
    """
    points = np.asarray(five_points(landmarks), np.float64)
    here, there = points.mean(0), PLACES.mean(0)
    centred = points - here
    spread = (centred**2).sum() / len(points)
    if spread == 0:
        return np.eye(3)[:2]
    u, sizes, v = np.linalg.svd((PLACES - there).T @ centred / len(points))
    # Without this a mirrored face would be mirrored back.
    keep = np.array([1.0, np.sign(np.linalg.det(u) * np.linalg.det(v))])
    turn = (u * keep) @ v * (sizes @ keep / spread)
    return np.column_stack([turn, there - turn @ here])


def cut_identity(pictures: Tensor, matrices: Tensor, size: int = SIDE) -> Tensor:
    """Faces at the places where the recognition network wants them; gradients reach the pictures.

    Args:
        pictures: (N, C, H, W).
        matrices: (N, 2, 3) of `identity_matrix`.
        size: side of the crop.

    Returns:
        (N, C, size, size), bilinear, 0 outside the pictures.
    """
    height, width = pictures.shape[-2:]
    back = torch.linalg.inv(matrices[:, :, :2])
    steps = torch.arange(size, dtype=pictures.dtype, device=pictures.device)
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    places = (torch.stack([x, y], -1) - matrices[:, None, None, :, 2]) @ back.mT[:, None]
    scale = places.new_tensor([2 / (width - 1), 2 / (height - 1)])
    return F.grid_sample(pictures, places * scale - 1, padding_mode="zeros", align_corners=True)
