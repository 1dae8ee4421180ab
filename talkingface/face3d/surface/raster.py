"""A small rasteriser in plain torch, for previews: the visible triangle at each pixel.

The rows of all triangles are filled at once, in chunks of bounded memory. Corners are rounded to 1/256 pixel and the
ends of rows are integers, so neighbouring triangles leave no gaps, and a processor and a graphics card agree
on what is covered. Numbers are interpolated evenly over the picture (as under weak perspective). It is not
differentiable.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Camera:
    """A pinhole in front of the face. Lengths are in units of the face model (0.1 m).

    Attributes:
        focal: in pixels.
        center: middle of the picture, in pixels, along both axes; the picture is twice as wide and high.
        distance: from the camera to the origin of the face model.
        near, far: range of depths that a renderer draws.
    """

    focal: float = 1015.0
    center: float = 112.0
    distance: float = 10.0
    near: float = 5.0
    far: float = 15.0

    def see(self, points: Tensor) -> Tensor:
        """World points in the coordinates of the camera: the third number becomes the depth.

        Args:
            points: (..., 3), z towards the camera.

        Returns:
            (..., 3), z away from the camera.
        """
        return torch.cat([points[..., :2], self.distance - points[..., 2:]], -1)

    def project(self, points: Tensor) -> Tensor:
        """Projected points.

        Args:
            points: (..., 3) of `see`.

        Returns:
            (..., 2), pixels, y upwards.
        """
        return self.focal * points[..., :2] / points[..., 2:] + self.center

    def clip_matrix(self) -> Tensor:
        """(4, 4), takes (x, y, depth, 1) of `see` to the clip space of OpenGL."""
        across = self.focal / self.center
        depth = self.far - self.near
        return torch.tensor(
            [
                [across, 0, 0, 0],
                [0, across, 0, 0],
                [0, 0, (self.far + self.near) / depth, -2 * self.far * self.near / depth],
                [0, 0, 1, 0],
            ]
        )

    def clip(self, points: Tensor) -> Tensor:
        """Points for a rasteriser with OpenGL's clip space whose first row is the upper one.

        Args:
            points: (..., 3) of `see`.

        Returns:
            (..., 4): x, y (downwards), z, w.
        """
        flipped = points * points.new_tensor([1, -1, 1])
        return torch.cat([flipped, torch.ones_like(points[..., :1])], -1) @ self.clip_matrix().to(points).mT

    @property
    def field_of_view(self) -> float:
        """In radians, along both axes."""
        return 2 * math.atan(self.center / self.focal)


SUBPIXELS = 256
NOTHING = -1
_PAIRS = 1 << 21  # pixels of triangles' boxes that are processed together: some 200 MB
_FAR_OUT = 1 << 20  # pixels; corners beyond are moved here, where products still fit into 64 bits


@dataclass(frozen=True)
class Raster:
    """Visible triangle, and place in it, at each pixel.

    Attributes:
        triangle: (H, W), int64, number of the triangle; `NOTHING` where there is none.
        weights: (H, W, 3), shares of its corners; their sum is 1, or 0 where there is no triangle.
        depth: (H, W), infinite where there is no triangle.
        corners: (F, 3), the triangles.
    """

    triangle: Tensor
    weights: Tensor
    depth: Tensor
    corners: Tensor

    @property
    def covered(self) -> Tensor:
        """(H, W), bool."""
        return self.triangle != NOTHING

    def interpolate(self, values: Tensor) -> Tensor:
        """Numbers of the vertices, (V, C), at each pixel, (H, W, C); 0 where there is no triangle."""
        where = self.covered
        corners, weights = self.corners[self.triangle[where]], self.weights[where].to(values.dtype)
        out = values.new_zeros(*where.shape, values.shape[-1])
        out[where] = torch.einsum("nk,nkc->nc", weights, values[corners])
        return out


@dataclass(frozen=True)
class _Edges:
    """Triangles as three straight lines each: a x + b y + c, in subpixels, is the weight of the corner across.

    Attributes:
        a, b, c: (F, 3), int64; the weights are positive or zero inside.
        area: (F,), their sum, twice the area.
        first, last: (F, 2), int64, x and y of the pixels around the triangle, within the picture.
        kept: (F,), bool: the others have no area, lie outside, or are not finite.
    """

    a: Tensor
    b: Tensor
    c: Tensor
    area: Tensor
    first: Tensor
    last: Tensor
    kept: Tensor


def rasterise(points: Tensor, triangles: Tensor, size: tuple[int, int]) -> Raster:
    """Find the nearest triangle at the centre of each pixel.

    Args:
        points: (V, 3): x, y in pixels (whole numbers are pixel centres), depth (smaller is nearer). Triangles with a
            corner that is not finite are left out.
        triangles: (F, 3), int64, vertices of each; both sides are drawn.
        size: (height, width).

    Returns:
        Of two triangles at the same depth, such as on a common edge, the one with the lower number is drawn.
    """
    height, width = size
    nearest = torch.full((height * width,), NOTHING, dtype=torch.int64, device=points.device)
    depth = torch.full((height * width,), torch.inf, dtype=torch.float32, device=points.device)
    edges = _edges(points, triangles, size)
    planes = _planes(edges, points[:, 2][triangles])
    kept = edges.kept.nonzero()[:, 0]
    for part in _chunks((edges.last - edges.first + 1)[kept].prod(-1)):
        ids, x, y = _fill(edges, kept[part])
        plane = planes[ids]
        _draw(nearest, depth, ids, y * width + x, (plane[:, 0] * x + plane[:, 1] * y + plane[:, 2]).float())
    pixels = (nearest != NOTHING).nonzero()[:, 0]
    weights = torch.zeros(height * width, 3, dtype=torch.float32, device=points.device)
    weights[pixels] = _weights(edges, nearest[pixels], pixels % width, pixels // width)
    return Raster(nearest.view(size), weights.view(*size, 3), depth.view(size), triangles)


def _edges(points: Tensor, triangles: Tensor, size: tuple[int, int]) -> _Edges:
    xy = torch.nan_to_num(points[:, :2].double(), 0.0).clamp(-_FAR_OUT, _FAR_OUT)
    corners = torch.round(xy * SUBPIXELS).long()[triangles]
    start, end = corners[:, [1, 2, 0]], corners[:, [2, 0, 1]]
    a, b = start[..., 1] - end[..., 1], end[..., 0] - start[..., 0]
    c = -a * start[..., 0] - b * start[..., 1]
    area = c.sum(-1)  # the sums of a and of b are zero
    a, b, c = (part * area.sign()[:, None] for part in (a, b, c))
    first = (-(-corners.amin(1) // SUBPIXELS)).clamp(min=0)
    last = torch.minimum(corners.amax(1) // SUBPIXELS, corners.new_tensor([size[1] - 1, size[0] - 1]))
    finite = torch.isfinite(points[triangles]).all(-1).all(-1)
    return _Edges(a, b, c, area.abs(), first, last, finite & (area != 0) & (last >= first).all(-1))


def _planes(edges: _Edges, depths: Tensor) -> Tensor:
    """(F, 3): coefficients of x, y (in pixels) and 1 that give the depth in a triangle."""
    lines = torch.stack([edges.a * SUBPIXELS, edges.b * SUBPIXELS, edges.c], 1).double()
    return (lines * depths[:, None].double()).sum(-1) / edges.area[:, None]


def _chunks(counts: Tensor) -> list[slice]:
    """Runs of triangles whose boxes have few enough pixels together."""
    if not len(counts):
        return []
    group = (counts.cumsum(0) // _PAIRS).cpu()
    starts = [0, *((group[1:] != group[:-1]).nonzero()[:, 0] + 1).tolist(), len(group)]
    return [slice(start, stop) for start, stop in pairwise(starts)]


def _fill(edges: _Edges, ids: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Triangle, x and y of all pixels whose centres lie in the triangles or on their edges."""
    top = edges.first[ids, 1]
    owner, place = _spread(edges.last[ids, 1] - top + 1)
    rows, y = ids[owner], top[owner] + place
    # In a row, an edge says: 256 a x >= bound.
    step, bound = edges.a[rows] * SUBPIXELS, -edges.b[rows] * (y * SUBPIXELS)[:, None] - edges.c[rows]
    divisor = torch.where(step == 0, 1, step)
    left = torch.where(step > 0, -(-bound // divisor), 0).amax(-1)
    right = torch.where(step < 0, bound // divisor, torch.iinfo(torch.int64).max).amin(-1)
    left = torch.maximum(left, edges.first[rows, 0])
    right = torch.minimum(right, edges.last[rows, 0])
    missed = ((step == 0) & (bound > 0)).any(-1)
    owner, place = _spread(torch.where(missed, 0, (right - left + 1).clamp(min=0)))
    return rows[owner], left[owner] + place, y[owner]


def _spread(counts: Tensor) -> tuple[Tensor, Tensor]:
    """For counts (2, 3): owners (0, 0, 1, 1, 1) and places (0, 1, 0, 1, 2)."""
    owner = torch.repeat_interleave(counts)
    return owner, torch.arange(len(owner), device=counts.device) - (counts.cumsum(0) - counts)[owner]


def _weights(edges: _Edges, ids: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """(n, 3), share of each corner of a triangle at a pixel."""
    x, y = x[:, None] * SUBPIXELS, y[:, None] * SUBPIXELS
    weights = edges.a[ids] * x + edges.b[ids] * y + edges.c[ids]
    return (weights.double() / edges.area[ids, None]).float()


def _draw(flat: Tensor, depth: Tensor, ids: Tensor, pixels: Tensor, new_depth: Tensor) -> None:
    """Draw the nearer triangles."""
    before = depth.clone()
    depth.scatter_reduce_(0, pixels, new_depth, "amin")
    flat[depth < before] = torch.iinfo(torch.int64).max
    wins = new_depth == depth[pixels]
    flat.scatter_reduce_(0, pixels[wins], ids[wins], "amin")


def vertex_normals(vertices: Tensor, triangles: Tensor) -> Tensor:
    """Unit normals, (V, 3) -> (V, 3); each is the mean over the triangles around it, larger ones count more.

    They point to where the corners of triangles go round counter-clockwise, if x, y, z are right-handed.
    """
    a, b, c = vertices[triangles].unbind(1)
    flat = torch.linalg.cross(b - a, c - a)
    total = torch.zeros_like(vertices)
    for corner in triangles.unbind(1):
        total.index_add_(0, corner, flat)
    return F.normalize(total, dim=-1)
