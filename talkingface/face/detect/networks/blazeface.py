"""The two face detectors of MediaPipe: one for near faces, one for smaller ones.

Both are single-shot detectors that give, for each cell of fixed grids, a score, a box and six points (BlazeFace,
Bazarevsky et al. 2019, section 3; grids and scales as in MediaPipe's graphs for the two model files).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...face import Box
from .tflite import Model, Pyramid, Region

# (cells along a side, boxes for each cell), in the order of the network's output.
SHORT_RANGE_GRIDS = ((16, 2), (8, 6))
FULL_RANGE_GRIDS = ((48, 1),)
_SAME_FACE_IOU = 0.3
_LARGEST_LOGIT = 80.0  # beyond it the score is 0 or 1 in any case, and float32 overflows at 89
_EYES = slice(0, 2)


@dataclass(frozen=True, eq=False)
class Detection:
    """A candidate for a face.

    Attributes:
        score: from 0 to 1.
        region: square around it, upright with respect to the face; its side is that of the detector's own box.
        view: side of the square that the detector was given, in pixels of the picture.
    """

    score: float
    region: Region
    view: float

    @property
    def box(self) -> Box:
        """Upright box of the region's size around its middle."""
        return self.region.box


class Detector:
    """A detector network with the decoding of its output."""

    def __init__(self, model: Model, grids: tuple[tuple[int, int], ...]) -> None:
        """Args: grids: one of the two above, as the file demands."""
        self._model = model
        self._anchors = _cells(grids)

    def __call__(self, pyramid: Pyramid, view: Region, threshold: float) -> list[Detection]:
        """Faces within a view of the picture, best first.

        Args:
            pyramid: of a picture (H, W, 3), RGB, uint8.
            view: square that is searched; a turned one finds turned faces.
            threshold: lowest score that counts.
        """
        picture = pyramid.cut(view, self._model.side, "black").astype(np.float32)
        raw, logits = self._model(picture / np.float32(127.5) - np.float32(1))
        scores = 1 / (1 + np.exp(-logits[:, 0].clip(-_LARGEST_LOGIT, _LARGEST_LOGIT)))
        chosen = np.flatnonzero(scores >= threshold)
        chosen = chosen[np.argsort(-scores[chosen], kind="stable")]
        numbers = raw[chosen].astype(np.float64).reshape(-1, 8, 2) / self._model.side
        numbers[:, 0] += self._anchors[chosen]
        numbers[:, 2:] += self._anchors[chosen, None]
        return [_detection(values, score, view) for values, score in _blended(numbers, scores[chosen])]


def _cells(grids: tuple[tuple[int, int], ...]) -> NDArray[np.float64]:
    """(n, 2): middle of each box's cell in units of the picture, row by row."""
    cells = []
    for count, boxes in grids:
        middles = (np.arange(count) + 0.5) / count
        grid = np.stack(np.meshgrid(middles, middles), -1).reshape(-1, 2)
        cells.append(np.repeat(grid, boxes, axis=0))
    return np.concatenate(cells)


def _blended(numbers: NDArray[np.float64], scores: NDArray[np.floating]) -> list[tuple[NDArray[np.float64], float]]:
    """One entry for each face: boxes that overlap the best one are averaged with it, weighted by their scores.

    Args:
        numbers: (n, 8, 2), best first: middle, size, six points.
    """
    faces = []
    while len(numbers):
        same = _iou_with_first(numbers) > _SAME_FACE_IOU
        same[0] = True  # even where its size is not positive
        weights = scores[same] / scores[same].sum()
        faces.append(((numbers[same] * weights[:, None, None]).sum(0), float(scores[0])))
        numbers, scores = numbers[~same], scores[~same]
    return faces


def _iou_with_first(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    sizes = numbers[:, 1].clip(min=0)
    low, high = numbers[:, 0] - sizes / 2, numbers[:, 0] + sizes / 2
    common = (np.minimum(high, high[0]) - np.maximum(low, low[0])).clip(min=0).prod(1)
    areas = sizes.prod(1)
    return common / np.maximum(areas + areas[0] - common, 1e-12)


def _detection(numbers: NDArray[np.float64], score: float, view: Region) -> Detection:
    x, y = view.points_from(numbers[0])
    left_eye, right_eye = view.points_from(numbers[2:][_EYES])
    angle = np.arctan2(right_eye[1] - left_eye[1], right_eye[0] - left_eye[0])
    side = numbers[1].max() * view.side
    return Detection(score, Region(float(x), float(y), float(side), float(angle)), view.side)
