"""Cepstra of speech against python_speech_features, and by hand for one window."""

from __future__ import annotations

import numpy as np
import pytest

from talkingface.media.sounds.audio import read_audio
from talkingface.media.sounds.cepstra import RATE_HZ, cepstra, mel_bands
from talkingface.paths import shipped


def test_the_bands_are_triangles_over_neighbouring_edges() -> None:
    bands = mel_bands()
    assert bands.shape == (26, 257) and bands.min() == 0 and bands.max() == 1
    assert (bands.argmax(axis=1)[1:] > bands.argmax(axis=1)[:-1]).all()


def test_one_window_by_hand() -> None:
    wave = 0.3 * np.sin(2 * np.pi * 440 / RATE_HZ * np.arange(400)).astype(np.float32)
    sound = np.round(wave.astype(float) * 32768)
    sharp = np.concatenate([sound[:1], sound[1:] - 0.97 * sound[:-1]])
    turns = np.exp(-2j * np.pi * np.outer(np.arange(257), np.arange(400)) / 512)
    power = np.abs(turns @ sharp) ** 2 / 512
    logs = np.log(mel_bands() @ power)
    order, band = np.arange(13)[:, None], np.arange(26)[None]
    expected = (np.cos(np.pi * order * (2 * band + 1) / 52) @ logs) * np.sqrt(2 / 26)
    expected *= 1 + 11 * np.sin(np.pi * np.arange(13) / 22)
    expected[0] = np.log(power.sum())
    np.testing.assert_allclose(cepstra(wave)[:, 0], expected, rtol=1e-7)


def test_they_agree_with_python_speech_features() -> None:
    mfcc = pytest.importorskip("python_speech_features").mfcc
    wave = read_audio(shipped("dataset", "sample") / "driving.mp4", RATE_HZ)[:20001]
    expected = mfcc(np.round(wave.astype(float) * 32768), RATE_HZ)
    np.testing.assert_allclose(cepstra(wave), expected.T, rtol=1e-6, atol=1e-6)


def test_columns_are_a_hundred_a_second_and_a_short_sound_has_one() -> None:
    assert cepstra(np.zeros(16000, np.float32)).shape == (13, 99)
    assert cepstra(np.zeros(100, np.float32)).shape == (13, 1)
