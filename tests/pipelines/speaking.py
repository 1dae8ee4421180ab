"""Fixtures for runs with the puppet: a model of coefficients that speaks, moved by faces that the mesh really finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from talkingface import plugins, registry
from talkingface.config import Settings, settings_from
from talkingface.face.detect.analyser import problem_of
from talkingface.media.video import open_video
from talkingface.media.writer import open_writer
from talkingface.paths import CLONE, default_checkpoint_root
from talkingface.weights.load import save_networks

SAMPLE = CLONE / "dataset" / "sample"
RATE_HZ = 16000

needs_mesh = pytest.mark.skipif(
    problem_of("mesh", default_checkpoint_root()) is not None, reason="the face mesh is not installed or fetched"
)


@pytest.fixture
def puppet(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make the puppet known through an entry point, as an installed package does."""
    site = tmp_path_factory.mktemp("site")
    info = site / "puppet-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: puppet\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{registry.GROUP}]\nPuppet = pipelines.puppet:ENTRY\n")
    monkeypatch.syspath_prepend(str(site))
    plugins.forget()
    yield
    plugins.forget()


def save_puppet(path: Path, **config: Any) -> Path:
    """A weight file of the puppet; the same numbers for the same settings."""
    from .puppet.plugin import Puppet, PuppetConfig

    plugin = Puppet(PuppetConfig(**config))
    states = {name: plugin.networks[name].state_dict() for name in plugin.inference_networks}
    notes = {"format": "talkingface/1", "model": "Puppet", "variant": "tiny"}
    save_networks(path, states, {**notes, "config": plugin.config.model_dump_json()})
    return path


@pytest.fixture
def say(puppet: None, tmp_path: Path) -> Callable[..., Settings]:
    """Settings of a run: the shipped portrait says half a second of a voice; None leaves one out."""
    weights = save_puppet(tmp_path / "puppet.safetensors")
    write_voice(tmp_path / "voice.wav", 0.5)

    def settings(**changes: object) -> Settings:
        values = {
            "model": "Puppet",
            "checkpoint": str(weights),
            "device": "cpu",
            "threads": 1,
            "image_source": SAMPLE / "source.png",
            "audio_path": tmp_path / "voice.wav",
            "output": tmp_path / "result",
            "audio": "none",
        }
        return settings_from({key: value for key, value in (values | changes).items() if value is not None})

    return settings


@pytest.fixture(scope="session")
def talker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first eight frames of the shipped clip, as a folder."""
    folder = tmp_path_factory.mktemp("talker") / "frames"
    with open_video(SAMPLE / "driving.mp4", frame_limit=8) as reader, open_writer(folder, fps=Fraction(25)) as writer:
        for frame in reader:
            writer.write(frame)
    return folder


def write_voice(path: Path, seconds: float, rate_hz: int = RATE_HZ, channels: int = 1, **options: Any) -> Path:
    """Syllables: a buzz of 120 Hz that comes and goes four times a second."""
    time = np.arange(round(seconds * rate_hz)) / rate_hz
    buzz = sum(np.sin(2 * np.pi * 120 * tone * time) / tone for tone in range(1, 20))
    wave = (0.3 * buzz * np.sin(2 * np.pi * 2 * time) ** 2).astype(np.float32)
    soundfile.write(path, np.repeat(wave[:, None], channels, 1), rate_hz, **options)
    return path


def frames_of(path: Path) -> np.ndarray:
    """(T, H, W, 3), int."""
    with open_video(path) as reader:
        return np.stack(list(reader)).astype(int)


def rows_of(path: Path) -> torch.Tensor:
    """Coefficients of a motion file."""
    from talkingface.motion.file import load_motion

    return load_motion(path).values["coefficients"]
