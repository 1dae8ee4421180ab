"""Identity of faces: alignment, and people told apart."""

from __future__ import annotations

import csv
import math
import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from talkingface.evaluation.measure import Measures
from talkingface.evaluation.metric import ClipFacts, MetricTools, problem_of
from talkingface.evaluation.metrics.identity import PLACES, aligned
from talkingface.face.face import Box, Face
from talkingface.media.video import open_video
from talkingface.pipelines.frames import to_tensor
from talkingface.plugins import METRICS

NAMES = ("identity", "identity_distance")


def test_a_face_is_aligned_by_its_five_points() -> None:
    rows, columns = torch.meshgrid(torch.linspace(0, 1, 300), torch.linspace(0, 1, 400), indexing="ij")
    frame = torch.stack([columns, rows, columns * 0])  # colours tell the place
    angle, scale, shift = math.radians(20), 1.5, np.array([120.0, 40.0])
    turn = scale * np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    places = PLACES @ turn.T + shift
    landmarks = np.zeros((68, 2), np.float32)
    landmarks[36:42], landmarks[42:48], landmarks[30], landmarks[48], landmarks[54] = places
    crop = aligned(frame, Face(Box(0, 0, 1, 1), 1.0, landmarks, None, ""))
    assert crop is not None and crop.shape == (3, 112, 112)
    x, y = turn @ (50, 60) + shift
    assert crop[:2, 60, 50].tolist() == pytest.approx([x / 399, y / 299], abs=2e-3)
    assert aligned(frame, None) is None


@pytest.fixture(scope="module")
def people() -> list[Tensor]:
    """Frames (8, 3, H, W) of two clips of one person, and of another person's."""
    for name in NAMES:
        if (problem := problem_of(name, METRICS.get(name), MetricTools())) is not None:
            pytest.skip(str(problem))
    root = Path(os.environ.get("TALKINGFACE_SHARED", Path(__file__).parents[3] / "shared")) / "data" / "clips"
    if not (root / "clips.csv").is_file():
        pytest.skip("the shared clips are not here (TALKINGFACE_SHARED)")
    with (root / "clips.csv").open(encoding="utf-8") as file:
        files: dict[str, list[Path]] = {}
        for row in csv.DictReader(file):
            if row["split"] == "val":
                files.setdefault(row["identity"], []).append(root / row["file"])
    several, other = [clips for clips in files.values() if len(clips) > 1][:2]
    clips = []
    for path in (several[0], several[1], other[0]):
        with open_video(path, frame_limit=8, size=(256, 256), square=True) as video:
            clips.append(to_tensor(list(video), "cpu"))
    return clips


def scores(made: Tensor, real: Tensor, source: Tensor, chunk: int = 3) -> list[float]:
    measures = Measures({name: METRICS.get(name) for name in NAMES}, MetricTools())
    measures.begin(ClipFacts(Fraction(25), source))
    for start in range(0, len(real), chunk):
        measures.update(made[start : start + chunk], real[start : start + chunk])
    found = measures.finish()[0]
    return [found[name] for name in NAMES]


def test_people_are_told_apart(people: list[Tensor]) -> None:
    first, second, other = people
    like, apart = scores(first, first, first[:1])
    assert like > 0.7 and apart == pytest.approx(0, abs=1e-6)
    elsewhere, strange = scores(second, first, first[:1]), scores(other, first, first[:1])
    assert elsewhere[0] > 0.5 and strange[0] < 0.3
    assert 0 < elsewhere[1] < strange[1] and strange[1] > 1.1


def test_frames_without_a_face_are_left_out(people: list[Tensor]) -> None:
    first = people[0]
    half = torch.cat([first[:4], torch.zeros_like(first[4:])])
    assert scores(half, first, first[:1])[1] == pytest.approx(0, abs=1e-6)
    nothing = scores(torch.zeros_like(first), first, first[:1])
    assert math.isnan(nothing[0]) and math.isnan(nothing[1])
    assert math.isnan(scores(first, first, torch.zeros_like(first[:1]))[0])
