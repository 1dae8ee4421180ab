"""The compact networks: what the face's points say, and what the networks do before and after training."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import Tensor

from talkingface.config import settings_from
from talkingface.face3d.mesh_space import shipped_space
from talkingface.models.base import SpeechRequest
from talkingface.models.sadtalker.compact import voice as compact_voice
from talkingface.models.sadtalker.compact.generator import FaceGenerator, FastFaceGenerator
from talkingface.models.sadtalker.compact.pose import CompactPose, draw_pose_latents
from talkingface.models.sadtalker.compact.renderer import CompactMapping
from talkingface.models.sadtalker.compact.voice import CompactAudio2Exp, CompactVoice, settled, speak_frames
from talkingface.models.sadtalker.voice.mel import Speech
from talkingface.nn.compact.config import CommonParams, CompactParams
from talkingface.nn.compact.face_motion import inside, points_field
from talkingface.pipelines.model import LoadedModel, load_model
from talkingface.types import Motion, Source

SMALL = CompactParams(
    motion_size=64, detector_widths=[8, 8], motion_widths=[8, 8], motion_features=8, generator_widths=(8, 8, 8)
)
COMMON = CommonParams(num_kp=4)


def keypoints(count: int, seed: int) -> dict[str, Tensor]:
    random = torch.Generator().manual_seed(seed)
    jacobian = torch.eye(2).expand(count, 4, 2, 2) + 0.1 * torch.randn(count, 4, 2, 2, generator=random)
    return {"value": torch.rand(count, 4, 2, generator=random) - 0.5, "jacobian": jacobian}


def grid_of_points(half: float) -> Tensor:
    """(1, 441, 2), a square of points around the middle."""
    line = torch.linspace(-half, half, 21)
    return torch.cartesian_prod(line, line)[None]


def test_points_that_are_shifted_shift_the_picture_between_them_alone() -> None:
    driving = grid_of_points(0.5)
    shift = torch.tensor([0.12, -0.07])
    field, confidence = points_field(driving + shift, driving, torch.full((1, 441), 0.04), (65, 65))
    assert field.shape == (1, 2, 65, 65) and confidence.shape == (1, 1, 65, 65)
    torch.testing.assert_close(field[0, :, 32, 32], shift, atol=0.005, rtol=0)
    assert confidence[0, 0, 32, 32] > 0.85
    assert confidence[0, 0, 0, 0] < 1e-6 and field[0, :, 0, 0].abs().max() < 1e-6


def test_what_lies_inside_a_ring() -> None:
    square = torch.tensor([[[-0.5, -0.25], [0.5, -0.25], [0.5, 0.25], [-0.5, 0.25]]])
    covered = inside(square, (65, 129))
    assert covered[0, 0, 32, 64] == 1 and covered[0, 0, 4, 64] == 0 and covered[0, 0, 32, 4] == 0
    assert covered.sum() == pytest.approx(64 * 16, rel=0.05)
    torch.testing.assert_close(inside(square.flip(1), (65, 129)), covered)  # whichever way round
    shut = square * torch.tensor([1.0, 0.0])
    assert inside(shut, (65, 129)).abs().max() == 0


def test_an_untrained_generator_is_that_of_fom_where_the_gate_is_shut() -> None:
    torch.manual_seed(0)
    generator = FaceGenerator(SMALL, COMMON).eval()
    torch.nn.init.normal_(generator.final.weight, std=0.1)
    torch.nn.init.constant_(generator.gate.bias, -1e9)
    points = torch.rand(4, 468, 2) - 0.5
    with torch.inference_mode():
        state = generator.encode(torch.rand(1, 3, 64, 64))
        source, driving = keypoints(1, 1), keypoints(3, 2)
        plain = generator.decode(state, source, driving)["prediction"]
        told = generator.decode_face(state, source, driving, points[:1], points[1:])["prediction"]
    torch.testing.assert_close(told, plain, atol=2e-3, rtol=0)  # the field is interpolated once more


@pytest.mark.parametrize("hints", [False, True])
def test_the_generator_for_inference_draws_the_same(hints: bool) -> None:
    torch.manual_seed(0)
    generator = FaceGenerator(SMALL, COMMON).eval()
    for name, parameter in generator.named_parameters():
        if name.startswith(("final", "to_")) and hints:
            torch.nn.init.normal_(parameter, std=0.1)
    points = torch.rand(4, 468, 2) - 0.5
    fast = FastFaceGenerator(generator)
    with torch.inference_mode():
        image, source, driving = torch.rand(1, 3, 64, 64), keypoints(1, 1), keypoints(3, 2)
        wanted = generator.decode_face(generator.encode(image), source, driving, points[:1], points[1:])
        got = fast.decode_face(fast.encode(image), source, driving, points[:1], points[1:])
    torch.testing.assert_close(got["prediction"], wanted["prediction"], atol=1e-4, rtol=0)


def test_an_untrained_mapping_network_moves_nothing() -> None:
    source = keypoints(1, 3)
    moved = CompactMapping(4)(torch.randn(1, 73), torch.randn(5, 70), source)
    for name, value in moved.items():
        torch.testing.assert_close(value, source[name].expand_as(value))


def test_a_voice_is_heard_without_seams(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    network = CompactAudio2Exp(16).eval()
    voice = Speech(torch.randn(200 * 640) * 0.1)
    told = torch.randn(200, 64), torch.rand(200, 1)
    with torch.inference_mode():
        whole = speak_frames(network, voice, *told)
        monkeypatch.setattr(compact_voice, "_BATCH", 7)
        parts = speak_frames(network, voice, *told)
    for one, other in zip(whole, parts, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("frames", [1, 7, 64, 65, 1000])
def test_the_head_moves_for_any_time_and_begins_in_the_source_pose(frames: int) -> None:
    torch.manual_seed(0)
    latents = draw_pose_latents(frames, torch.Generator().manual_seed(1))
    motion = settled(CompactPose(16).eval().motion(latents, torch.zeros(frames, 5), 45))
    assert motion.shape == (frames, 6)
    assert motion[0].abs().max() == 0


@pytest.fixture(scope="module")
def shipped() -> LoadedModel:
    return load_model(settings_from({"model": "SadTalker", "checkpoint": "sadtalker_compact"}))


def babble(seconds: float) -> Tensor:
    """Something like syllables: harmonics of a low voice through two resonances, four times a second, with pauses."""
    time = torch.arange(int(seconds * 16000)) / 16000
    wave = sum((torch.sin(2 * np.pi * 130 * k * time) / k for k in range(1, 30)), start=torch.zeros_like(time))
    loud = (torch.sin(2 * np.pi * 4 * time) > 0) & (torch.sin(2 * np.pi * 0.4 * time) > 0)
    return 0.1 * wave * loud


def openings(shipped: LoadedModel, motion: Motion) -> Tensor:
    """(T,): distance of the inner lips in pixels of a 256 frame, for the mean person with a still head."""
    rows = motion.values["coefficients"].clone()
    rows[:, 64:] = 0
    mesh = shipped_space().decode(rows.numpy())
    return torch.from_numpy(mesh[:, 14, 1] - mesh[:, 13, 1])


def test_the_shipped_voice_opens_the_mouth_with_the_sound_alone(shipped: LoadedModel) -> None:
    voice = CompactVoice(shipped.plugin.networks)
    rest = torch.zeros(1, 73)
    wave = babble(6)
    spoken = openings(shipped, voice.speak(SpeechRequest(wave, 150, blink=False), rest))
    silent = openings(shipped, voice.speak(SpeechRequest(torch.zeros_like(wave), 150, blink=False), rest))
    idle = openings(shipped, voice.speak(SpeechRequest(None, 150, blink=False), rest))
    loud = torch.tensor([bool(wave[640 * k : 640 * (k + 1)].abs().max() > 0) for k in range(150)])
    assert silent.std() < 0.3 and idle.std() < 0.3  # pixels
    assert spoken.std() > 4 * silent.std()
    assert spoken[loud].mean() > spoken[~loud].mean() + 1


def test_blinks_close_the_eyes_of_the_shipped_voice(shipped: LoadedModel) -> None:
    voice = CompactVoice(shipped.plugin.networks)
    mesh = {}
    for blink in (False, True):
        rows = voice.speak(SpeechRequest(None, 200, blink=blink), torch.zeros(1, 73)).values["coefficients"].clone()
        rows[:, 64:] = 0
        mesh[blink] = shipped_space().decode(rows.numpy())
    lids = {blink: mesh[blink][:, 145, 1] - mesh[blink][:, 159, 1] for blink in mesh}
    assert lids[True].min() < 0.65 * lids[False].min()  # the mesh draws a shut eye half open
    assert np.median(lids[True]) == pytest.approx(np.median(lids[False]), rel=0.05)


def test_a_seed_decides_all_that_is_random(shipped: LoadedModel) -> None:
    voice = CompactVoice(shipped.plugin.networks)
    first, same, other = (
        voice.speak(SpeechRequest(None, 120, seed=seed), torch.zeros(1, 73)).values["coefficients"]
        for seed in (3, 3, 4)
    )
    assert torch.equal(first, same) and not torch.equal(first, other)


def test_the_shipped_renderer_keeps_a_face_that_does_not_move(shipped: LoadedModel) -> None:
    """With the source's own row, what is drawn is the source, up to the errors of the keypoints."""
    image = torch.nn.functional.interpolate(torch.rand(1, 3, 5, 5), size=256, mode="bicubic").clamp(0, 1)
    row, identity = torch.zeros(1, 73), torch.zeros(1, 80)
    state = shipped.renderer.encode_source(Source(image, row, identity))
    motion = Motion("3dmm.70", Fraction(25), {"coefficients": row[:, :70].repeat(2, 1)}, "mesh")
    drawn = shipped.renderer.render(state, motion)
    assert drawn.shape == (2, 3, 256, 256)
    assert float((drawn - image).abs().mean()) < 0.05
