"""Finding faces of any size and turn: which parts of a picture the detectors look at, and which finds count."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .blaze import Detector
from .face import Face
from .region import Pyramid, Region

Fit = Callable[[Pyramid, Region], "tuple[NDArray[np.float32], float]"]


class Search:
    """Looks at the whole picture, then at overlapping tiles of it, then at the picture turned."""

    def __init__(self, short: Detector, full: Detector) -> None:
        self._short, self._full = short, full

    def faces(self, pyramid: Pyramid, fit: Fit) -> list[Face]:
        from .mesh import face_of

        found = []
        for d in self._short(pyramid, whole(pyramid), 0.5):
            mesh, flag = fit(pyramid, d.region)
            if flag > 0.5:
                found.append(face_of(mesh, float(np.sqrt(flag * d.score))))
        return found


def whole(pyramid: Pyramid) -> Region:
    height, width = pyramid.size
    return Region((width - 1) / 2, (height - 1) / 2, max(width, height))
