"""Models that are not ours go the same way: a renderer with a window, and an extractor that does not fit."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from talkingface.errors import ConfigError, MotionError
from talkingface.models.base import MotionExtractor, Renderer
from talkingface.pipelines.draw import render
from talkingface.pipelines.model import check_joined
from talkingface.pipelines.read.motion_reader import FrameReader
from talkingface.types import Motion, Source


class Brightness(MotionExtractor):
    """Motion is the mean brightness of each frame."""

    takes = frozenset({"video"})
    gives = "brightness"
    size = (8, 8)

    def extract(self, frames: Iterable[Tensor], fps: Fraction) -> Motion:
        return Motion("brightness", fps, {"level": torch.cat([chunk.mean(dim=(1, 2, 3)) for chunk in frames])})


class Smoothed(Renderer):
    """Draws the source, dimmed by the mean level of a window of five frames, clamped at the clip's ends."""

    takes = "brightness"
    size = (8, 8)
    radius = 2

    def encode_source(self, source: Source) -> Any:
        return source.image

    def render(self, state: Any, motion: Motion) -> Tensor:
        frames = torch.arange(len(motion))[:, None] + torch.arange(-2, 3)
        level = motion.values["level"][frames.clamp(0, len(motion) - 1)].mean(dim=1)
        return state * level[:, None, None, None]


class Voice(Brightness):
    takes = frozenset({"audio"})
    gives = "mouth"


@pytest.fixture
def clip() -> list[np.ndarray]:
    generator = np.random.default_rng(1)
    return list(generator.integers(0, 256, (9, 8, 8, 3), dtype=np.uint8))


@pytest.mark.parametrize("chunk", [1, 2, 4, 9, 50])
def test_window_renderer_gives_the_same_frames_in_any_chunk(clip, chunk):
    motion = FrameReader(Brightness()).read_frames(clip, Fraction(25), chunk=chunk)
    state = render.encode_source(Smoothed(), Source(torch.ones(1, 3, 8, 8)))
    drawn = np.stack(list(render.render(Smoothed(), state, motion, chunk=chunk)))
    levels = np.stack(clip).reshape(9, -1).mean(axis=1)
    padded = np.pad(levels, 2, mode="edge")
    expected = np.convolve(padded, np.ones(5) / 5, mode="valid")
    np.testing.assert_allclose(drawn[:, 0, 0, 0], expected, atol=0.51)


def test_renderer_of_another_motion_is_refused():
    with pytest.raises(MotionError, match=r"'mouth'.*'brightness'"):
        check_joined(Voice(), Smoothed())


def test_extractor_of_sound_refuses_a_video(tmp_path):
    with pytest.raises(ConfigError, match="driven by audio, not by a video"):
        FrameReader(Voice()).check_file(tmp_path / "talk.mp4")
