"""Guides of compact networks, from the mesh space: movement of the face's points, and openings of lips and eyes.

A published warper has to find the face in a picture, and the movement of every pixel from there; it learned that from
hundreds of hours of video. Coefficients of the mesh space give the position of each point of the face before and after.
Their movement, spread out between the points, is a warp by itself; the warper gets it as input and adds the rest: hair,
neck, shoulders. Inside an opened mouth the source has nothing to move; the calibrator gets a map of it, and paints it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ....face3d.mesh import INNER_LIPS, LEFT_EYE, RIGHT_EYE
from ....nn.compact.face_motion import inside, points_field
from ....nn.geometry.grids import resize_map
from ...mesh_faces import face_sizes

WARPER_CHANNELS, CALIBRATOR_CHANNELS = 3, 5  # of a guide, beside their other input
SPREAD = 0.06  # deviation of a point's spot, in sizes of the face: about the distance of neighbouring points
_GAIN = 8.0  # brings movements, a tenth of the picture or less, to the size of colours
_OPENING_GAIN = 4.0  # openings are few pixels, and should count from the first steps on


class MotionGuide(NamedTuple):
    """Warp of a picture by the points of its face.

    Attributes:
        field: (N, 2, h, w), to be added to each pixel's own place, (x, y) in units of [-1, 1].
        confidence: (N, 1, h, w), near 1 between the points, 0 far from them.
        openings: (N, 2, h, w), 1 between the lips of the frame, and between its lids.
    """

    field: Tensor
    confidence: Tensor
    openings: Tensor

    @classmethod
    def of(cls, source: Tensor, target: Tensor, side: int) -> MotionGuide:
        """Guide from points (N or 1, 468, 2) of the source and (N, 468, 2) of the frames, (x, y) in [-1, 1]."""
        spread = (SPREAD * face_sizes(target))[:, None].expand(target.shape[:2])
        lips, *eyes = (inside(target[:, list(ring)], (side, side)) for ring in (INNER_LIPS, LEFT_EYE, RIGHT_EYE))
        field, confidence = points_field(source, target, spread, (side, side))
        return cls(field, confidence, torch.cat([lips, eyes[0] + eyes[1]], dim=1))

    @property
    def flow(self) -> Tensor:
        """Flow (N, 2, h, w) in pixels, as in `warper.Warp`."""
        height, width = self.field.shape[-2:]
        reach = self.field.new_tensor([width - 1, height - 1])
        return self.field * (reach / 2)[:, None, None]

    def beside(self, picture: Tensor) -> Tensor:
        """A picture (N, 3, H, W) beside the movement at its size: (N, 6, H, W)."""
        return _beside(picture, _GAIN * self.field, self.confidence)

    def beside_features(self, features: Tensor) -> Tensor:
        """Features (N, C, H, W), the movement and the openings at their size: (N, C + 5, H, W)."""
        return _beside(features, _GAIN * self.field, self.confidence, _OPENING_GAIN * self.openings)


@dataclass(frozen=True)
class WarpInput:
    """Input of the warper for some frames.

    Attributes:
        windows: (n, 73, 27) of coefficients.
        guide: of the same frames; None where the warper is not guided.
    """

    windows: Tensor
    guide: MotionGuide | None = None

    def __len__(self) -> int:
        return len(self.windows)

    def split(self, count: int) -> Iterator[WarpInput]:
        """Pieces of `count` frames."""
        for start in range(0, len(self), count):
            piece = slice(start, start + count)
            guide = None if self.guide is None else MotionGuide(*(values[piece] for values in self.guide))
            yield WarpInput(self.windows[piece], guide)


def _beside(maps: Tensor, *others: Tensor) -> Tensor:
    more = resize_map(torch.cat(others, dim=1), (maps.shape[-2], maps.shape[-1]))
    return torch.cat([maps, more.to(maps)], dim=1)
