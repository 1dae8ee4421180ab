"""Search of a picture for faces of any size and turn: views for the detectors, and which detections count.

The detector for near faces sees those of a fifth of its view and more, the other those of a fourteenth and more. So the
whole picture is seen by both, and then, for small faces, overlapping tiles of it by the second. A tile only counts what
lies wholly within it: a face that it cuts is whole in its neighbour, or large enough for the level before. The limits
were measured on portraits, groups, paintings, drawings and pictures without a face (docs/faces.md).
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from .networks.blazeface import Detection, Detector
from .networks.tflite import Pyramid, Region

CROP_SIDE = 320  # a picture no larger than this that shows one face this large is a crop: the first view is enough
CROP_FACE = 0.35  # of the picture's longer side
NEAR_FACE = 0.2  # of the view: below it the near detector runs neighbours together
SURE = 0.5  # lowest score in the whole picture
SURE_IN_TILE = 0.6  # there are many tiles, and so many chances to be wrong
TILE_SHRINK = 2.5  # a tile's side is that of the level before over this
TILE_STEP = 0.6  # from tile to tile, in sides: faces up to 0.4 of a tile are whole in one of them
TILE_LEVELS = 2
SMALLEST_TILE = 240  # pixels; below it, faces have too few for the mesh
FAR_VIEW = 2.0  # a face that fills the picture is found from further away
QUARTER = math.pi / 2


class Search:
    """Candidates for faces in a picture (H, W, 3), given as its pyramid; the mesh still has to confirm each."""

    def __init__(
        self, near: Detector, far: Detector, *, sure: float = SURE, sure_in_tile: float = SURE_IN_TILE
    ) -> None:
        """
        Args:
            near, far: the detectors for large and for small faces.
            sure: lowest score that counts in the whole picture.
            sure_in_tile: the same in its parts, and in unusual views of it.
        """
        self._near, self._far = near, far
        self.sure, self.sure_in_tile = sure, sure_in_tile

    def with_limit(self, threshold: float) -> Search:
        """The same search with one lowest score everywhere."""
        return Search(self._near, self._far, sure=threshold, sure_in_tile=threshold)

    def crop(self, pyramid: Pyramid) -> list[Detection]:
        """Faces of a small picture that is filled by one; empty for every other picture. The quickest search."""
        view = whole(pyramid)
        if view.side > CROP_SIDE:
            return []
        return [item for item in self._near(pyramid, view, self.sure) if item.region.side >= CROP_FACE * view.side]

    def upright(self, pyramid: Pyramid) -> list[Detection]:
        """Faces of any size, turned by up to about 45 degrees."""
        return by_score([*self._both(pyramid, whole(pyramid), self.sure), *self._small(pyramid)])

    def unusual(self, pyramid: Pyramid) -> list[Detection]:
        """Faces that fill more than the picture, lie on a side, or stand on their head."""
        view = whole(pyramid)
        far = Region(view.x, view.y, view.side * FAR_VIEW)
        turned = [Region(view.x, view.y, view.side, turn * QUARTER) for turn in (1, 2, 3)]
        return by_score(item for view in (far, *turned) for item in self._both(pyramid, view, self.sure_in_tile))

    def everywhere(self, pyramid: Pyramid, threshold: float) -> list[tuple[Region, list[Detection]]]:
        """Every view of the searches above, with all that scores at least ``threshold`` there: for reports."""
        square = whole(pyramid)
        far = Region(square.x, square.y, square.side * FAR_VIEW)
        turned = [Region(square.x, square.y, square.side, turn * QUARTER) for turn in range(4)]
        views = [(view, self._both(pyramid, view, threshold)) for view in (far, *turned)]
        return views + [(tile, self._far(pyramid, tile, threshold)) for tile in tiles(pyramid)]

    def _both(self, pyramid: Pyramid, view: Region, threshold: float) -> list[Detection]:
        near = self._near(pyramid, view, threshold)
        large = [item for item in near if item.region.side >= NEAR_FACE * view.side]
        return [*large, *self._far(pyramid, view, threshold)]

    def _small(self, pyramid: Pyramid) -> list[Detection]:
        return [
            item
            for tile in tiles(pyramid)
            for item in self._far(pyramid, tile, self.sure_in_tile)
            if _within(item, tile, pyramid)
        ]


def whole(pyramid: Pyramid) -> Region:
    """The smallest square around the picture (H, W, 3) of a pyramid."""
    height, width = pyramid.size
    return Region((width - 1) / 2, (height - 1) / 2, max(width, height))


def tiles(pyramid: Pyramid) -> list[Region]:
    """Overlapping squares that cover the picture (H, W, 3) of a pyramid, for each level of smaller faces."""
    height, width = pyramid.size
    sides = [max(width, height) / TILE_SHRINK**level for level in range(1, TILE_LEVELS + 1)]
    return [
        Region(x, y, side)
        for side in sides
        if side >= SMALLEST_TILE
        for y in _middles(height, side)
        for x in _middles(width, side)
    ]


def by_score(detections: Iterable[Detection]) -> list[Detection]:
    """Best first; equal ones keep their order."""
    return sorted(detections, key=lambda item: -item.score)


def _middles(length: int, side: float) -> list[float]:
    """Middles of tiles along one side of the picture, from edge to edge; one in the middle if the tile is longer."""
    room = length - side
    if room <= 0:
        return [(length - 1) / 2]
    count = math.ceil(room / (TILE_STEP * side)) + 1
    return [float(middle) for middle in np.linspace(side / 2, length - side / 2, count) - 0.5]


def _within(detection: Detection, tile: Region, pyramid: Pyramid) -> bool:
    """True if a tile shows a face wholly, or as much of it as the picture does."""
    height, width = pyramid.size
    box, half = detection.box, tile.side / 2
    left, top, right, bottom = tile.x - half, tile.y - half, tile.x + half, tile.y + half
    return (
        (box.left >= left or left <= 0)
        and (box.top >= top or top <= 0)
        and (box.right <= right or right >= width - 1)
        and (box.bottom <= bottom or bottom >= height - 1)
    )
