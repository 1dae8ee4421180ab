"""The warpers, and flow."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from talkingface.errors import ShapeError, WeightsError
from talkingface.models.styleheat.networks.warper import AudioWarper, VideoWarper, Warp, lower_half, video_warper_names
from talkingface.models.styleheat.structure import WarperStructure
from talkingface.nn.geometry.grids import flow_to_field, warp_by_field
from talkingface.weights.load import load_strict

from .small import STRUCTURE, loads_its_own, pictures, seeded, windows, without_gradient


@pytest.fixture
def warper() -> VideoWarper:
    return seeded(VideoWarper(STRUCTURE.warper))


def test_flow_has_a_quarter_of_the_picture_and_follows_the_window(warper: VideoWarper):
    picture = pictures(2, 64)
    warp = warper(picture, windows(2))
    assert warp.flow.shape == (2, 2, 16, 16)
    assert warp.descriptor.shape == (2, 16)
    assert warp.apply(picture).shape == picture.shape
    assert not torch.allclose(warp.flow, warper(picture, windows(2, seed=5)).flow)


def test_gradients_reach_all_but_biases_that_cancel(warper: VideoWarper):
    warp = warper(pictures(2, 64), windows(2))
    missing = without_gradient(warper, warp.flow)
    # A bias in front of an instance norm has a gradient of zero, but for rounding.
    assert all(name.startswith("warping_net.hourglass") and ".conv_" in name for name in missing)
    assert all(name.endswith("bias") for name in missing)


def test_weights_go_round(warper: VideoWarper):
    assert loads_its_own(warper, VideoWarper(STRUCTURE.warper))


def test_other_spelling_is_reported_or_translated(warper: VideoWarper):
    state = warper.state_dict()
    misspelt = {key.replace("warping_net", "warpping_net"): values for key, values in state.items()}
    fresh = VideoWarper(STRUCTURE.warper)
    with pytest.raises(WeightsError, match="warping_net"):
        load_strict(fresh, misspelt, where="a test")
    load_strict(fresh, video_warper_names(misspelt), where="a test")
    assert all(torch.equal(values, state[key]) for key, values in fresh.state_dict().items())
    assert video_warper_names(state).keys() == state.keys()


def test_both_spellings_at_once_are_reported(warper: VideoWarper):
    state = warper.state_dict()
    both = {**state, **{key.replace("warping_net", "warpping_net"): values for key, values in state.items()}}
    with pytest.raises(WeightsError, match="left over"):
        load_strict(VideoWarper(STRUCTURE.warper), video_warper_names(both), where="a test")


def test_audio_warper_has_its_own_spelling():
    network = seeded(AudioWarper(STRUCTURE.warper))
    assert {name.split(".")[0] for name in network.state_dict()} == {"audio_encoder", "warpping_net"}
    assert network(pictures(1, 64), windows(1, 32)).flow.shape == (1, 2, 16, 16)
    assert loads_its_own(network, AudioWarper(STRUCTURE.warper))


def test_lower_half_leaves_the_rest_still():
    warp = Warp(torch.ones(1, 2, 8, 8), torch.zeros(1, 4))
    flow = lower_half(warp).flow
    assert not flow[:, :, :4].any()
    assert flow[:, :, 4:].all()
    assert warp.flow.all()


def test_a_flow_of_one_takes_the_pixel_to_the_right():
    flow = torch.zeros(1, 2, 5, 9)
    flow[:, 0] = 1
    still, field = flow_to_field(torch.zeros_like(flow)), flow_to_field(flow)
    assert torch.allclose(field[0, :, :-1], still[0, :, 1:])
    assert torch.allclose(field[..., 1], still[..., 1])


def test_no_flow_keeps_the_middle_of_a_picture_and_darkens_its_border():
    still = flow_to_field(torch.zeros(1, 2, 9, 9))
    out = warp_by_field(torch.ones(1, 1, 9, 9), still)
    assert out[0, 0, 4, 4] == 1
    assert out[0, 0, 0, 4] == pytest.approx(0.5)


@pytest.mark.parametrize("side", [48, 32])
def test_pictures_that_cannot_be_halved_are_an_error(warper: VideoWarper, side: int):
    with pytest.raises(ShapeError, match="multiples of 32"):
        warper(pictures(1, side), windows(1))


def test_short_windows_are_an_error(warper: VideoWarper):
    assert warper(pictures(1, 64), windows(1, 25)).flow.isfinite().all()
    with pytest.raises(ShapeError, match="25 at least"):
        warper(pictures(1, 64), windows(1, 24))


def test_more_doublings_than_halvings_are_an_error():
    with pytest.raises(ValidationError, match="up 4 is more than down 3"):
        WarperStructure(down=3, up=4)
