"""Fixtures of the pipeline tests, over the small real parts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from talkingface.config import Settings, settings_from

from .small import make_clips, save_tiny_weights


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_weights(tmp_path_factory.mktemp("weights") / "tiny.safetensors")


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clips(tmp_path_factory.mktemp("clips with spaces, ünïcode"))


@pytest.fixture
def make(weights: Path, clips: Path, tmp_path: Path) -> Callable[..., Settings]:
    """Settings of a run with the tiny model: source.png, driven by talk.mp4, to a new file, without a face finder; None
    leaves one out."""

    def settings(**changes: object) -> Settings:
        values = {
            "model": "FOM",
            "checkpoint": str(weights),
            "device": "cpu",
            "precision": "float32",
            "landmarks": "none",
            "image_source": clips / "source.png",
            "video_source": clips / "talk.mp4",
            "output": tmp_path / "result.mp4",
        }
        return settings_from({key: value for key, value in (values | changes).items() if value is not None})

    return settings
