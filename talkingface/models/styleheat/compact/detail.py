"""Detail of the source that the networks do not give back, carried along the warp.

Features of 64 pixels cannot hold hair, skin and text. What the source lacks when it is drawn at rest is known at full
size once per source; a frame gets it back from where its own warp, as compared with that at rest, takes it. Inside a
mouth that has opened, the source has nothing to carry, and what the generator painted stays.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ....nn.geometry.grids import resize_field, resize_map, warp
from .guide import MotionGuide

_EDGE = 5  # pixels over which detail fades at the rim of what has opened


@dataclass(frozen=True)
class SourceDetail:
    """Full-size detail of a source.

    Attributes:
        lost: (1, 3, S, S), the source minus itself as drawn at rest, in units of [-1, 1].
        field: (1, h, w, 2), warp at rest.
        openings: (1, 2, h, w), inside of its lips and of its eyes.
    """

    lost: Tensor
    field: Tensor
    openings: Tensor

    def carried(self, field: Tensor, guide: MotionGuide) -> Tensor:
        """Colours (n, 3, S, S) to add to frames.

        Args:
            field: (n, h, w, 2), points of the source that the pixels of the frames are taken from.
            guide: of the same frames.
        """
        size = (self.lost.shape[-2], self.lost.shape[-1])
        # The nearest pixel stands in for what lies outside: there the generator drew its own border.
        moved = _moved(self.lost, resize_field(field - self.field, size), "border")
        own = _moved(self.openings, field - self.field, "zeros")
        opened = (guide.openings - own).clamp(0, 1).amax(dim=1, keepdim=True)
        wide = F.max_pool2d(resize_map(opened, size), _EDGE, stride=1, padding=_EDGE // 2)
        return moved * (1 - F.avg_pool2d(wide, _EDGE, stride=1, padding=_EDGE // 2, count_include_pad=False))


def _moved(maps: Tensor, by: Tensor, outside: str) -> Tensor:
    """Maps (1, C, h, w) sampled at a distance `by` (n, h, w, 2), in units of [-1, 1], from each pixel."""
    at_rest = torch.eye(2, 3, dtype=by.dtype, device=by.device)[None]
    grid = F.affine_grid(at_rest, [1, 1, maps.shape[-2], maps.shape[-1]], align_corners=False)
    return warp(maps.expand(len(by), -1, -1, -1), grid + by, align_corners=False, padding_mode=outside)
