"""The face model: its file, its geometry, its light, and files that are not one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
import torch

from talkingface.errors import WeightsError
from talkingface.face3d.surface.face_model import AMBIENT, FaceModel, harmonics, illuminate, rotation
from talkingface.face3d.surface.raster import Camera, vertex_normals

from .small_model import small_fields

Fields = dict[str, Any]


@pytest.fixture
def model(tmp_path: Path) -> FaceModel:
    scipy.io.savemat(tmp_path / "model.mat", small_fields())
    return FaceModel.load(tmp_path / "model.mat")


def rows(count: int = 2, **parts: list[float]) -> torch.Tensor:
    out = torch.zeros(count, 257)
    starts = {"id": 0, "exp": 80, "tex": 144, "angle": 224, "gamma": 227, "trans": 254}
    for name, values in parts.items():
        out[:, starts[name] : starts[name] + len(values)] = torch.tensor(values)
    return out


def test_zeros_are_the_mean_face_from_the_front(model: FaceModel) -> None:
    mean = small_fields()["meanshape"].reshape(-1, 3)
    surface = model.surface(rows())
    np.testing.assert_allclose(model.shape(rows())[0], mean - mean.mean(0), atol=1e-6)
    np.testing.assert_allclose(surface.seen[0, :, 2], 10 - (mean - mean.mean(0))[:, 2], rtol=1e-6)
    np.testing.assert_allclose(surface.texture[1], small_fields()["meantex"].reshape(-1, 3) / 255, rtol=1e-6)
    assert surface.landmarks.shape == (2, 68, 2)
    assert (surface.landmarks > 0).all() and (surface.landmarks < 224).all()


def test_each_coefficient_moves_along_its_direction(model: FaceModel) -> None:
    fields, base = small_fields(), model.shape(rows())
    moved = model.shape(rows(id=[0, 2.0])) - base
    np.testing.assert_allclose(moved[0].flatten(), 2 * fields["idBase"][:, 1], atol=1e-6)
    moved = model.shape(rows(exp=[-1.0])) - base
    np.testing.assert_allclose(moved[0].flatten(), -fields["exBase"][:, 0], atol=1e-6)


def test_normals_are_those_of_the_triangles(model: FaceModel) -> None:
    vertices = model.shape(rows(1))
    found = model.normals(vertices)
    torch.testing.assert_close(found.norm(dim=-1), torch.ones(1, len(found[0])))
    assert (found[..., 2] > 0.3).all()
    # The mesh is even, so weighting triangles by area hardly differs from not weighting them.
    assert (found[0] * vertex_normals(vertices[0], model.triangles)).sum(-1).min() > 0.98


def test_gradients_reach_every_part_of_a_row(model: FaceModel) -> None:
    given = (0.1 * torch.randn(1, 257, generator=torch.Generator().manual_seed(0))).requires_grad_()
    surface = model.surface(given)
    (surface.colour.square().sum() + surface.landmarks.square().sum()).backward()
    assert given.grad is not None and (given.grad != 0).all()


def test_rotation_turns_about_x_then_y_then_z() -> None:
    def turned(*angles: float) -> list[float]:
        found = torch.eye(3, dtype=torch.float64) @ rotation(torch.tensor([angles], dtype=torch.float64))[0]
        return [round(value, 9) for value in found.flatten().tolist()]

    quarter = np.pi / 2
    assert turned(quarter, 0, 0) == [1, 0, 0, 0, 0, 1, 0, -1, 0]
    assert turned(0, quarter, 0) == [0, 0, -1, 0, 1, 0, 1, 0, 0]
    assert turned(0, 0, quarter) == [0, 1, 0, -1, 0, 0, 0, 0, 1]
    random = rotation(torch.randn(5, 3, dtype=torch.float64))
    torch.testing.assert_close(random @ random.mT, torch.eye(3, dtype=torch.float64).expand(5, 3, 3))


def test_even_light_leaves_colours_alone_but_for_its_strength() -> None:
    albedo, normals = torch.rand(1, 6, 3), torch.nn.functional.normalize(torch.randn(1, 6, 3), dim=-1)
    torch.testing.assert_close(
        illuminate(albedo, normals, torch.zeros(1, 27)), albedo * AMBIENT[0] * harmonics(normals)[..., :1]
    )
    red = torch.zeros(1, 27)
    red[0, 2] = 1.0
    changed = illuminate(albedo, normals, red) != illuminate(albedo, normals, torch.zeros(1, 27))
    assert changed[..., 0].all() and not changed[..., 1:].any()


def test_harmonics_are_orthogonal_over_the_sphere() -> None:
    points = torch.randn(200_000, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    found = harmonics(torch.nn.functional.normalize(points, dim=-1))
    products = found.mT @ found / len(found)
    products = products / products.diagonal().sqrt().outer(products.diagonal().sqrt())
    assert (products - torch.eye(9, dtype=torch.float64)).abs().max() < 0.02


def test_clip_space_agrees_with_the_projection() -> None:
    camera = Camera()
    seen = camera.see(torch.randn(50, 3, dtype=torch.float64) * 0.5)
    clip = camera.clip(seen)
    x, y = camera.project(seen).unbind(-1)
    torch.testing.assert_close(clip[:, 0] / clip[:, 3], x / camera.center - 1)
    torch.testing.assert_close(clip[:, 1] / clip[:, 3], 1 - y / camera.center)
    assert ((clip[:, 2] / clip[:, 3]).abs() < 1).all()
    ends = camera.clip(torch.tensor([[0, 0, camera.near], [0, 0, camera.far]]))
    torch.testing.assert_close(ends[:, 2] / ends[:, 3], torch.tensor([-1.0, 1.0]))


def _without(name: str) -> Callable[[Fields], Fields]:
    return lambda fields: {key: value for key, value in fields.items() if key != name}


def _with(name: str, change: Callable[[Any], Any]) -> Callable[[Fields], Fields]:
    return lambda fields: {**fields, name: change(fields[name])}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_without("tri"), "lacks tri"),
        (_with("idBase", lambda base: base[:, :79]), r"'idBase' .*\(243, 79\), not \(243, 80\)"),
        (_with("tri", lambda tri: tri + 1), r"'tri' .* outside 1\.\.81"),
        (_with("tri", lambda tri: tri - 1), r"'tri' .* outside 1\.\.81"),
        (_with("point_buf", lambda around: around + 1), "'point_buf'"),
        (_with("keypoints", lambda points: points[:, :60]), "'keypoints' .* 60 numbers, not 68"),
        (_with("meanshape", lambda mean: np.array([["text"]])), "'meanshape' holds text"),
        (_with("meanshape", lambda mean: mean.astype(complex) * 1j), "complex"),
        (_with("tri", lambda tri: tri.astype(object)), "'tri' holds cells"),
    ],
)
def test_files_that_are_no_model_say_what_is_wrong(
    tmp_path: Path, change: Callable[[Fields], Fields], said: str
) -> None:
    scipy.io.savemat(tmp_path / "bad.mat", change(small_fields()))
    with pytest.raises(WeightsError, match=said) as caught:
        FaceModel.load(tmp_path / "bad.mat")
    assert "bad.mat" in str(caught.value) and "\n" not in str(caught.value)


def test_no_index_that_is_no_number_gets_through(tmp_path: Path) -> None:
    fields = small_fields()
    fields["keypoints"] = fields["keypoints"].astype(float)
    fields["keypoints"][0, 5] = np.nan
    scipy.io.savemat(tmp_path / "bad.mat", fields)
    with pytest.raises(WeightsError, match="'keypoints'"):
        FaceModel.load(tmp_path / "bad.mat")
