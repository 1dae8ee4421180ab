"""Every kind of file gives the same networks, and misfits are reported in words."""

from __future__ import annotations

import io
import json
import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from talkingface.errors import WeightsError
from talkingface.weights.files.records import contiguous
from talkingface.weights.identify import identify
from talkingface.weights.load import load_networks, load_strict, save_networks

from .conftest import States, assert_equal_states, shared_folder


def imitate_cuda(content: object, path: Path) -> None:
    """An old-style torch file whose storages are tagged ``cuda:0``, as the published ones are."""
    buffer = io.BytesIO()
    torch.save(content, buffer, _use_new_zipfile_serialization=False)
    tagged = buffer.getvalue().replace(b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:0")
    assert b"cuda:0" in tagged
    path.write_bytes(tagged)


def as_numpy(states: States) -> dict[str, dict[str, np.ndarray]]:
    return {name: {key: value.numpy() for key, value in state.items()} for name, state in states.items()}


def test_old_torch_file_with_cuda_tags_and_optimizer_state(tmp_path: Path, states: States, published: object) -> None:
    imitate_cuda(published, tmp_path / "vox-cpk.pth.tar")
    networks = load_networks(tmp_path / "vox-cpk.pth.tar", model="FOM")
    assert (networks.model, networks.layout) == ("FOM", "torch-legacy")
    assert_equal_states(networks.states, states)


def test_new_torch_file(tmp_path: Path, states: States, published: object) -> None:
    torch.save(published, tmp_path / "vox.pth")
    networks = load_networks(tmp_path / "vox.pth", model="FOM")
    assert networks.layout == "torch-zip"
    assert_equal_states(networks.states, states)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16, torch.int32, torch.uint8, torch.bool])
@pytest.mark.parametrize("zipped", [True, False])
def test_number_types_and_shared_storages(tmp_path: Path, dtype: torch.dtype, zipped: bool) -> None:
    whole = torch.arange(12).to(dtype).reshape(3, 4)
    state = {"whole": whole, "turned": whole.t(), "window": whole[1:, 1:3], "empty": whole[:0], "scalar": whole[1, 1]}
    torch.save({"net": state}, tmp_path / "x.pt", _use_new_zipfile_serialization=zipped)
    assert_equal_states(load_networks(tmp_path / "x.pt").states, {"net": state})


def test_parameters_are_plain_tensors(tmp_path: Path) -> None:
    module = nn.Conv2d(1, 2, 3)
    torch.save({"net": dict(module.named_parameters())}, tmp_path / "x.pt")
    loaded = load_networks(tmp_path / "x.pt").states["net"]
    assert torch.equal(loaded["weight"], module.weight) and not loaded["weight"].requires_grad


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_paddle_file_gets_torch_names_and_turned_matrices(tmp_path: Path, states: States, protocol: int) -> None:
    arrays = as_numpy(states)
    norm = arrays["generator"]
    norm["first.norm._variance"] = norm.pop("first.norm.running_var")
    matrix = np.arange(6, dtype=np.float32).reshape(2, 3)
    norm["linear.weight"] = matrix
    arrays["generator"] = {key: np.asfortranarray(value) for key, value in norm.items()}
    arrays["StructuredToParameterName@@"] = {"first.conv.weight": "conv2d_0.w_0"}
    (tmp_path / "vox.pdparams").write_bytes(pickle.dumps(arrays, protocol=protocol))
    networks = load_networks(tmp_path / "vox.pdparams", model="FOM")
    assert networks.layout == "paddle"
    assert networks.states["generator"].pop("linear.weight").tolist() == matrix.T.tolist()
    assert_equal_states(networks.states, states)


def test_paddle_pairs_of_name_and_array(tmp_path: Path) -> None:
    data = pickle.dumps({"net": {"bias": ("b_0", np.ones(3, np.float32))}}, protocol=2)
    (tmp_path / "x.pdparams").write_bytes(data)
    assert load_networks(tmp_path / "x.pdparams").states["net"]["bias"].tolist() == [1, 1, 1]


def test_triple_of_archives_by_folder_or_by_one_of_them(tmp_path: Path, states: States) -> None:
    for name, state in as_numpy(states).items():
        np.savez_compressed(tmp_path / f"{name}.npz", **{key.replace(".", "/"): value for key, value in state.items()})
    for path in (tmp_path, tmp_path / "generator.npz"):
        assert_equal_states(load_networks(path, model="FOM").states, states)
    (tmp_path / "discriminator.npz").unlink()
    assert set(load_networks(tmp_path).states) == {"generator", "kp_detector"}


def test_one_archive_with_prefixes(tmp_path: Path, states: States) -> None:
    flat = {f"{name}.{key}": value for name, state in as_numpy(states).items() for key, value in state.items()}
    np.savez(tmp_path / "fom.npz", **flat)
    assert_equal_states(load_networks(tmp_path / "fom.npz", model="FOM").states, states)


def test_our_own_file_keeps_metadata_and_bits(tmp_path: Path, states: States) -> None:
    notes = {"model": "FOM", "variant": "compact", "config": "{}"}
    save_networks(tmp_path / "fom.safetensors", states, notes)
    networks = load_networks(tmp_path / "fom.safetensors", model="FOM")
    assert networks.layout == "talkingface/1" and networks.model == "FOM"
    assert networks.metadata == {"format": "talkingface/1", **notes}
    assert_equal_states(networks.states, states)
    assert [file.name for file in tmp_path.iterdir()] == ["fom.safetensors"]


def test_half_precision_leaves_counters_alone(tmp_path: Path, states: States) -> None:
    save_networks(tmp_path / "fom.safetensors", states, {"model": "FOM"}, dtype=torch.float16)
    state = load_networks(tmp_path / "fom.safetensors").states["kp_detector"]
    assert state["kp.weight"].dtype == torch.float16
    assert state["predictor.encoder.down_blocks.0.norm.num_batches_tracked"].dtype == torch.int64


@pytest.mark.parametrize("wrap", [lambda inner: {"state_dict": inner}, lambda inner: {"model": {"params": inner}}])
def test_containers_and_data_parallel_prefixes_are_unwrapped(tmp_path: Path, states: States, wrap) -> None:
    prefixed = {name: {f"module.{key}": value for key, value in state.items()} for name, state in states.items()}
    torch.save(wrap(prefixed), tmp_path / "x.pt")
    assert_equal_states(load_networks(tmp_path / "x.pt", model="FOM").states, states)


def test_only_some_networks(tmp_path: Path, published: object) -> None:
    torch.save(published, tmp_path / "x.pt")
    assert set(load_networks(tmp_path / "x.pt", only=("generator",)).states) == {"generator"}


def test_another_models_file_is_named(tmp_path: Path) -> None:
    renderer = {"generator": {"dense_motion_network.mask.weight": torch.ones(1, 1, 1, 1, 1)}}
    torch.save(renderer, tmp_path / "facevid2vid.pth.tar")
    with pytest.raises(WeightsError, match="holds SadTalker's renderer, but --model=FOM"):
        load_networks(tmp_path / "facevid2vid.pth.tar", model="FOM")


def test_unknown_weights_are_refused_for_a_known_model_only(tmp_path: Path) -> None:
    torch.save({"net": {"weight": torch.ones(1)}}, tmp_path / "x.pt")
    with pytest.raises(WeightsError, match="not recognised as weights of FOM; it holds net"):
        load_networks(tmp_path / "x.pt", model="FOM")
    assert load_networks(tmp_path / "x.pt", model="SomebodysModel").model == ""


@pytest.mark.parametrize(
    ("case", "inside", "model", "part"),
    [
        ("fom/vox-256-e2e", "", "FOM", "keypoint detector and generator"),
        ("sadtalker/facerender-256", "", "SadTalker", "package"),
        ("sadtalker/mapping-70", "mapping", "SadTalker", "mapping"),
        ("sadtalker/audio2exp-t10", "model", "SadTalker", "expression network"),
        ("sadtalker/audio2pose-t8", "model", "SadTalker", "head pose network"),
        ("styleheat/video-warper", "net_G_ema", "StyleHeat", "video warper"),
        ("styleheat/full-1024", "net_G_ema", "StyleHeat", "renderer"),
        ("styleheat/stylegan2-generator-1024", "", "StyleHeat", "StyleGAN2 generator"),
        ("styleheat/stylegan2-discriminator-256", "", "StyleHeat", "StyleGAN2 discriminator"),
        ("styleheat/e4e-encoder", "", "StyleHeat", "e4e inversion"),
        ("styleheat/hfgi-residual", "", "StyleHeat", "HFGI inversion"),
        ("styleheat/ir-se50-id-loss", "", "ArcFace", "identity network"),
        ("deep3d/recon-net-resnet50", "net_recon", "Deep3D", "face reconstruction"),
    ],
)
def test_published_layouts_are_told_apart(case: str, inside: str, model: str, part: str) -> None:
    manifest = json.loads((shared_folder() / "parity" / case / "case.json").read_text())["weights"]
    tree = _records(manifest)
    found = identify({inside: tree} if inside else tree)
    assert (found.model, found.part) == (model, part)
    assert all(found.networks.values())


def _records(manifest: dict) -> dict:
    """Tensors of a manifest by name and shape; their numbers do not matter here, so all have one axis of length 0."""
    if "shape" in manifest:
        shape = (0, *manifest["shape"][1:]) if manifest["shape"] else (0,)
        return contiguous("float32", shape, memoryview(b""))
    return {name: _records(entry) for name, entry in manifest.items()}


def test_strict_loading_reports_what_does_not_fit() -> None:
    module = nn.Sequential(OrderedDict(conv=nn.Conv2d(1, 2, 3), norm=nn.BatchNorm2d(2)))
    state = dict(module.state_dict())
    state["convx.weight"] = state.pop("conv.weight")
    state["norm.bias"] = torch.zeros(5)
    before = module.norm.bias.clone()
    with pytest.raises(WeightsError) as caught:
        load_strict(module, state, where="generator of x.pth")
    message = str(caught.value)
    assert "1 missing (conv.weight, near to the file's convx.weight)" in message
    assert "1 left over (convx.weight)" in message and "1 misshapen (norm.bias (5,), not (2,))" in message
    assert message.startswith("generator of x.pth: ") and "\n" not in message
    assert torch.equal(module.norm.bias, before)


def test_strict_loading_fills_the_module_and_needs_no_batch_counters() -> None:
    module = nn.BatchNorm2d(2)
    state = {
        key: torch.full((2,), 3.0, dtype=torch.float16) for key in ("weight", "bias", "running_mean", "running_var")
    }
    load_strict(module, state, where="x")
    assert module.weight.dtype == torch.float32 and module.running_var.tolist() == [3.0, 3.0]
