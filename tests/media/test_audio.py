"""Sound of any container as float32 samples at the rate wanted."""

import logging
from pathlib import Path

import numpy as np
import pytest
import soundfile

from talkingface.errors import MediaError
from talkingface.media.ffmpeg import address
from talkingface.media.image import write_image
from talkingface.media.sounds.audio import has_audio, read_audio

from .clips import ffmpeg, moving_picture, smooth_frames, with_sound


def tone(rate_hz: int, seconds: float = 1, hz: float = 440) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate_hz)) / rate_hz)


@pytest.mark.parametrize("rate_hz", [8000, 16000, 22050, 44100, 48000])
def test_resampling_keeps_pitch_level_and_length(tmp_path: Path, rate_hz: int) -> None:
    soundfile.write(tmp_path / "x.wav", tone(rate_hz), rate_hz)
    wave = read_audio(tmp_path / "x.wav")
    assert wave.dtype == np.float32 and abs(len(wave) - 16000) <= 1
    assert np.abs(wave[500:15500] - tone(16000)[500:15500]).max() < 2e-3


def test_channels_are_averaged(tmp_path: Path) -> None:
    stereo = np.stack([tone(16000), np.zeros(16000)], axis=1)
    soundfile.write(tmp_path / "x.wav", stereo, 16000, subtype="FLOAT")
    assert np.abs(read_audio(tmp_path / "x.wav") - stereo.mean(1)).max() < 1e-4


@pytest.mark.parametrize("ending", ["mp3", "m4a", "flac", "ogg", "mp4", "mkv"])
def test_containers(tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"-a 'b' %d ü.{ending}"
    ffmpeg("-f", "lavfi", "-i", "sine=440:sample_rate=48000:duration=1", "-ac", "2", address(file))
    wave = read_audio(file)
    assert abs(len(wave) / 16000 - 1) < 0.06
    spectrum = np.abs(np.fft.rfft(wave[:16000] * np.hanning(len(wave[:16000]))))
    assert abs(spectrum.argmax() * 16000 / len(wave[:16000]) - 440) < 2


def test_samples_that_are_no_numbers_become_silence(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    wave = tone(44100).astype(np.float32)
    wave[1000], wave[2000:2010] = np.nan, np.inf
    soundfile.write(tmp_path / "x.wav", wave, 44100, subtype="FLOAT")
    with caplog.at_level(logging.WARNING):
        read = read_audio(tmp_path / "x.wav")
    assert np.isfinite(read).all() and abs(np.abs(read).max() - 0.5) < 0.2
    assert "11 samples" in caplog.text


def test_what_has_no_sound_says_so(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "none.wav", np.zeros(0), 16000)
    moving_picture(tmp_path / "silent.mp4", seconds=0.2)
    (tmp_path / "text.wav").write_text("not sound")
    (tmp_path / "empty.wav").touch()
    for name, words in {
        "none.wav": "no samples",
        "silent.mp4": "no sound",
        "text.wav": "not a video or sound",
        "empty.wav": "empty",
    }.items():
        with pytest.raises(MediaError, match=words) as caught:
            read_audio(tmp_path / name)
        assert "\n" not in str(caught.value)


def test_has_audio(tmp_path: Path) -> None:
    assert has_audio(with_sound(tmp_path / "x.mp4"))
    assert not has_audio(moving_picture(tmp_path / "y.mp4", seconds=0.2))
    assert not has_audio(tmp_path)
    assert not has_audio(write_image(tmp_path / "x.png", smooth_frames(1)[0]))
