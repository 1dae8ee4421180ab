"""The render networks, in small structures of real parts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from talkingface.errors import ShapeError, WeightsError
from talkingface.models.sadtalker.config import RenderConfig
from talkingface.models.sadtalker.networks.fast import FastGenerator
from talkingface.models.sadtalker.networks.generator import RenderNetworks
from talkingface.models.sadtalker.networks.mapping import WINDOW, HeadMotion, MappingNet
from talkingface.models.sadtalker.networks.motion import degrees, rotation, transform_keypoints
from talkingface.weights.load import load_strict

SMALL = {
    "common_params": {"num_kp": 4, "feature_channel": 4},
    "kp_detector_params": {
        "block_expansion": 4,
        "max_features": 16,
        "num_blocks": 2,
        "reshape_channel": 64,
        "reshape_depth": 4,
    },
    "generator_params": {
        "block_expansion": 8,
        "max_features": 16,
        "reshape_channel": 4,
        "reshape_depth": 4,
        "num_resblocks": 1,
        "dense_motion_params": {
            "block_expansion": 4,
            "max_features": 16,
            "num_blocks": 2,
            "reshape_depth": 4,
            "compress": 2,
        },
    },
    "mapping_params": {"coeff_nc": 6, "descriptor_nc": 16, "num_kp": 4, "num_bins": 66},
}
LAYOUT = Path(__file__).resolve().parents[4] / "shared" / "parity" / "sadtalker" / "checkpoint-layout.json"


def build_small(**changes) -> RenderNetworks:
    """Small networks whose weights make frames differ; `changes` replace whole groups."""
    torch.manual_seed(0)
    networks = RenderNetworks(RenderConfig.model_validate({**SMALL, **changes}))
    for module in networks.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            nn.init.normal_(module.running_mean, std=0.3)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
    nn.init.normal_(networks.generator.decoder.conv_img.weight, std=0.1)
    with torch.no_grad():
        for _ in range(20):  # power iterations: spectral norms of fresh networks know nothing yet
            networks.generator.decoder.train()(torch.rand(1, 16, 4, 4))
    nn.init.normal_(networks.mapping.fc_exp.weight, std=0.3)
    return networks.eval()


@pytest.fixture
def networks() -> RenderNetworks:
    return build_small()


@pytest.fixture
def batch() -> tuple[Tensor, Tensor, Tensor]:
    """A picture, its window, and windows of three frames."""
    random = torch.Generator().manual_seed(1)
    source = torch.randn(1, 6, 1, generator=random).expand(-1, -1, WINDOW)
    return torch.rand(1, 3, 64, 64, generator=random), source, torch.randn(3, 6, WINDOW, generator=random)


def same_frames(one: Tensor, other: Tensor) -> bool:
    return bool((one - other).abs().max() < 1e-4)


@torch.no_grad()
def test_frames_differ_and_do_not_depend_on_their_company(networks, batch):
    image, source, windows = batch
    together = networks(image, source, windows)
    assert together.shape == (3, 3, 64, 64) and together.min() >= 0 and together.max() <= 1
    assert (together[0] - together[1]).abs().max() > 0.05
    alone = torch.cat([networks(image, source, window[None]) for window in windows])
    assert same_frames(alone, together)


def test_gradients_reach_every_parameter(batch):
    networks = build_small().train()
    image, source, windows = batch
    frames = networks(image.expand(3, -1, -1, -1) * torch.rand(3, 1, 1, 1), source.expand(3, -1, -1), windows)
    (frames * torch.randn_like(frames)).sum().backward()
    grads = {name: parameter.grad for name, parameter in networks.named_parameters()}
    without = [name for name, grad in grads.items() if grad is None or not grad.isfinite().all()]
    assert without == []
    # Biases in front of instance norms are taken out again. All else must move the frames.
    still = [name for name, grad in grads.items() if not grad.abs().max() > 0]
    assert [name for name in still if not name.endswith(("conv_0.bias", "beta.bias"))] == []


@torch.no_grad()
def test_strict_loading_round_trip(networks, batch):
    other = RenderNetworks(RenderConfig.model_validate(SMALL)).eval()
    assert not same_frames(other(*batch), networks(*batch))
    load_strict(other, networks.state_dict(), where="test")
    assert torch.equal(other(*batch), networks(*batch))
    state = networks.state_dict()
    state["mapping.fc_yaw.wait"] = state.pop("mapping.fc_yaw.weight")
    with pytest.raises(WeightsError, match=r"fc_yaw\.weight"):
        load_strict(other, state, where="test")


@torch.no_grad()
@pytest.mark.parametrize("occlusion", [True, False])
def test_fast_generator_gives_the_same_frames(batch, occlusion):
    networks = build_small(generator_params={**SMALL["generator_params"], "estimate_occlusion_map": occlusion})
    image, source, windows = batch
    canonical = networks.kp_extractor(image)
    keypoints = networks.keypoints(canonical, source), networks.keypoints(canonical, windows)
    expected = networks.generator(image, *keypoints)
    before = {name: value.clone() for name, value in networks.state_dict().items()}
    fast = FastGenerator(networks.generator)
    found = fast.decode(fast.encode(image), *keypoints)
    assert same_frames(found, expected)
    assert same_frames(fast(image, *keypoints), expected)
    rough = FastGenerator(networks.generator, torch.bfloat16)(image, *keypoints)
    assert rough.dtype == torch.float32 and 0 < (rough - expected).abs().mean() < 0.03
    assert all(torch.equal(value, before[name]) for name, value in networks.state_dict().items())
    assert all(parameter.requires_grad for parameter in networks.parameters())


@torch.no_grad()
def test_sizes_that_cannot_be_halved_are_told(networks):
    with pytest.raises(ShapeError, match="multiples of 4"):
        networks.kp_extractor(torch.rand(1, 3, 72, 64))


def test_depth_and_channels_of_the_detector_must_agree():
    wrong = {**SMALL["kp_detector_params"], "reshape_channel": 60}
    with pytest.raises(ShapeError, match="Set it to 64"):
        build_small(kp_detector_params=wrong)


def test_unknown_setting_is_refused():
    with pytest.raises(ValidationError):
        RenderConfig.model_validate({"common_params": {"num_keypoint": 4}})


@pytest.mark.parametrize(
    ("group", "change"),
    [
        ("generator_params", {"max_features": 32}),
        ("generator_params", {"dense_motion_params": {"reshape_depth": 8}}),
        ("common_params", {"feature_channel": 8}),
        ("mapping_params", {"num_kp": 5}),
    ],
)
def test_settings_that_contradict_each_other_are_refused(group: str, change: dict):
    with pytest.raises(ValidationError, match="must be"):
        RenderConfig.model_validate({**SMALL, group: {**SMALL[group], **change}})


@torch.no_grad()
def test_one_structure_serves_pictures_of_twice_the_size(networks, batch):
    _, source, windows = batch
    assert networks(torch.rand(1, 3, 128, 128), source, windows).shape == (3, 3, 128, 128)


@pytest.mark.parametrize("coefficients", [70, 73])
def test_published_structure_has_the_published_sizes(coefficients):
    with torch.device("meta"):
        networks = RenderNetworks(RenderConfig.model_validate({"mapping_params": {"coeff_nc": coefficients}}))
    sizes = {
        name: (len(network.state_dict()), sum(parameter.numel() for parameter in network.parameters()))
        for name, network in networks.named_children()
    }
    assert sizes == {
        "kp_extractor": (75, 41_940_047),
        "generator": (386, 100_988_176),
        "mapping": (18, {70: 10_195_190, 73: 10_216_694}[coefficients]),
    }


@pytest.mark.skipif(not LAYOUT.is_file(), reason="the published layouts are not beside the clone")
def test_every_name_and_shape_is_that_of_the_released_files():
    layout = json.loads(LAYOUT.read_text())
    package = layout["SadTalker_V0.0.2_256.safetensors"]["entries"]
    mapping = layout["mapping_00229-model.pth.tar"]["entries"]
    published = {
        name: shape for name, (_, shape) in package.items() if name.startswith(("kp_extractor.", "generator."))
    }
    published |= {f"mapping.{name}": shape for name, (_, shape) in mapping.items()}
    with torch.device("meta"):
        state = RenderNetworks(RenderConfig()).state_dict()
    assert {name: list(value.shape) for name, value in state.items()} == published


def still_motion(**changes: Tensor) -> HeadMotion:
    """Straight ahead: all weight on the bin of no angle, 33 x 3 - 99 degrees."""
    straight = torch.zeros(1, 66)
    straight[0, 33] = 100
    parts = {"yaw": straight, "pitch": straight, "roll": straight, "t": torch.zeros(1, 3), "exp": torch.zeros(1, 6)}
    return HeadMotion(**{**parts, **changes})


def test_keypoints_turn_shift_and_express():
    canonical = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
    assert torch.allclose(transform_keypoints(canonical, still_motion()), canonical)
    shifted = transform_keypoints(canonical, still_motion(t=torch.tensor([[0.1, 0.2, 0.3]])))
    assert torch.allclose(shifted - canonical, torch.tensor([0.0, 0.2, 0.0]).expand(1, 2, 3))
    smile = still_motion(exp=torch.tensor([[0.1, 0.2, 0.3, 0.4, 0.5, 0.6]]))
    expressed = transform_keypoints(canonical, smile)
    assert torch.allclose(expressed - canonical, smile.exp.view(1, 2, 3), atol=1e-6)
    assert torch.allclose(transform_keypoints(canonical, smile, expression=False), canonical)
    turned = transform_keypoints(canonical, still_motion(), {"roll": torch.tensor([90.0])})
    assert torch.allclose(turned[0, 0], torch.tensor([0.0, 1.0, 0.0]), atol=1e-3)
    assert turned[0, 0, 0] > 5e-4  # a right angle falls short where pi is 3.14


def test_angles_are_expected_bins():
    logits = torch.zeros(2, 66)
    logits[1, 0] = 100
    assert torch.allclose(degrees(logits), torch.tensor([32.5 * 3 - 99, -99.0]), atol=1e-4)
    matrix = rotation(*(torch.tensor([angle]) for angle in (20.0, -10.0, 5.0)))
    assert torch.allclose(matrix @ matrix.transpose(1, 2), torch.eye(3)[None], atol=1e-6)


def test_mapping_looks_at_the_whole_window():
    torch.manual_seed(0)
    network = MappingNet(RenderConfig.model_validate(SMALL).mapping_params)
    window = torch.randn(1, 6, WINDOW, requires_grad=True)
    torch.cat([*network(window)], dim=1).square().sum().backward()
    assert (window.grad.abs().amax(dim=(0, 1)) > 0).all()
