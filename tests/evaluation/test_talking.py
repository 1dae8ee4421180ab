"""Measures of a mouth against a voice, where the answer is known."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from talkingface.data import open_store
from talkingface.errors import ConfigError, DataError
from talkingface.evaluation import EvaluateSettings, Report
from talkingface.evaluation.reconstruct import reconstruct
from talkingface.evaluation.talking import evaluate_talking
from talkingface.evaluation.talking_curves import STILL, Curves, correlations, curves_of, lags, looped, loudness, padded
from talkingface.face.detect.analyser import problem_of
from talkingface.paths import default_checkpoint_root, shipped
from talkingface.pipelines.model import LoadedModel, assemble

from .speaking import FPS, RATE, Puppet

SAMPLE = shipped("dataset", "sample")
needs_mesh = pytest.mark.skipif(
    problem_of("mesh", default_checkpoint_root()) is not None, reason="the face mesh is not installed or fetched"
)


def curves(opening: np.ndarray, lids: np.ndarray | None = None, fps: Fraction = FPS) -> Curves:
    return Curves(fps, opening, np.full(len(opening), 0.3) if lids is None else lids, np.zeros((len(opening), 3)))


def wiggle(frames: int, seed: int = 0) -> np.ndarray:
    """A smooth random curve that moves as much as a mouth."""
    steps = np.random.default_rng(seed).normal(size=frames + 20)
    return 0.05 * np.convolve(steps, np.hanning(9), "same")[10:-10]


def test_a_late_mouth_is_found_late() -> None:
    real = wiggle(100)
    late = np.roll(real, 3)
    found = correlations(real, late, FPS)
    assert lags(FPS)[int(np.nanargmax(found))] == 3, "a positive lag is a mouth that comes late"
    assert found.max() == pytest.approx(1, abs=1e-9)
    assert found[len(found) // 2] == pytest.approx(np.corrcoef(real, late)[0, 1])


def test_the_scale_of_a_curve_does_not_matter_and_unseen_frames_are_left_out() -> None:
    real, made = wiggle(60), wiggle(60, seed=1)
    straight = correlations(real, made, FPS)
    assert correlations(real, 7 - 40 * made, FPS) == pytest.approx(-straight)
    made[5:9] = np.nan
    keep = np.isfinite(made)
    middle = correlations(real, made, FPS)[len(straight) // 2]
    assert middle == pytest.approx(np.corrcoef(real[keep], made[keep])[0, 1])


def test_still_mouths_follow_nothing_and_cannot_be_followed() -> None:
    trembling = STILL / 2 * np.sign(wiggle(50))
    assert (correlations(wiggle(50), trembling, FPS) == 0).all()
    assert np.isnan(correlations(trembling, wiggle(50), FPS)).all()
    assert np.isnan(correlations(wiggle(9), wiggle(9), FPS)).all(), "nine frames are too few to say"


def test_loudness_is_in_decibels_of_the_frame_and_has_a_floor() -> None:
    wave = np.zeros(RATE, np.float32)
    wave[640:1280] = 0.1
    loud = loudness(wave, RATE, FPS, 30)
    assert loud[1] == pytest.approx(-20, abs=1e-4)
    assert set(loud[2:]) == {-60.0}, "silence, also behind the end of the sound"
    assert padded(np.ones(3, np.float32), 5).tolist() == [1, 1, 1, 0, 0]
    assert looped(np.arange(3, dtype=np.float32), 5).tolist() == [0, 1, 2, 0, 1]


def test_blinks_are_short_and_deep() -> None:
    lids = np.full(500, 0.3)
    for start in (40, 130, 300):
        lids[start : start + 5] *= (0.8, 0.5, 0.4, 0.5, 0.8)
    lids[200:230] *= 0.5  # a look down
    lids[400] *= 0.85  # a tremble
    assert curves(wiggle(500), lids).blinks_per_minute() == pytest.approx(3 / 20 * 60)


def test_rest_is_a_closed_mouth_with_open_eyes() -> None:
    opening, lids = np.array([0.2, 0.1, 0.05, 0.0, np.nan]), np.array([0.3, 0.3, 0.3, 0.1, np.nan])
    assert curves(opening, lids).rest == 2


def test_curves_at_another_rate() -> None:
    opening = np.arange(60) / 100
    opening[30:33] = np.nan
    sampled = curves(opening, fps=Fraction(30)).at(FPS, 52)
    assert sampled.opening[:20] == pytest.approx(np.arange(20) * 1.2 / 100)
    assert np.flatnonzero(~sampled.detected).tolist() == [25, 26, 27, 50, 51], "the gap, and behind the end"


def test_ranges_of_the_head_in_degrees() -> None:
    rows = np.zeros((101, 70))
    rows[:, 65] = np.radians(np.linspace(-10, 10, 101))
    pitch, yaw, roll = curves_of(rows, FPS).turning()
    assert (pitch, yaw, roll) == (0, pytest.approx(18), 0), "90 % of 20 degrees"


@pytest.fixture(scope="module")
def puppet() -> LoadedModel:
    return assemble(Puppet.trained(), torch.device("cpu"), torch.float32, "")


def spoken(model: LoadedModel, **changes: object) -> Report:
    voice = model.plugin.voice()
    assert voice is not None
    settings = EvaluateSettings.model_validate({"max_frames": 30, **changes})
    return evaluate_talking(model, voice, open_store(SAMPLE, "test"), settings)


@needs_mesh
def test_the_motion_of_a_mouth_that_opens_with_loudness(puppet: LoadedModel, tmp_path: Path) -> None:
    report = spoken(puppet, rendered=False)
    rows = {row.method: row.over_identities for row in report.rows}
    own = [f"{name} (motion)" for name in ("Puppet", "untrained", "shuffled voices", "silence")]
    assert list(rows) == ["real", *own, "loudness", "loudness, smooth"]
    assert rows["Puppet (motion)"]["r0"] == pytest.approx(rows["loudness"]["r0"], abs=0.15)
    assert rows["Puppet (motion)"]["r0"] > 0.4 > rows["shuffled voices (motion)"]["r0"]
    assert rows["silence (motion)"]["opening_sd"] < 1e-6 < rows["Puppet (motion)"]["opening_sd"]
    assert math.isnan(rows["silence (motion)"]["r0"]), "there is nothing to follow"
    assert rows["real"]["yaw_deg"] > 3 and rows["Puppet (motion)"]["yaw_deg"] == 0
    assert "blinks/min" in report.table() and "largest at" in report.table()
    saved = json.loads(report.save_json(tmp_path / "talking.json").read_text())
    assert len(saved["facts"]["mean_correlation"]["lag_s"]) == 21


@needs_mesh
def test_what_is_drawn_is_measured_on_the_frames(puppet: LoadedModel) -> None:
    report = spoken(puppet, max_clips=1, max_frames=20)
    rows = {row.method: row.over_identities for row in report.rows}
    assert rows["Puppet"]["r0"] == 0, "the renderer draws the source again and again"
    assert rows["Puppet"]["opening_sd"] < STILL < rows["real"]["opening_sd"]
    assert rows["Puppet (motion)"]["r0"] != 0
    assert rows["Puppet"]["seen"] == 1


@needs_mesh
def test_a_model_of_coefficients_redraws_clips_by_their_own(puppet: LoadedModel) -> None:
    settings = EvaluateSettings(max_clips=1, max_frames=4, baselines=["repeat"])
    report = reconstruct(puppet, open_store(SAMPLE, "test"), settings)
    own, repeated = (row.over_clips["l1"] for row in report.rows)
    assert own == pytest.approx(repeated, abs=1e-6), "it repeats its source, the first frame"


@needs_mesh
def test_clips_without_sound_or_face_say_so(puppet: LoadedModel, tmp_path: Path) -> None:
    from talkingface.media.writer import open_writer

    with open_writer(tmp_path / "grey.mp4", fps=FPS) as writer:
        for _ in range(3):
            writer.write(np.full((64, 64, 3), 90, np.uint8))
    voice = puppet.plugin.voice()
    assert voice is not None
    with pytest.raises(DataError, match="no clip has sound"):
        evaluate_talking(puppet, voice, open_store(tmp_path), EvaluateSettings())
    with pytest.raises(DataError, match="no face"):
        reconstruct(puppet, open_store(tmp_path), EvaluateSettings())


def test_a_space_without_a_mesh_can_only_be_measured_on_pictures(puppet: LoadedModel) -> None:
    renderer, voice = puppet.renderer, puppet.plugin.voice()
    assert voice is not None
    space, renderer.space = renderer.space, "bfm"
    try:
        with pytest.raises(ConfigError, match="only be measured on what it draws"):
            evaluate_talking(puppet, voice, open_store(SAMPLE), EvaluateSettings(rendered=False))
    finally:
        renderer.space = space
