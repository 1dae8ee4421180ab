"""A face model a few vertices wide, with the fields of the published one: a bent sheet."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

SIDE = 9


def small_fields(seed: int = 0) -> dict[str, NDArray[Any]]:
    """Fields of ``BFM_model_front.mat`` for a bulging sheet of 9 x 9 vertices that fills most of the crop."""
    random = np.random.default_rng(seed)
    x, y = np.meshgrid(np.linspace(-0.9, 0.9, SIDE), np.linspace(0.9, -0.9, SIDE))
    shape = np.stack([x, y, 0.6 - 0.5 * (x**2 + y**2)], -1)
    corners = np.arange(1, SIDE * SIDE + 1).reshape(SIDE, SIDE)
    a, b, c, d = corners[:-1, :-1], corners[1:, :-1], corners[:-1, 1:], corners[1:, 1:]
    triangles = np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([c, b, d], -1).reshape(-1, 3)])
    around = np.full((SIDE * SIDE, 8), len(triangles) + 1)
    for vertex in range(SIDE * SIDE):
        own = np.nonzero((triangles == vertex + 1).any(-1))[0] + 1
        around[vertex, : len(own)] = own
    size = shape.size
    return {
        "meanshape": shape.reshape(1, -1),
        "meantex": random.uniform(90, 200, (1, size)).astype(np.float32),
        "idBase": random.normal(0, 0.01, (size, 80)).astype(np.float32),
        "exBase": random.normal(0, 0.01, (size, 64)).astype(np.float32),
        "texBase": random.normal(0, 2, (size, 80)).astype(np.float32),
        "tri": triangles.astype(np.int64),
        "point_buf": around.astype(np.int64),
        "keypoints": random.integers(1, SIDE * SIDE + 1, (1, 68)),
        "skinmask": np.ones((1, SIDE * SIDE), np.float32),
        "tri_mask2": triangles[:10].astype(np.int64),
        "frontmask2_idx": np.arange(1, 11).reshape(-1, 1),
    }
