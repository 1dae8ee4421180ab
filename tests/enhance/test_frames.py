"""Enlarging frames in tiles."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from talkingface.enhance import frames
from talkingface.enhance.frames import enlarge, upscale_by_network, upscale_in_tiles


def smooth_double(picture: Tensor) -> Tensor:
    """Looks four pixels around itself, as a network does."""
    blurred = F.avg_pool2d(F.pad(picture, (4, 4, 4, 4), mode="reflect"), 9, 1)
    return F.interpolate(blurred, scale_factor=2, mode="nearest")


@pytest.mark.parametrize(("height", "width"), [(70, 90), (30, 101)])
def test_tiles_are_joined_without_a_seam(monkeypatch: pytest.MonkeyPatch, height: int, width: int) -> None:
    monkeypatch.setattr(frames, "TILE", 24)
    monkeypatch.setattr(frames, "OVERLAP", 6)
    picture = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(upscale_in_tiles(picture, smooth_double), smooth_double(picture), atol=1e-5, rtol=0)


def test_tiles_stay_small_whatever_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "TILE", 64)
    seen: list[int] = []

    def upscaler(part: Tensor) -> Tensor:
        seen.append(max(part.shape[-2:]))
        return F.interpolate(part, scale_factor=2)

    upscale_in_tiles(torch.zeros(1, 3, 500, 700), upscaler)
    assert len(seen) > 30 and max(seen) <= 64 + 4 * frames.OVERLAP


def test_the_result_has_the_size_that_was_asked_for() -> None:
    picture = torch.rand(1, 3, 33, 21)
    assert enlarge(picture, 1) is picture
    assert enlarge(picture, 2).shape == upscale_by_network(picture, smooth_double, 2).shape == (1, 3, 66, 42)
    assert upscale_by_network(picture, smooth_double, 1).shape == picture.shape
