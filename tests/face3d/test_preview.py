"""Previews: what is drawn lies where it should, in the light it should."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from talkingface.errors import ShapeError
from talkingface.face3d.five_points import MEASURED, align
from talkingface.face3d.mesh import POINTS, mesh_triangles
from talkingface.face3d.surface.face_model import FaceModel
from talkingface.face3d.surface.preview import BACKGROUND, render, render_model

from .small_model import SIDE, small_fields


def ball(count: int = 40) -> tuple[torch.Tensor, torch.Tensor]:
    """A ball of radius 30 about (48, 40), as vertices and triangles."""
    down, around = np.meshgrid(np.linspace(0.01, np.pi - 0.01, count), np.linspace(0, 2 * np.pi, count), indexing="ij")
    points = np.stack([np.sin(down) * np.cos(around), np.cos(down), np.sin(down) * np.sin(around)], -1)
    corners = np.arange(count * count).reshape(count, count)
    a, b, c, d = corners[:-1, :-1], corners[1:, :-1], corners[:-1, 1:], corners[1:, 1:]
    triangles = np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([c, b, d], -1).reshape(-1, 3)])
    return torch.from_numpy(points.reshape(-1, 3) * 30 + [48, 40, 0]).float(), torch.from_numpy(triangles)


def test_a_ball_is_round_and_lit_from_the_upper_left() -> None:
    picture = render(*ball(), (80, 96))
    drawn = (picture != BACKGROUND).any(-1)
    y, x = np.mgrid[:80, :96]
    away = np.hypot(x - 48, y - 40)
    assert drawn[away < 29].all() and not drawn[away > 31.5].any()
    assert picture[25, 38].mean() > picture[55, 58].mean() + 20
    # Outlines are averaged over finer pixels, so there are mixed ones.
    assert len(np.unique(picture[40, 16:20])) > 2


def test_whichever_way_triangles_go_round_the_picture_is_the_same() -> None:
    vertices, triangles = ball()
    front = triangles[(vertices[triangles][:, :, 2] < 0).all(-1)]
    there, back = render(vertices, front, (80, 96)), render(vertices, front.flip(-1), (80, 96))
    # Only the order of sums over triangles differs.
    assert np.abs(there.astype(int) - back).max() <= 1


def test_what_is_not_covered_shows_the_background() -> None:
    vertices, triangles = ball()
    background = np.random.default_rng(0).integers(0, 256, (80, 96, 3), dtype=np.uint8)
    picture = render(vertices, triangles, (80, 96), background=background, colours=torch.ones(len(vertices), 3))
    np.testing.assert_array_equal(picture[:, :14], background[:, :14])
    assert (picture[30:50, 40:56] == 255).all()
    with pytest.raises(ShapeError, match="background"):
        render(vertices, triangles, (80, 80), background=background)


def test_vertices_that_are_no_numbers_leave_a_hole_at_most() -> None:
    vertices, triangles = ball()
    vertices[800] = torch.nan
    assert (render(vertices, triangles, (80, 96)) != BACKGROUND).any(-1).sum() > 2600


def test_a_model_is_drawn_at_its_place_in_the_picture() -> None:
    model = FaceModel(small_fields())
    rows = torch.zeros(257)
    # A face half as large as in the crop, to the right of the middle of the picture.
    up = 51 * MEASURED[:, :2] + (200, 100)
    found = align(np.stack([up[:, 0], 239 - up[:, 1]], 1), (240, 320))
    picture = np.zeros((240, 320, 3), np.uint8)
    drawn = render_model(model, rows, found.crop, picture).any(-1)
    y, x = np.nonzero(drawn)
    assert abs(x.mean() - 200) < 2 and abs(y.mean() - 139) < 2
    # The sheet is 1.8 units wide, a unit is 102 pixels of the crop, and the crop is reduced by two.
    assert abs(np.ptp(x) - 1.8 * 101.5 / 2) < 5


def face_like() -> np.ndarray:
    """468 points at the corners of a bent grid: not a face, but all places differ."""
    y, x = np.divmod(np.arange(POINTS), 26)
    return np.stack([x + 0.1 * np.sin(y), y + 0.1 * np.cos(x), 0.0 * x], 1) * 10


def test_triangles_of_the_mesh_go_round_one_way_and_use_every_point() -> None:
    mean = face_like()
    found = mesh_triangles(mean)
    a, b, c = (mean[found[:, corner], :2] for corner in range(3))
    assert 700 < len(found) < 2 * POINTS and set(found.flatten()) == set(range(POINTS))
    area = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
    assert (np.sign(area) == np.sign(area[0])).mean() > 0.9
    # Which way z goes makes no difference.
    bulging = mean + np.hypot(*(mean[:, :2] - mean[4, :2]).T)[:, None] * (0, 0, -0.3)
    np.testing.assert_array_equal(mesh_triangles(bulging), mesh_triangles(bulging * (1, 1, -1)))
    with pytest.raises(ShapeError, match="468 points"):
        mesh_triangles(mean[:68])


def test_small_model_is_drawn_in_its_own_colours() -> None:
    fields = small_fields()
    fields["meantex"] = np.tile(np.array([[200.0, 100, 0]]), (1, SIDE * SIDE))
    rows = torch.zeros(257)
    up = 102 * MEASURED[:, :2] + 112
    crop = align(np.stack([up[:, 0], 223 - up[:, 1]], 1), (224, 224)).crop
    drawn = render_model(FaceModel(fields), rows, crop, np.zeros((224, 224, 3), np.uint8))
    red, green, blue = drawn[100:120, 100:120].reshape(-1, 3).mean(0)
    assert red == pytest.approx(2 * green, rel=0.03) and green > 60 and blue == 0
