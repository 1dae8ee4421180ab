"""The affine baseline finds maps that are known."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from talkingface.evaluation.clips.affine import best_affine, warp
from talkingface.evaluation.metrics.frames import l1


def smooth_picture(size: int = 64) -> Tensor:
    """A few soft blobs on a gradient; moves of some pixels change it everywhere but little."""
    rows, columns = torch.meshgrid(torch.linspace(-1, 1, size), torch.linspace(-1, 1, size), indexing="ij")
    blobs = [
        ((rows - y).square() + (columns - x).square()).mul(-18).exp() for x, y in ((0.3, 0.1), (-0.4, 0.4), (0, -0.5))
    ]
    return torch.stack([0.3 + 0.6 * blob + 0.1 * columns for blob in blobs])[None]


def turned(angle_deg: float, scale: float, shift: tuple[float, float]) -> Tensor:
    cosine, sine = (scale * f(math.radians(angle_deg)) for f in (math.cos, math.sin))
    return torch.tensor([[[cosine, -sine, shift[0]], [sine, cosine, shift[1]]]])


@pytest.mark.parametrize("known", [turned(0, 1, (0.1, -0.05)), turned(10, 1.1, (0.05, 0.1)), turned(-15, 0.9, (0, 0))])
def test_a_known_map_is_found(known: Tensor) -> None:
    source = smooth_picture()
    frame = warp(source, known)
    before, after = l1(source, frame).item(), l1(best_affine(source, frame), frame).item()
    assert after < 0.05 * before


def test_frames_of_a_batch_are_fitted_each_for_itself() -> None:
    source = smooth_picture()
    frames = torch.cat([warp(source, turned(angle, 1, (0, 0))) for angle in (-8.0, 0.0, 5.0)])
    alone = torch.cat([best_affine(source, frame[None]) for frame in frames])
    assert torch.allclose(best_affine(source, frames), alone, atol=1e-4)


def test_it_is_never_worse_than_the_source_itself() -> None:
    source = smooth_picture()
    frames = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    assert (l1(best_affine(source, frames), frames) <= l1(source.expand_as(frames), frames) + 1e-7).all()


def test_an_unmoved_frame_stays() -> None:
    source = smooth_picture()
    assert torch.allclose(best_affine(source, source), source, atol=1e-4)
