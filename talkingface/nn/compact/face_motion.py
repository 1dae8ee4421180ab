"""Motion of a picture by points that move: a warp field between them, and the pixels inside a ring of them.

Points are (x, y) in [-1, 1] as in `nn.geometry`.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..geometry.grids import coordinate_grid

_STILL = 0.05  # weight of "does not move" at each pixel, against which spots of peak 1 count: keeps far pixels calm
_HALF_SURE = 0.3  # sum of spots at which a field counts by one half
_ROWS = 2  # lines at which a ring is looked at in each row of pixels
_LEVEL = 1e-6  # height below which an edge counts as level
_FAINTEST = -40.0  # exponent of a spot that counts as nothing: smaller numbers lose their normal form and are slow


def points_field(source: Tensor, driving: Tensor, spread: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """A warp field from points that move: at each pixel their mean movement, near points first (Nadaraya, Watson 1964).

    Spots are round Gaussians, which factor into rows and columns, so that hundreds of points cost two small matrix
    products.

    Args:
        source: (N or 1, P, 2), where the points are in the source.
        driving: (N, P, 2), and in the driving frames.
        spread: (N, P), standard deviation of each point's spot, in units of [-1, 1].
        size: (height, width).

    Returns:
        (N, 2, H, W), to be added to each pixel's own place, and (N, 1, H, W), its confidence: near 1
        between the points, 0 far from them.
    """
    grid = coordinate_grid(*size, like=driving)
    down = _spots((grid[:, 0, 1] - driving[..., 1:]) / spread[..., None])
    across = _spots((grid[0, :, 0] - driving[..., :1]) / spread[..., None])
    shifts = torch.cat([source - driving, torch.ones_like(driving[..., :1])], dim=-1)
    sums = (down[:, None] * shifts.transpose(1, 2)[..., None]).transpose(2, 3) @ across[:, None]
    field, weight = sums.split([2, 1], dim=1)
    return field / (weight + _STILL), weight / (weight + _HALF_SURE)


def _spots(distance: Tensor) -> Tensor:
    return torch.exp((-0.5 * distance.square()).clamp(min=_FAINTEST))


def inside(ring: Tensor, size: tuple[int, int]) -> Tensor:
    """Share of each pixel that lies inside a ring of points, which may be shut.

    Lines cross the edges of the ring; what lies between an edge that goes down and one that goes up is inside.

    Args:
        ring: (N, E, 2), in order.
        size: (height, width).

    Returns:
        (N, 1, H, W), 0..1.
    """
    height, width = size
    lines = (torch.arange(height * _ROWS, dtype=ring.dtype, device=ring.device) + 0.5) / _ROWS - 0.5
    y = 2 * lines / (height - 1) - 1
    (x0, y0), (x1, y1) = (points.split(1, dim=-1) for points in (ring, ring.roll(-1, 1)))
    direction = ((y0 <= y) & (y1 > y)).to(ring.dtype) - ((y1 <= y) & (y0 > y)).to(ring.dtype)
    rise = torch.where((y1 - y0).abs() < _LEVEL, torch.full_like(y0, _LEVEL), y1 - y0)
    crossing = x0 + (y - y0) / rise * (x1 - x0)
    covered = _left_of(((crossing + 1) * ((width - 1) / 2) + 0.5).clamp(0, width), direction, width).abs()[:, None]
    return F.avg_pool2d(covered, (_ROWS, 1)).clamp(max=1)


def _left_of(crossing: Tensor, direction: Tensor, width: int) -> Tensor:
    """Sum, over edges, of direction times how much of each pixel lies left of the crossing: (N, rows, width).

    Each crossing puts its two parts into the pixels around it; a sum from the right spreads them over all others.

    Args:
        crossing: (N, E, rows), 0..width, from the left edge of the first pixel.
        direction: (N, E, rows), -1, 0 or 1.
    """
    whole = crossing.floor()
    part = crossing - whole
    count, _, rows = crossing.shape
    sums = crossing.new_zeros(count, rows, width + 2)
    place, part, direction = (values.transpose(1, 2) for values in (whole.long(), part, direction))
    sums.scatter_add_(2, place + 1, part * direction)
    sums.scatter_add_(2, place, (1 - part) * direction)
    return sums.flip(2).cumsum(dim=2).flip(2)[..., 1 : width + 1]
