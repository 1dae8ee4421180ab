"""The shipped weights: they give a face back, and move it as the coefficients of a recording say."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from talkingface.config import settings_from
from talkingface.data import open_store
from talkingface.models.samples import COEFFICIENTS
from talkingface.motion.coefficients import Coefficients, row73
from talkingface.paths import shipped as shipped_file
from talkingface.pipelines.model import LoadedModel, load_model
from talkingface.types import Motion, Source

SAMPLE = shipped_file("dataset", "sample") / "lmdb"


@pytest.fixture(scope="module")
def shipped() -> LoadedModel:
    return load_model(settings_from({"model": "StyleHeat", "checkpoint": "styleheat_compact"}))


@pytest.fixture(scope="module")
def recording() -> tuple[Tensor, Tensor]:
    """Every fourth frame (n, 3, 256, 256) in [0, 1] of a clip, and all its rows (T, 260)."""
    store = open_store(SAMPLE, "test")
    clip = store.clips()[0]
    frames = torch.from_numpy(np.stack(store.frames(clip, range(0, clip.frames, 4), size=256)))
    rows = torch.from_numpy(store.array(clip, COEFFICIENTS, range(clip.frames)))
    return frames.permute(0, 3, 1, 2).float() / 255, rows


def middle(pictures: Tensor) -> Tensor:
    """The part where the face is."""
    return pictures[..., 48:208, 64:192]


def fine(pictures: Tensor) -> Tensor:
    """Energy of the finest octave where the face is, (n,)."""
    face = middle(pictures)
    coarse = F.interpolate(F.avg_pool2d(face, 2), scale_factor=2, mode="bilinear", align_corners=False)
    return (face - coarse).square().mean(dim=(1, 2, 3))


def test_a_face_that_does_not_move_is_given_back(shipped: LoadedModel, recording: tuple[Tensor, Tensor]) -> None:
    frames, rows = recording
    source = Source(frames[:1], row73(rows[:1]), Coefficients(rows[:1]).id)
    state = shipped.renderer.encode_source(source)
    still = Motion("3dmm.73", Fraction(25), {"coefficients": row73(rows[:1]).repeat(3, 1)}, "mesh")
    drawn = shipped.renderer.render(state, still)
    assert drawn.shape == (3, 3, 256, 256)
    assert float((drawn - frames[0]).abs().max()) < 0.01
    assert torch.allclose(drawn[0], drawn[2], atol=1e-5)


def test_a_face_moves_as_the_recording_does(shipped: LoadedModel, recording: tuple[Tensor, Tensor]) -> None:
    frames, rows = recording
    state = shipped.renderer.encode_source(Source(frames[:1], row73(rows[:1]), Coefficients(rows[:1]).id))
    motion = Motion("3dmm.73", Fraction(25), {"coefficients": row73(rows)}, "mesh")
    apart = (middle(frames) - middle(frames[:1])).abs().mean(dim=(1, 2, 3))
    farthest = apart.topk(3).indices
    drawn = torch.cat([shipped.renderer.render_part(state, motion, slice(4 * k, 4 * k + 1)) for k in farthest.tolist()])
    error = (middle(drawn) - middle(frames[farthest])).abs().mean(dim=(1, 2, 3))
    assert (error < 0.7 * apart[farthest]).all(), (error, apart[farthest])


def test_detail_that_the_inversion_lacks_comes_back(shipped: LoadedModel, recording: tuple[Tensor, Tensor]) -> None:
    frames, rows = recording
    state = shipped.renderer.encode_source(Source(frames[:1], row73(rows[:1]), Coefficients(rows[:1]).id))
    motion = Motion("3dmm.73", Fraction(25), {"coefficients": row73(rows)}, "mesh")
    still, plain = (shipped.renderer.render_part(s, motion, slice(0, 1)) for s in (state, replace(state, detail=None)))
    assert float((still - frames[0]).abs().mean()) < 0.5 * float((plain - frames[0]).abs().mean())
    parts = [slice(4 * k, 4 * k + 1) for k in range(len(frames))]
    moved = torch.cat([shipped.renderer.render_part(state, motion, part) for part in parts])
    assert float(fine(moved).mean()) > 0.6 * float(fine(frames[:1]).mean())
