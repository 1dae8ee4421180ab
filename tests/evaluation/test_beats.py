"""Turns of the head on the beats of the sound, and beside them."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from talkingface.evaluation.metric import ClipFacts, MetricTools
from talkingface.evaluation.metrics.moving import BeatAlignment, _slowest
from talkingface.evaluation.observe import DetectedFace
from talkingface.evaluation.talking_curves import Curves

RATE_HZ, SECONDS, FRAMES = 16000, 8, 200


def nodding(late_s: float) -> DetectedFace:
    """A head that turns to and fro once a second, and stands still every half second."""
    times = np.arange(FRAMES) / 25 - late_s
    angles = np.stack([10 * np.cos(2 * np.pi * times), np.zeros(FRAMES), np.zeros(FRAMES)], axis=1)
    curves = Curves(Fraction(25), np.ones(FRAMES), np.ones(FRAMES), angles)
    return DetectedFace(curves, np.zeros((FRAMES, 468, 3)), np.zeros((FRAMES, 64)), 256)


def clicks(path: Path) -> Path:
    """Short bursts twice a second."""
    wave = np.zeros(RATE_HZ * SECONDS, np.float32)
    burst = np.exp(-np.arange(800) / 100) * np.sin(np.arange(800))
    for start in range(0, len(wave), RATE_HZ // 2):
        wave[start : start + 800] = burst
    soundfile.write(path, wave, RATE_HZ)
    return path


def test_a_head_is_slowest_where_it_turns_back() -> None:
    turns = _slowest(nodding(0).curves.angles) / 25
    assert np.abs(turns - np.arange(1, len(turns) + 1) / 2).max() <= 0.05


def test_turns_on_the_beat_score_higher_than_turns_between_beats(tmp_path: Path) -> None:
    pytest.importorskip("librosa")
    metric = BeatAlignment(MetricTools())
    metric.begin(ClipFacts(Fraction(25), torch.zeros(1, 3, 8, 8), clicks(tmp_path / "clicks.wav")))
    on, between = (metric.measure(nodding(late_s), nodding(0)) for late_s in (0.0, 0.25))
    assert on > 0.8 > 0.4 > between
    metric.begin(ClipFacts(Fraction(25), torch.zeros(1, 3, 8, 8)))
    assert math.isnan(metric.measure(nodding(0), nodding(0))), "there is no sound"
