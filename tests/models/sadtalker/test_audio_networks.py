"""The audio networks: released names and sizes, loading, pieces of 32 frames, styles."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from talkingface.errors import ConfigError, WeightsError
from talkingface.models.sadtalker.networks.audio2exp import Audio2Exp
from talkingface.models.sadtalker.networks.audio2pose import Audio2Pose, draw_latents, latent_count
from talkingface.models.sadtalker.networks.pose_cvae import LATENT, STYLES
from talkingface.weights.load import load_networks, load_strict, save_networks

ROUNDING = 1e-5  # other shapes of batches, other orders of sums; values are about 1


@pytest.fixture(scope="module")
def pose() -> Audio2Pose:
    torch.manual_seed(0)
    return Audio2Pose().eval()


@pytest.fixture(scope="module")
def heard() -> Tensor:
    return 3 * torch.randn(2200, 6, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def latents() -> Tensor:
    return torch.randn(80, LATENT, generator=torch.Generator().manual_seed(2))


@torch.no_grad()
def move(pose: Audio2Pose, heard: Tensor, latents: Tensor, style: int = 0) -> Tensor:
    return pose(heard, torch.zeros(6), style, latents[: latent_count(len(heard) + 1)])


@pytest.mark.parametrize("network, entries, parameters", [(Audio2Exp, 93, 2_849_664), (Audio2Pose, 419, 11_251_897)])
def test_state_dicts_have_the_released_size(network: type[nn.Module], entries: int, parameters: int):
    with torch.device("meta"):
        built = network()
    assert len(built.state_dict()) == entries
    assert sum(parameter.numel() for parameter in built.parameters()) == parameters


@pytest.mark.parametrize("name, network", [("audio2exp", Audio2Exp), ("audio2pose", Audio2Pose)])
def test_released_files_load_strictly(tmp_path: Path, name: str, network: type[nn.Module]):
    """Both the older file, the network alone, and one where it has its prefix."""
    torch.manual_seed(3)
    state, files = network().state_dict(), {"alone": tmp_path / "alone.pth", "ours": tmp_path / "ours.safetensors"}
    torch.save({"model": state, "optimizer": {}, "epoch": 140}, files["alone"])
    save_networks(files["ours"], {name: state}, {"model": "SadTalker"})
    for path in files.values():
        found, fresh = load_networks(path, model="SadTalker"), network()
        load_strict(fresh, found.states[name], where=path)
        assert all(torch.equal(value, state[key]) for key, value in fresh.state_dict().items())
    state.pop("audio_encoder.0.conv_block.0.bias" if name == "audio2exp" else "netG.decoder.classbias")
    with pytest.raises(WeightsError, match="missing"):
        load_strict(network(), state, where=name)


def test_expression_takes_each_of_its_inputs():
    torch.manual_seed(4)
    network = Audio2Exp().eval()
    inputs = [torch.randn(3, 1, 80, 16), torch.randn(3, 64), torch.rand(3, 1)]
    for value in inputs:
        value.requires_grad_()
    out = network(*inputs)
    out.square().sum().backward()
    assert out.shape == (3, 64)
    assert all(value.grad is not None and value.grad.abs().max() > 1e-6 for value in inputs)


@pytest.mark.parametrize("frames", [1, 2, 3, 8, 32, 33, 34, 64, 65, 66, 97])
def test_a_motion_of_any_length_begins_at_the_source(pose: Audio2Pose, heard: Tensor, latents: Tensor, frames: int):
    motion = move(pose, heard[: frames - 1], latents)
    assert motion.shape == (frames, 6) and motion.isfinite().all()
    assert (motion[0] == 0).all() and (motion[1:] != 0).any(1).all()


def test_one_piece_for_32_frames_behind_the_first():
    assert [latent_count(frames) for frames in (0, 1, 2, 33, 34, 65, 66)] == [0, 0, 1, 1, 2, 2, 3]
    assert draw_latents(1, torch.Generator()).shape == (0, LATENT)


def test_pieces_do_not_see_each_other(pose: Audio2Pose, heard: Tensor, latents: Tensor):
    """2200 frames are 69 pieces, more than go through the decoder at once."""
    motion = move(pose, heard, latents)
    for piece in (0, 1, 63, 64, 67):
        alone = move(pose, heard[32 * piece : 32 * piece + 32], latents[piece:])
        torch.testing.assert_close(motion[32 * piece + 1 : 32 * piece + 33], alone[1:], rtol=0, atol=ROUNDING)


def test_the_last_piece_ends_with_the_sound(pose: Audio2Pose, heard: Tensor, latents: Tensor):
    motion = move(pose, heard[:74], latents)
    alone = move(pose, heard[42:74], latents[2:])
    torch.testing.assert_close(motion[65:], alone[-10:], rtol=0, atol=ROUNDING)


def test_a_sound_shorter_than_a_piece_repeats_its_first_window(pose: Audio2Pose, heard: Tensor, latents: Tensor):
    padded = torch.cat([heard[:1].expand(25, -1), heard[:7]])
    short = move(pose, heard[:7], latents)
    torch.testing.assert_close(short[1:], move(pose, padded, latents)[-7:], rtol=0, atol=ROUNDING)


def test_every_style_moves_otherwise_and_there_is_no_other(pose: Audio2Pose, heard: Tensor, latents: Tensor):
    motions = torch.stack([move(pose, heard[:32], latents, style) for style in range(STYLES)])
    apart = torch.cdist(motions.flatten(1), motions.flatten(1)) + torch.eye(STYLES)
    assert len(motions) == 46 and apart.min() > 1e-6
    for style in (-1, 46):
        with pytest.raises(ConfigError, match=f"no pose style {style}.*0 to 45"):
            move(pose, heard[:32], latents, style)


def test_the_halves_for_training_reach_all_their_parameters(pose: Audio2Pose):
    random = torch.Generator().manual_seed(5)
    motion, sound = (torch.randn(4, 32, width, generator=random) for width in (6, 512))
    reference, style = torch.randn(4, 6, generator=random), torch.tensor([0, 1, 2, 45])
    mean, log_variance = pose.netG.encoder(motion, sound, reference, style)
    assert mean.shape == log_variance.shape == (4, LATENT)
    scores = pose.netD_motion(motion)
    assert scores.shape == (4, 8)
    (mean.square().sum() + log_variance.square().sum() + scores.square().sum()).backward()
    untouched = [
        name for half in (pose.netG.encoder, pose.netD_motion) for name, p in half.named_parameters() if p.grad is None
    ]
    assert untouched == []
    pose.zero_grad()
