"""From pictures to rows with the published network (random weights), and the choice between the spaces."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import torch

from talkingface.errors import ShapeError, TalkingFaceError, UnknownNameError, WeightsError
from talkingface.face.detect.analyser import open_analyser
from talkingface.face.face import Box, Face
from talkingface.face3d.deep import DeepReconstructor, ReconNet
from talkingface.face3d.five_points import MEASURED, align, load_standard
from talkingface.face3d.mesh_space import MeshReconstructor, shipped_space
from talkingface.face3d.reconstruction import open_reconstructor
from talkingface.media.image import Picture, read_image, resize
from talkingface.motion.coefficients import Coefficients, row73
from talkingface.paths import shipped
from talkingface.weights.files.tensorfile import write_safetensors

# Standard points a little off our own, so that taking the wrong ones shows.
STANDARD = MEASURED * (1.1, 0.9, 1.0)
RANDOM = np.random.default_rng(2)


def random_state() -> dict[str, torch.Tensor]:
    """Weights that let a picture through: as they are drawn, with heads that are not zero."""
    torch.manual_seed(5)
    network = ReconNet()
    assert network.final_layers is not None
    for head in network.final_layers:
        torch.nn.init.normal_(head.weight, std=0.02)
    return network.state_dict()


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of weights with files of the bfm space."""
    folder = tmp_path_factory.mktemp("checkpoints")
    (folder / "Deep3D").mkdir()
    (folder / "BFM").mkdir()
    content = {"net_recon": random_state(), "opt_00": {"state": {}, "param_groups": []}, "sched_00": {"last_epoch": 20}}
    torch.save(content, folder / "Deep3D" / "epoch_20.pth")
    points = np.zeros((68, 3))
    points[[36, 39]], points[[42, 45]] = STANDARD[0], STANDARD[1]
    points[[30, 48, 54]] = STANDARD[2:]
    scipy.io.savemat(folder / "BFM" / "similarity_Lm3D_all.mat", {"lm": points.astype(np.float32)})
    return folder


@pytest.fixture(scope="module")
def deep(root: Path) -> DeepReconstructor:
    found = open_reconstructor("auto", root=root)
    assert isinstance(found, DeepReconstructor)
    return found


def face_at(scale: float, x: float, y: float, side: int) -> Face:
    """A face whose five points are the standard ones."""
    up = scale * STANDARD[:, :2] + (x, y)
    five = np.stack([up[:, 0], side - 1 - up[:, 1]], 1).astype(np.float32)
    return Face(Box.around(five), 1.0, None, None, "given", five)


def noise(side: int) -> Picture:
    return RANDOM.integers(0, 256, (side, side, 3), dtype=np.uint8)


def test_auto_takes_the_published_network_where_it_is_and_says_so(deep: DeepReconstructor) -> None:
    assert deep.space == "bfm"
    assert "bfm" in deep.label and "deep3d_recon" in deep.label


def test_auto_takes_the_mesh_space_elsewhere_and_says_why(tmp_path: Path) -> None:
    found = open_reconstructor("auto", root=tmp_path)
    assert found.space == "mesh"
    assert "mesh space, ours" in found.label and "epoch_20.pth" in found.label


def test_rows_hold_what_the_network_says_and_where_it_looked(deep: DeepReconstructor, root: Path) -> None:
    picture, face = noise(256), face_at(55.0, 128.0, 120.0, 256)
    row = deep.rows([picture], [face])
    assert row.shape == (1, 260) and row.dtype == np.float32
    np.testing.assert_allclose(Coefficients(row).crop[0], [102 / 55, 128, 120], rtol=1e-4)
    network = ReconNet().eval()
    network.load_state_dict(random_state())
    cut = align(face.five, (256, 256), load_standard(root / "BFM/similarity_Lm3D_all.mat")).cut(picture)
    with torch.no_grad():
        wanted = network(torch.from_numpy(cut).permute(2, 0, 1)[None] / 255)
    np.testing.assert_allclose(row[:, :257], wanted.numpy(), rtol=1e-3, atol=1e-4)
    assert np.abs(row[0, :257]).min() > 0


def test_batches_do_not_change_rows_but_pictures_do(deep: DeepReconstructor, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = [noise(256) for _ in range(3)]
    faces = [face_at(50.0 + index, 128.0, 128.0, 256) for index in range(3)]
    together = deep.rows(pictures, faces)
    monkeypatch.setattr(deep, "_batch_size", 2)
    np.testing.assert_allclose(deep.rows(pictures, faces), together, rtol=1e-4, atol=1e-5)
    assert np.abs(together[0, :257] - together[1, :257]).max() > 1e-3
    assert deep.rows([], []).shape == (0, 260)


def test_crop_numbers_are_those_of_a_256_frame_whatever_the_size(deep: DeepReconstructor) -> None:
    smooth = resize(noise(8), (512, 512))
    large, small = face_at(100.0, 255.5, 250.0, 512), face_at(50.0, 127.5, 124.75, 256)
    rows = deep.rows([smooth, resize(smooth, (256, 256))], [large, small])
    np.testing.assert_allclose(row73(rows)[0, 70:], row73(rows)[1, 70:], rtol=1e-3)
    np.testing.assert_allclose(rows[0, :257], rows[1, :257], atol=0.02 * np.abs(rows[1, :257]).max())


def test_pictures_and_faces_that_do_not_do_are_refused(deep: DeepReconstructor) -> None:
    face = face_at(50.0, 128.0, 128.0, 256)
    with pytest.raises(ShapeError, match="256x200 is not square"):
        deep.rows([noise(256)[:200]], [face])
    with pytest.raises(ShapeError, match="box alone"):
        deep.rows([noise(256)], [Face(face.box, 1.0, None, None, "given")])
    with pytest.raises(ShapeError, match="1 pictures, but 2 faces"):
        deep.rows([noise(256)], [face, face])


def test_landmarks_of_another_kind_are_warned_of_once(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    deep = open_reconstructor("bfm", root=root)
    with caplog.at_level(logging.WARNING, "talkingface"):
        for _ in range(2):
            deep.rows([noise(256)], [face_at(50.0, 128.0, 128.0, 256)])
    assert [record.getMessage() for record in caplog.records] == [
        "the bfm network was trained on crops by face_alignment landmarks; these are by given"
    ]


def test_missing_files_are_named_with_the_way_to_get_them(root: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"epoch_20\.pth and .*similarity_Lm3D_all\.mat") as caught:
        open_reconstructor("bfm", root=tmp_path)
    assert "--checkpoint=deep3d_landmarks" in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(UnknownNameError, match="Did you mean 'mesh'"):
        open_reconstructor("mish", root=root)


def test_sadtalker_keeps_the_same_network_in_other_places(deep: DeepReconstructor, root: Path, tmp_path: Path) -> None:
    (tmp_path / "BFM").mkdir()
    points = Path("BFM", "similarity_Lm3D_all.mat")
    (tmp_path / points).write_bytes((root / points).read_bytes())
    marks = {"kp_extractor.predictor.down_blocks.down0.conv.weight": 4, "generator.dense_motion_network.mask.weight": 5}
    package = {key: torch.zeros([1] * rank) for key, rank in marks.items()}
    package |= {f"face_3drecon.{key}": value for key, value in random_state().items()}
    file = tmp_path / "SadTalker_V0.0.2_256.safetensors"
    write_safetensors(file, package, {})
    given, face = noise(256), face_at(50.0, 128.0, 128.0, 256)
    expected = deep.rows([given], [face])
    packed = open_reconstructor("bfm", root=tmp_path)
    assert "sadtalker_package_256" in packed.label
    np.testing.assert_array_equal(packed.rows([given], [face]), expected)
    assert packed.fingerprint() == deep.fingerprint()
    file.unlink()
    (tmp_path / "epoch_20.pth").write_bytes((root / "Deep3D" / "epoch_20.pth").read_bytes())
    assert "deep3d_recon" in open_reconstructor("bfm", root=tmp_path).label


def test_a_file_of_another_network_is_refused(root: Path, tmp_path: Path) -> None:
    for name in ("Deep3D/epoch_20.pth", "BFM/similarity_Lm3D_all.mat"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes((root / name).read_bytes())
    state = {**random_state(), "extra.weight": torch.zeros(1)}
    state.pop("backbone.bn1.bias")
    torch.save({"net_recon": state}, tmp_path / "Deep3D" / "epoch_20.pth")
    with pytest.raises(WeightsError, match=r"1 missing \(backbone\.bn1\.bias.*1 left over \(extra"):
        open_reconstructor("auto", root=tmp_path)


def test_other_weights_have_another_fingerprint(deep: DeepReconstructor) -> None:
    network, before = ReconNet(), deep.fingerprint()
    network.load_state_dict(random_state())
    assert DeepReconstructor(network, deep._standard).fingerprint() == before
    assert DeepReconstructor(network, deep._standard + 1).fingerprint() != before
    next(network.parameters()).data[0, 0] += 1e-6
    assert DeepReconstructor(network, deep._standard).fingerprint() != before
    space = shipped_space()
    other = MeshReconstructor(replace(space, mean=space.mean + 1e-6))
    assert MeshReconstructor().fingerprint() == MeshReconstructor(space).fingerprint() != other.fingerprint()


def test_the_sample_portrait_goes_all_the_way(deep: DeepReconstructor) -> None:
    picture = read_image(shipped("dataset", "sample", "source.png"))
    try:
        analyser = open_analyser("mesh")
    except TalkingFaceError as error:
        pytest.skip(f"the face mesh cannot be used here: {error}")
    (face,) = analyser.faces(picture)
    named = Coefficients(deep.rows([picture], [face])[0])
    assert np.isfinite(named.values).all() and named.exp.any()
    scale, x, y = named.crop
    nose = face.landmarks[30] * 256 / len(picture)
    assert abs(x - nose[0]) < 20 and abs(255 - y - nose[1]) < 30 and 0.8 < scale < 3
