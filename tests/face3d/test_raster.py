"""The rasteriser against triangles that can be judged by hand, and against a plain loop over pixels and triangles."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from talkingface.face3d.surface import raster
from talkingface.face3d.surface.raster import NOTHING, SUBPIXELS, rasterise, vertex_normals


def brute_force(points: NDArray, triangles: NDArray, size: tuple[int, int]) -> tuple[NDArray, NDArray, NDArray]:
    """(triangle, depth, weights) pixel by pixel, in exact rational terms of subpixels."""
    height, width = size
    seen, depth = np.full(size, NOTHING), np.full(size, np.inf)
    weights = np.zeros((*size, 3))
    grid = np.round(points[:, :2] * SUBPIXELS).astype(int).tolist()
    for number, corners in enumerate(triangles.tolist()):
        (ax, ay), (bx, by), (cx, cy) = (grid[corner] for corner in corners)
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if area == 0:
            continue
        for y in range(height):
            for x in range(width):
                px, py = x * SUBPIXELS, y * SUBPIXELS
                parts = (
                    (bx - px) * (cy - py) - (by - py) * (cx - px),
                    (cx - px) * (ay - py) - (cy - py) * (ax - px),
                    (ax - px) * (by - py) - (ay - py) * (bx - px),
                )
                share = np.array(parts) / area
                if (share < 0).any():
                    continue
                z = np.float32(share @ points[corners, 2])
                if z < depth[y, x]:
                    seen[y, x], depth[y, x], weights[y, x] = number, z, share
    return seen, depth, weights


@pytest.mark.parametrize("seed", range(4))
def test_it_agrees_with_a_plain_loop(seed: int) -> None:
    random = np.random.default_rng(seed)
    points = np.column_stack([random.uniform(-8, 28, (30, 2)), random.uniform(1, 9, 30)])
    # Some corners on whole pixels, so that edges run through pixel centres.
    points[::3, :2] = np.round(points[::3, :2])
    triangles = random.integers(0, 30, (25, 3))
    found = rasterise(torch.from_numpy(points), torch.from_numpy(triangles), (20, 24))
    seen, depth, weights = brute_force(points, triangles, (20, 24))
    np.testing.assert_array_equal(found.triangle.numpy(), seen)
    np.testing.assert_allclose(found.depth.numpy(), depth, rtol=1e-5)
    np.testing.assert_allclose(found.weights.numpy(), weights, atol=1e-6)


def test_chunks_do_not_change_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(9)
    points = torch.from_numpy(np.column_stack([random.uniform(-5, 70, (60, 2)), random.integers(1, 4, 60)]))
    triangles = torch.from_numpy(random.integers(0, 60, (80, 3)))
    whole = rasterise(points, triangles, (64, 64))
    monkeypatch.setattr(raster, "_PAIRS", 500)
    parts = rasterise(points, triangles, (64, 64))
    assert torch.equal(whole.triangle, parts.triangle) and torch.equal(whole.depth, parts.depth)


def test_one_triangle_covers_its_area_and_interpolates_evenly() -> None:
    points = torch.tensor([[10.0, 10, 1], [50, 10, 3], [10, 70, 5]])
    found = rasterise(points, torch.tensor([[0, 1, 2]]), (80, 60))
    # Pick's theorem: whole points inside and on the edges of a triangle, of which 120 lie on the edges.
    assert int(found.covered.sum()) == 40 * 60 // 2 + 120 // 2 + 1
    at = found.interpolate(points)[30, 20]
    torch.testing.assert_close(at, torch.tensor([20.0, 30, 1 + 2 * 10 / 40 + 4 * 20 / 60]))
    assert found.depth[30, 20] == pytest.approx(float(at[2]))
    assert not found.covered[31, 48] and found.depth[0, 0] == torch.inf
    assert (found.interpolate(points)[0, 0] == 0).all()


def test_the_nearer_one_is_seen_from_either_side_and_in_any_order() -> None:
    square: Tensor = torch.tensor([[0.0, 0, 5], [9, 0, 5], [0, 9, 5], [0, 0, 2], [9, 0, 2], [0, 9, 2]])
    for triangles in ([[0, 1, 2], [3, 4, 5]], [[5, 4, 3], [2, 1, 0]], [[0, 2, 1], [3, 5, 4]]):
        found = rasterise(square, torch.tensor(triangles), (10, 10))
        assert found.depth[2, 2] == 2
    tie = rasterise(square, torch.tensor([[0, 1, 2], [1, 2, 0]]), (10, 10))
    assert int(tie.triangle[2, 2]) == 0


def test_a_closed_sheet_has_neither_gaps_nor_spills() -> None:
    from scipy.spatial import Delaunay

    random = np.random.default_rng(2)
    flat = np.concatenate([random.uniform(3, 60, (400, 2)), [[2.5, 2.5], [60.5, 2.5], [2.5, 60.5], [60.5, 60.5]]])
    points = torch.from_numpy(np.column_stack([flat, np.ones(len(flat))]))
    found = rasterise(points, torch.from_numpy(Delaunay(flat).simplices.astype(np.int64)), (64, 64))
    wanted = torch.zeros(64, 64, dtype=torch.bool)
    wanted[3:61, 3:61] = True
    assert torch.equal(found.covered, wanted)


def test_corners_that_are_no_numbers_or_far_away_do_no_harm() -> None:
    points = torch.tensor([[1.0, 1, 1], [8, 1, 1], [1, 8, 1], [torch.nan, 4, 1], [1e30, 4, 1], [4, 4, torch.inf]])
    triangles = torch.tensor([[0, 1, 3], [0, 1, 5], [1, 1, 2], [0, 1, 2]])
    found = rasterise(points, triangles, (10, 10))
    assert set(found.triangle.unique().tolist()) == {NOTHING, 3}
    assert bool(rasterise(points, torch.tensor([[0, 4, 2]]), (10, 10)).covered[5, 9])
    assert not rasterise(points, triangles[:0], (10, 10)).covered.any()


def test_normals_of_a_ball_point_outwards() -> None:
    from scipy.spatial import ConvexHull

    points = np.random.default_rng(5).normal(size=(300, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    hull = ConvexHull(points)
    corners = points[hull.simplices]
    inwards = (np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]) * corners[:, 0]).sum(-1) < 0
    triangles = np.where(inwards[:, None], hull.simplices[:, ::-1], hull.simplices).astype(np.int64)
    found = vertex_normals(torch.from_numpy(points), torch.from_numpy(triangles)).numpy()
    assert (found * points).sum(-1).min() > 0.95
