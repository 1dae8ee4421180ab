"""Small real parts: a FOM with seeded random weights, a moving clip with sound, a few pictures."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import soundfile
import torch
from torch import nn

from talkingface.media.image import write_image
from talkingface.media.writer import open_writer
from talkingface.models.fom.config import FOMConfig
from talkingface.models.fom.plugin import FOM
from talkingface.weights.load import save_networks

SIDE = 64
FRAMES = 11
TINY = {
    "image_size": SIDE,
    "common_params": {"num_kp": 4},
    "kp_detector_params": {"block_expansion": 8, "max_features": 16, "num_blocks": 2},
    "generator_params": {
        "block_expansion": 8,
        "max_features": 16,
        "num_bottleneck_blocks": 1,
        "dense_motion_params": {"block_expansion": 8, "max_features": 16, "num_blocks": 2},
    },
}


def picture(shift: int, height: int = 80, width: int = 100) -> np.ndarray:
    """A bright disc on a ramp of colours, (height, width, 3); the disc lies ``shift`` pixels right of the middle."""
    y, x = np.mgrid[:height, :width]
    ramp = np.stack([x * 255 // width, y * 255 // height, (x + y) % 256], axis=-1)
    disc = (x - width // 2 - shift) ** 2 + (y - height // 2) ** 2 < (height // 4) ** 2
    return np.where(disc[..., None], [250, 200, 160], ramp).astype(np.uint8)


def save_tiny_weights(path: Path) -> Path:
    """A weight file of a tiny FOM, in the layout of the shipped ones."""
    config = FOMConfig.model_validate(TINY)
    plugin = FOM(config)
    strengthen(plugin.networks)
    states = {name: plugin.networks[name].state_dict() for name in plugin.inference_networks}
    metadata = {"format": "talkingface/1", "model": "FOM", "variant": "tiny", "config": config.model_dump_json()}
    save_networks(path, states, metadata)
    return path


def strengthen(networks: nn.Module) -> None:
    """Seeded weights large enough that different pictures lead to visibly different results, not all to grey."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for weight in networks.parameters():
            if weight.dim() == 4:
                weight.copy_(torch.randn(weight.shape, generator=generator) * (3.0 / weight[0].numel()) ** 0.5)


def make_clips(folder: Path) -> Path:
    """Fill a folder: source.png, talk.mp4 (11 frames at 30000/1001, sound), silent.mp4, voice.wav, frames, portraits.

    One of the three portraits is broken.
    """
    tone = np.sin(np.arange(16000) * 2 * np.pi * 440 / 16000).astype(np.float32) * 0.5
    soundfile.write(folder / "voice.wav", tone, 16000)
    write_image(folder / "source.png", picture(0)[:, ::-1])
    for name, sound in (("talk.mp4", folder / "voice.wav"), ("silent.mp4", None), ("frames", None)):
        with open_writer(folder / name, fps=Fraction(30000, 1001), audio=sound) as writer:
            for frame in range(FRAMES):
                writer.write(picture(2 * frame))
    for name in ("a.png", "b.png"):
        write_image(folder / "portraits" / name, picture(5)[::-1])
    (folder / "portraits" / "broken.png").write_bytes(b"no picture at all")
    return folder
