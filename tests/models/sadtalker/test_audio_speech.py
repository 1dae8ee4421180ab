"""From a voice to rows: seeds, batches, short and strange sounds."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from torch import Tensor

from talkingface.errors import ConfigError, MediaError
from talkingface.media.sounds.audio import read_audio
from talkingface.models.sadtalker.networks.audio2exp import Audio2Exp
from talkingface.models.sadtalker.networks.audio2pose import Audio2Pose
from talkingface.models.sadtalker.voice.mel import MelSource, NoVoice, Speech
from talkingface.models.sadtalker.voice.speech import SpeechNoise, draw_noise, speak
from talkingface.motion.coefficients import LAYOUT_70

SHARED = Path(os.environ.get("TALKINGFACE_SHARED", Path(__file__).parents[4] / "shared")) / "data" / "audio"
# All that decode, damaged ones included; see tests/media for those that do not.
SOUNDS = ("a01", "a04", "a20", "a21", "a22", "a23", "a24", "a25", "a27", "a31")


@pytest.fixture(scope="module")
def networks() -> tuple[Audio2Exp, Audio2Pose]:
    torch.manual_seed(0)
    return Audio2Exp().eval(), Audio2Pose().eval()


@pytest.fixture(scope="module")
def source() -> Tensor:
    return 0.3 * torch.randn(1, 73, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def voice() -> Speech:
    return Speech(0.1 * torch.randn(40 * 640, generator=torch.Generator().manual_seed(2)))


def noise(voice: MelSource, seed: int = 0, *, blink: bool = True) -> SpeechNoise:
    return draw_noise(voice.frames, torch.Generator().manual_seed(seed), blink=blink)


def test_the_same_seed_gives_the_same_rows(networks, source: Tensor, voice: Speech):
    first, same, other = (speak(*networks, voice, source, noise(voice, seed)) for seed in (3, 3, 4))
    assert first.shape == (40, 70) and torch.equal(first, same)
    assert not torch.equal(first[:, LAYOUT_70.pose], other[:, LAYOUT_70.pose]) and not torch.equal(
        first[:, LAYOUT_70.exp], other[:, LAYOUT_70.exp]
    )


def test_without_blinks_the_head_moves_the_same(networks, source: Tensor, voice: Speech):
    blinking, staring = (speak(*networks, voice, source, noise(voice, blink=blink)) for blink in (True, False))
    assert torch.equal(blinking[:, LAYOUT_70.pose], staring[:, LAYOUT_70.pose])
    differs = (blinking[:, LAYOUT_70.exp] != staring[:, LAYOUT_70.exp]).any(1)
    assert torch.equal(differs, noise(voice).closed[:, 0] > 0) and differs.any()


@pytest.mark.parametrize("batch_size", [1, 7, 39, 40, 1000])
def test_rows_do_not_depend_on_the_batch(networks, source: Tensor, voice: Speech, batch_size: int):
    rows = speak(*networks, voice, source, noise(voice), batch_size=batch_size)
    torch.testing.assert_close(rows, speak(*networks, voice, source, noise(voice)), rtol=0, atol=1e-5)


def test_the_head_starts_where_the_source_holds_it(networks, source: Tensor):
    """Two frames are too few to be smoothed, so that the first is the source's."""
    voice = Speech(torch.zeros(1280))
    assert torch.equal(speak(*networks, voice, source, noise(voice))[0, LAYOUT_70.pose], source[0, LAYOUT_70.pose])


def test_eyes_of_a_video_change_the_expression_alone(networks, source: Tensor, voice: Speech):
    eyes = torch.randn(7, 73, generator=torch.Generator().manual_seed(5))
    plain, borrowed = (speak(*networks, voice, source, noise(voice), eyes=value) for value in (None, eyes))
    assert torch.equal(plain[:, LAYOUT_70.pose], borrowed[:, LAYOUT_70.pose])
    assert (plain[:, LAYOUT_70.exp] != borrowed[:, LAYOUT_70.exp]).any(1).all()


@pytest.mark.parametrize("frames", [1, 2, 3, 21, 33])
def test_idle_and_silent_clips_of_any_length(networks, source: Tensor, frames: int):
    idle, silent = NoVoice(frames), Speech(torch.zeros(frames * 640 + 639))
    for voice in (idle, silent):
        rows = speak(*networks, voice, source, noise(voice, blink=False))
        assert rows.shape == (frames, 70) and rows.isfinite().all()
        torch.testing.assert_close(
            rows[:, LAYOUT_70.exp], rows[:1, LAYOUT_70.exp].expand(frames, -1), rtol=0, atol=1e-5
        )
    assert (idle.windows(0, frames) == 0).all() and (silent.windows(0, frames) == -4).all()


def test_less_than_a_frame_is_refused():
    with pytest.raises(MediaError, match=r"^short\.wav: the sound lasts 0\.040 s, less than one frame\. Give"):
        Speech(torch.zeros(639), where="short.wav")


def test_an_unknown_style_is_refused_before_anything_is_heard(networks, source: Tensor):
    class Unheard(NoVoice):
        def windows(self, start: int, stop: int) -> Tensor:
            raise AssertionError("was heard")

    voice = Unheard(3)
    with pytest.raises(ConfigError, match="no pose style 46"):
        speak(*networks, voice, source, noise(voice), style=46)


@pytest.mark.parametrize("name", SOUNDS)
@pytest.mark.skipif(not SHARED.is_dir(), reason="shared test data is not here")
def test_strange_sounds_give_finite_rows(networks, source: Tensor, name: str):
    (path,) = SHARED.glob(f"{name}_*")
    voice = Speech(torch.from_numpy(read_audio(path)[: 16000 * 2]), where=path)
    assert voice.frames == (2 if name == "a21" else 50)
    rows = speak(*networks, voice, source, noise(voice))
    assert rows.shape == (voice.frames, 70) and rows.isfinite().all()
    if name == "a20":
        assert voice.windows(0, 50).max() < -3.5
