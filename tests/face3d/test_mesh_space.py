"""The mesh space: what is put in comes out, mirrors mirror, poses are named as documented."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from talkingface.errors import ShapeError, WeightsError
from talkingface.face.face import Box, Face
from talkingface.face3d.fit.mesh_space import find_partners
from talkingface.face3d.five_points import MEASURED, align, fit_pose
from talkingface.face3d.mesh import angles_of, find_pose, matrices
from talkingface.face3d.mesh_measure import curves, measure
from talkingface.face3d.mesh_space import SIZE, MeshReconstructor, MeshSpace, shipped_space
from talkingface.face3d.reconstruction import open_reconstructor
from talkingface.face3d.surface.face_model import rotation
from talkingface.motion.coefficients import LAYOUT_260, row73
from talkingface.types import Motion
from talkingface.weights import load_catalogue


@pytest.fixture(scope="module")
def space() -> MeshSpace:
    return shipped_space()


def drawn_rows(space: MeshSpace, frames: int = 40, seed: int = 0) -> np.ndarray:
    """Rows of one person who turns, talks and moves about, smoothly."""
    rng = np.random.default_rng(seed)
    time = np.linspace(0, 3, frames)[:, None]

    def wave(count: int, size: float) -> np.ndarray:
        return size * np.sin(time * rng.uniform(1, 4, count) + rng.uniform(0, 6, count))

    rows = np.zeros((frames, 260), np.float32)
    rows[:, LAYOUT_260.id][:, : space.identities] = rng.standard_normal(space.identities)
    rows[:, LAYOUT_260.exp] = wave(64, 0.8) * np.clip(np.sin(time), 0, 1)
    rows[:, LAYOUT_260.angle] = wave(3, 0.25)
    rows[:, LAYOUT_260.trans] = wave(3, 0.1)
    scale = SIZE * np.exp(rows[:, LAYOUT_260.trans][:, 2])
    rows[:, LAYOUT_260.crop] = np.stack([102 / scale, *(127.5 + rows[:, LAYOUT_260.trans][:, :2].T * scale)], 1)
    return rows


def face(mesh: np.ndarray) -> Face:
    return Face(Box.around(mesh), 1.0, None, mesh.astype(np.float32), "mesh")


def eye_distance(mesh: np.ndarray) -> float:
    return float(np.linalg.norm((mesh[:, [33, 133]].mean(1) - mesh[:, [263, 362]].mean(1))[:, :2], axis=1).mean())


def test_a_decoded_face_is_found_again(space: MeshSpace) -> None:
    rows = drawn_rows(space)
    mesh = space.decode(rows)
    found = space.fit(mesh)
    assert found.shape == (40, 260) and found.dtype == np.float32
    error = np.linalg.norm((space.decode(found) - mesh)[..., :2], axis=-1).mean() / eye_distance(mesh)
    assert error < 0.006
    assert np.abs(found[:, LAYOUT_260.angle] - rows[:, LAYOUT_260.angle]).max() < 0.04
    assert np.abs(found[:, LAYOUT_260.crop][:, 0] - rows[:, LAYOUT_260.crop][:, 0]).max() < 0.03
    assert np.ptp(found[:, LAYOUT_260.id], axis=0).max() == 0
    assert not found[:, 144:224].any() and not found[:, 227:254].any()


def test_with_the_identity_known_the_strong_expressions_come_back(space: MeshSpace) -> None:
    rows = drawn_rows(space)
    found = space.fit(space.decode(rows), identity=rows[0, LAYOUT_260.id][: space.identities])
    for direction in range(4):
        one, other = rows[:, LAYOUT_260.exp][:, direction], found[:, LAYOUT_260.exp][:, direction]
        assert np.corrcoef(one, other)[0, 1] > 0.98
        assert 0.9 < one @ other / (one @ one) < 1.1


def test_a_mirrored_clip_has_mirrored_rows(space: MeshSpace) -> None:
    mesh = space.decode(drawn_rows(space, 12)).astype(np.float64)
    rows = space.fit(mesh)
    mirrored = space.fit(space.mirror_mesh(mesh))
    assert np.abs(mirrored - space.mirror_rows(rows)).max() < 1e-3
    assert np.abs(mirrored - rows).max() > 0.1
    single = space.fit(space.mirror_mesh(mesh[:1]))
    assert np.abs(single - space.mirror_rows(space.fit(mesh[:1]))).max() < 1e-3


def test_the_model_itself_is_symmetrical(space: MeshSpace) -> None:
    partner = space.partner
    assert np.array_equal(partner[partner], np.arange(468))
    assert (partner == np.arange(468)).sum() > 10
    assert np.allclose(space.mean[partner] * (-1, 1, 1), space.mean)
    assert np.allclose(space.weights[partner], space.weights) and np.allclose(space.stable[partner], space.stable)
    for directions, signs in ((space.identity, space.identity_sign), (space.expression, space.expression_sign)):
        assert set(signs) == {1, -1}
        flipped = directions[:, partner] * (-1, 1, 1) * signs[:, None, None]
        assert np.allclose(flipped, directions, atol=2e-4)
    assert np.array_equal(find_partners(space.mean), partner)
    assert {33: 263, 61: 291, 13: 13, 4: 4, 159: 386}.items() <= dict(enumerate(partner.tolist())).items()


def test_the_mean_face_has_no_expression_no_identity_and_looks_ahead(space: MeshSpace) -> None:
    rows = space.fit(space.decode(np.zeros((1, 260))))
    assert np.abs(rows[:, LAYOUT_260.exp]).max() < 0.05 and np.abs(rows[:, LAYOUT_260.id]).max() < 0.05
    assert np.abs(rows[:, LAYOUT_260.angle]).max() < 0.01 and np.abs(rows[:, LAYOUT_260.trans]).max() < 0.01


def test_angles_turn_the_head_as_documented(space: MeshSpace) -> None:
    rows = np.zeros((4, 260), np.float32)
    rows[1:, LAYOUT_260.angle] = np.eye(3) * 0.3
    ahead, down, right, leaning = space.decode(rows)
    nose, chin, left_eye, right_eye = 4, 152, 33, 263
    assert down[nose, 1] > ahead[nose, 1] + 5 and abs(down[nose, 0] - ahead[nose, 0]) < 2
    assert right[nose, 0] > ahead[nose, 0] + 5
    assert leaning[left_eye, 1] > ahead[left_eye, 1] + 5 and leaning[right_eye, 1] < ahead[right_eye, 1] - 5
    assert ahead[nose, 2] < ahead[chin, 2]
    assert np.allclose(space.fit(space.decode(rows))[:, LAYOUT_260.angle], rows[:, LAYOUT_260.angle], atol=0.03)


def test_rotations_are_those_of_the_other_space() -> None:
    angles = np.random.default_rng(0).uniform(-0.7, 0.7, (20, 3))
    expected = rotation(torch.from_numpy(angles)).mT.numpy()
    assert np.allclose(matrices(angles), expected)
    assert np.allclose(angles_of(matrices(angles)), angles)


def test_a_pose_is_found_exactly_and_never_a_mirror_image() -> None:
    rng = np.random.default_rng(0)
    shape, angles = rng.standard_normal((1, 9, 3)), rng.uniform(-1, 1, (5, 3))
    points = 3 * shape @ matrices(angles).swapaxes(1, 2) + [1, 2, 3]
    pose = find_pose(shape, points, rng.uniform(0.5, 1, 9))
    assert np.allclose(pose.angles, angles) and np.allclose(pose.scale, 3) and np.allclose(pose.shift, [1, 2, 3])
    assert np.allclose(pose.pose(shape), points) and np.allclose(pose.unpose(points), shape)
    flat = shape * (1, 1, 0.01)
    turns = find_pose(flat, flat * (-1, 1, 1), np.ones(9)).matrices
    assert np.allclose(np.linalg.det(turns), 1)


def test_crop_numbers_mean_what_five_points_give(space: MeshSpace) -> None:
    rows = np.zeros((1, 260), np.float32)
    rows[0, LAYOUT_260.trans] = 0.2, -0.1, 0.15
    mesh = space.decode(rows)[0]
    five = np.stack([mesh[[33, 133]].mean(0), mesh[[263, 362]].mean(0), mesh[4], mesh[61], mesh[291]])[:, :2]
    given = align(five, (256, 256), MEASURED).parameters
    found = space.fit(mesh[None])[0, LAYOUT_260.crop]
    assert abs(given[0] / found[0] - 1) < 0.03
    assert np.abs(given[1:] - found[1:]).max() < 3
    upright = five * (1, -1) + (0, 255)
    assert fit_pose(upright, MEASURED).t_y < 127.5


@pytest.mark.parametrize("size", [128, 512])
def test_the_size_of_the_picture_does_not_matter(space: MeshSpace, size: int) -> None:
    rows = drawn_rows(space, 5)
    assert np.allclose(space.fit(space.decode(rows, size=size), size=size), space.fit(space.decode(rows)), atol=1e-2)
    # Edges of pixels, half a pixel before their centres, are at the same part of the picture.
    assert np.allclose((space.decode(rows, size=size) + 0.5)[..., :2] / size, (space.decode(rows) + 0.5)[..., :2] / 256)


def test_rows_without_identity_are_drawn_as_the_mean_person(space: MeshSpace) -> None:
    rows = drawn_rows(space, 3)
    rows[:, LAYOUT_260.id] = 0
    assert np.allclose(space.decode(row73(rows)), space.decode(rows))
    assert np.allclose(space.decode(row73(rows)[:, :70]), space.decode(rows))


def test_mouth_and_lids_are_among_the_first_directions(space: MeshSpace) -> None:
    def reach(name: str, count: int) -> float:
        rows = np.zeros((2 * count, 260), np.float32)
        rows[:count, LAYOUT_260.exp] = np.eye(64)[:count] * 2
        rows[count:, LAYOUT_260.exp] = np.eye(64)[:count] * -2
        return float(np.ptp(curves(space.decode(rows))[name]))

    assert reach("mouth opening", 4) > 0.14
    assert reach("mouth width", 4) > 0.1
    assert reach("blinking", 8) > 0.06


def test_noise_moves_expressions_little(space: MeshSpace) -> None:
    mesh = np.repeat(space.decode(drawn_rows(space, 20)[10:11]), 30, axis=0)
    noise = np.random.default_rng(0).standard_normal(mesh.shape) * 0.002 * eye_distance(mesh)
    still = space.fit(mesh)
    assert still.std(0).max() < 1e-4
    assert space.fit(mesh + noise)[:, LAYOUT_260.exp].std(0).mean() < 0.1


def test_wrong_meshes_are_refused(space: MeshSpace) -> None:
    mesh = space.decode(np.zeros((2, 260)))
    with pytest.raises(ShapeError, match="468"):
        space.fit(mesh[:, :68])
    with pytest.raises(ShapeError, match="468"):
        space.fit(mesh[:0])
    mesh[1, 5] = np.nan
    with pytest.raises(ShapeError, match="no numbers"):
        space.fit(mesh)


def test_the_reconstructor_gives_each_picture_its_own_row(space: MeshSpace) -> None:
    meshes = space.decode(drawn_rows(space, 6), size=64)
    faces = [face(mesh) for mesh in meshes]
    picture = np.zeros((64, 64, 3), np.uint8)
    reconstructor = open_reconstructor("mesh")
    assert isinstance(reconstructor, MeshReconstructor) and reconstructor.space == "mesh"
    together = reconstructor.rows([picture] * 6, faces)
    one_by_one = np.concatenate([reconstructor.rows([picture], [found]) for found in faces])
    assert np.array_equal(together, one_by_one)
    clip = reconstructor.for_clip(faces, 64)
    rows = np.concatenate([clip.rows([picture] * 3, faces[:3]), clip.rows([picture] * 3, faces[3:])])
    assert np.allclose(rows, space.fit(meshes, size=64), atol=1e-4)
    assert reconstructor.rows([], []).shape == (0, 260)


def test_the_reconstructor_refuses_what_it_cannot_use(space: MeshSpace) -> None:
    found = face(space.decode(np.zeros((1, 260)))[0])
    with pytest.raises(ShapeError, match="not square"):
        MeshReconstructor().rows([np.zeros((64, 32, 3), np.uint8)], [found])
    without = Face(found.box, 1.0, None, None, "face_alignment")
    with pytest.raises(ShapeError, match=r"no mesh.*--landmarks=mesh"):
        MeshReconstructor().rows([np.zeros((64, 64, 3), np.uint8)], [without])


def test_the_model_is_saved_and_read_as_it_is(space: MeshSpace, tmp_path: Path) -> None:
    path = tmp_path / "space.safetensors"
    space.save(path, {})
    rows = drawn_rows(space, 2)
    assert np.array_equal(MeshSpace.load(path).decode(rows), space.decode(rows))
    assert path.stat().st_size < 500_000
    with pytest.raises(WeightsError):
        MeshSpace.load(load_catalogue()["fom_compact"].path(tmp_path))
    with pytest.raises(WeightsError):
        MeshSpace.load(tmp_path / "nowhere.safetensors")


def test_rows_go_into_a_motion(space: MeshSpace) -> None:
    rows = torch.from_numpy(row73(drawn_rows(space, 4)))
    assert len(Motion("3dmm.73", Fraction(25), {"coefficients": rows}, "mesh")) == 4


def test_measuring_sees_what_is_lost(space: MeshSpace) -> None:
    mesh = space.decode(drawn_rows(space, 40))
    good = measure(space, [mesh])
    assert good.error_mean < 0.006
    assert good.curves["mouth opening"].correlation > 0.99
    trembling = mesh + np.random.default_rng(0).standard_normal(mesh.shape) * 2
    worse = measure(space, [trembling])
    assert worse.error_mean > 3 * good.error_mean and worse.still_mesh > 5 * good.still_mesh
