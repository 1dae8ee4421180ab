"""Sound in a memory-mapped file: the same numbers as when read at once, with the timing of the result."""

from __future__ import annotations

import os
import tempfile
import threading
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile

from talkingface.errors import MediaError
from talkingface.media.ffmpeg import address
from talkingface.media.sounds.audio import read_audio
from talkingface.media.sounds.buffer import open_audio
from talkingface.media.writer import open_writer

from .clips import ffmpeg


@pytest.fixture
def noise(tmp_path: Path) -> Path:
    """Three seconds of stereo noise at 44.1 kHz."""
    samples = np.random.default_rng(0).normal(0, 0.1, (3 * 44100, 2)).astype(np.float32)
    soundfile.write(tmp_path / "noise.wav", samples, 44100, subtype="FLOAT")
    return tmp_path / "noise.wav"


def test_block_by_block_gives_the_numbers_of_the_whole(noise):
    wave = open_audio(noise, 16000)
    np.testing.assert_allclose(wave.samples, read_audio(noise), atol=1e-6)
    assert wave.notes == ()


def test_released_samples_are_read_again(noise):
    wave = open_audio(noise, 16000)
    before = wave.samples.copy()
    threads = threading.active_count()
    with wave.release_pages():
        for _ in range(20):
            np.testing.assert_array_equal(wave.samples, before)
    np.testing.assert_array_equal(wave.samples, before)
    assert threading.active_count() == threads


@pytest.mark.skipif(os.name == "nt", reason="an open file has a name there")
def test_its_file_has_no_name(noise, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "here"))
    wave = open_audio(noise, 16000)
    assert len(wave.samples) == 48000 and list((tmp_path / "here").iterdir()) == []


def test_the_sound_of_a_video_keeps_its_place_to_the_pictures(noise, tmp_path):
    """A sound that starts late begins with silence, as it does in a result."""
    with open_writer(tmp_path / "clip.mp4", fps=Fraction(25), audio=noise, audio_start_s=-1.0) as writer:
        for _ in range(50):
            writer.write(np.zeros((16, 16, 3), np.uint8))
    wave = open_audio(tmp_path / "clip.mp4", 16000)
    assert np.abs(wave.samples[:15000]).max() < 0.01 < np.abs(wave.samples[16500:20000]).max()


def test_sounds_that_need_a_note(tmp_path):
    rate, wave = 16000, np.full(16000, 0.5, np.float32)
    odd, loud = wave.copy(), wave.copy()
    odd[7], loud[:400] = np.nan, 1.0
    for name, samples in (("silent", wave * 0), ("odd", odd), ("loud", loud)):
        soundfile.write(tmp_path / f"{name}.wav", samples, rate, subtype="FLOAT")
    assert "silent" in open_audio(tmp_path / "silent.wav", rate).notes[0]
    assert "1 samples are no numbers" in open_audio(tmp_path / "odd.wav", rate).notes[0]
    assert "2% of the sound is clipped" in open_audio(tmp_path / "loud.wav", rate).notes[0]


def test_no_samples_and_no_room_are_one_line(noise, tmp_path, monkeypatch):
    soundfile.write(tmp_path / "empty.wav", np.zeros(0, np.float32), 16000)
    with pytest.raises(MediaError, match="no samples"):
        open_audio(tmp_path / "empty.wav", 16000)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent"))
    with pytest.raises(MediaError, match="absent"):
        open_audio(noise, 16000)


def test_a_rate_that_changes_on_the_way_adds_no_silence(tmp_path):
    """Neither for the networks nor in the result; a broken header may announce such a change."""
    parts = []
    for rate in (44100, 32000):
        parts.append(tmp_path / f"{rate}.mp3")
        plain = ["-c:a", "libmp3lame", "-write_xing", "0", "-id3v2_version", "0"]
        ffmpeg("-f", "lavfi", "-i", f"sine=440:sample_rate={rate}:duration=1", *plain, address(parts[-1]))
    sound = tmp_path / "changing.mp3"
    sound.write_bytes(b"".join(part.read_bytes() for part in parts))
    with open_writer(tmp_path / "clip.mp4", fps=Fraction(25), audio=sound, audio_duration_s=2) as writer:
        for _ in range(50):
            writer.write(np.zeros((16, 16, 3), np.uint8))
    for path in (sound, tmp_path / "clip.mp4"):
        samples = open_audio(path, 16000).samples
        loud = np.abs(samples[: len(samples) // 160 * 160]).reshape(-1, 160).max(1) > 0.02
        assert abs(len(samples) / 16000 - 2.05) < 0.15
        assert loud[10:190].mean() > 0.95
