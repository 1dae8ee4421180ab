"""Lips against the voice: closures and openness on paper, and on real clips with the right sound and wrong ones."""

from __future__ import annotations

import csv
import math
import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from talkingface.evaluation.measure import Measures
from talkingface.evaluation.metric import ClipFacts, MetricTools, problem_of
from talkingface.evaluation.metrics.lips import LATE_S, PRESSED, Heard, closures, hear, recogniser
from talkingface.evaluation.talking_curves import correlations, lags
from talkingface.media.sounds.audio import read_audio
from talkingface.media.video import open_video
from talkingface.pipelines.frames import to_tensor
from talkingface.plugins import METRICS

NAMES = ("closures", "sync_r", "sync_lag")
FPS = Fraction(25)
TOKENS = ("m", "a", "f", "s", "blank")
Floats = NDArray[np.float64]


def said(*spikes: tuple[float, str], seconds: float = 4) -> Heard:
    """A voice that is all blank but for two steps at each of the moments."""
    probabilities = np.zeros((round(seconds * 50), len(TOKENS)))
    probabilities[:, -1] = 1
    for moment, token in spikes:
        place = round(moment * 50)
        probabilities[place : place + 2] = np.eye(len(TOKENS))[TOKENS.index(token)]
    return Heard(probabilities, TOKENS)


def test_a_phoneme_counts_once_and_earlier_than_it_is_heard() -> None:
    voice = said((1.0, "m"), (2.0, "a"), (3.0, "m"))
    assert voice.times(PRESSED).tolist() == pytest.approx([1.0 - LATE_S, 3.0 - LATE_S])


def test_closures_are_counted_within_a_frame() -> None:
    opening = np.ones(100)
    opening[::10] = 0
    opening[[33, 55]] = 0.1, 0.3  # the first one is a closure
    times = np.array([20, 31, 34, 55, 75]) / 25
    assert closures(opening, 25, times) == pytest.approx(3 / 5)
    opening[[9, 10, 11]] = np.nan
    assert closures(opening, 25, np.array([10, 20]) / 25) == 1.0
    assert math.isnan(closures(opening, 25, np.zeros(0)))
    assert closures(np.full(100, 0.2), 25, times) == 0.0
    assert math.isnan(closures(np.full(100, np.nan), 25, times))


def test_the_voice_asks_for_an_open_mouth_at_wide_vowels_and_a_late_one_is_told() -> None:
    voice = said((0.5, "a"), (1.0, "m"), (1.4, "s"), (2.0, "a"), (2.3, "f"), (3.0, "a"))
    asked = voice.opening(25, 100)
    assert asked[round((2.01 - LATE_S) * 25)] > 0.1 and asked[round((1.01 - LATE_S) * 25)] < -0.1
    assert abs(asked[round(1.4 * 25)]) < 0.02
    late = np.roll(asked, 3)
    assert lags(FPS)[int(np.nanargmax(correlations(asked, late, FPS)))] == 3


def clips_with_sound() -> Path:
    root = Path(os.environ.get("TALKINGFACE_SHARED", Path(__file__).parents[3] / "shared")) / "data" / "clips"
    if not (root / "clips.csv").is_file():
        pytest.skip("the shared clips are not here (TALKINGFACE_SHARED)")
    for name in NAMES:
        if (problem := problem_of(name, METRICS.get(name), MetricTools())) is not None:
            pytest.skip(str(problem))
    return root


def test_the_right_sound_fits_and_others_do_not(tmp_path: Path) -> None:
    root = clips_with_sound()
    path, fps = root / "val" / "id237_01.mp4", Fraction(24000, 1001)
    sound = read_audio(path, 16000)
    late = tmp_path / "late.wav"
    soundfile.write(late, np.concatenate([np.zeros(4800, np.float32), sound[:-4800]]), 16000)
    with open_video(path, size=(256, 256), square=True) as video:
        frames = to_tensor(list(video), "cpu")
    found = []
    for made in (None, late, root / "val" / "id239_04.mp4"):
        measures = Measures({name: METRICS.get(name) for name in NAMES}, MetricTools())
        measures.begin(ClipFacts(fps, frames[:1], path, made))
        measures.update(frames, frames)
        found.append(measures.finish()[0])
    right, shifted, other = found
    assert right["sync_r"] > 0.4 and shifted["sync_r"] < 0.1
    assert other["sync_r"] < right["sync_r"] - 0.1, "some agreement comes by chance in four seconds"
    assert right["sync_lag"] <= 2 and shifted["sync_lag"] >= 6
    assert right["closures"] > 0.8 > shifted["closures"]


def test_long_sounds_are_heard_in_pieces_and_silence_is_not() -> None:
    root = clips_with_sound()
    tools = MetricTools()
    by = recogniser(tools)
    with (root / "clips.csv").open(encoding="utf-8") as file:
        name = max((row for row in csv.DictReader(file) if row["split"] == "val"), key=lambda r: float(r["seconds"]))
    sound = np.tile(read_audio(root / name["file"], 16000), 3)[: 25 * 16000]
    heard = hear(sound, by, tools.device)
    assert heard is not None and heard.probabilities.shape == (1251, 191)
    assert np.allclose(heard.probabilities.sum(axis=1), 1, atol=1e-4)
    assert hear(np.zeros(16000, np.float32), by, tools.device) is None
    assert hear(sound[:1000], by, tools.device) is None
