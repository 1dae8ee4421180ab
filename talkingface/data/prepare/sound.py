"""Step ``sound``: the sound of a clip as plain samples, so that any part of it is read at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...media.wave import open_wave
from ...models.samples import SAMPLE_RATE_HZ
from .files import whole
from .items import Clip
from .step import Made, Step

FULL_SCALE = 32767


@dataclass(frozen=True)
class ExtractSound(Step[Clip]):
    """Decodes the sound of a clip, on the clock of its pictures.

    Attributes:
        sounds: folder; the files go to its subfolders ``train`` and ``test``.
    """

    sounds: Path

    name = "sound"

    def inputs(self, item: Clip) -> list[Path]:
        return [item.path]

    def shaping(self) -> dict[str, Any]:
        return {"sample_rate_hz": SAMPLE_RATE_HZ}

    def target(self, item: Clip) -> Path:
        """Where the samples of a clip go: (n,) int16, mono."""
        return self.sounds / item.split / f"{item.name}.npy"

    def perform(self, item: Clip) -> Made:
        wave = open_wave(item.path, SAMPLE_RATE_HZ)
        samples = np.rint(np.clip(wave.samples, -1, 1) * FULL_SCALE).astype(np.int16)
        target = self.target(item)
        with whole(target) as part, part.open("wb") as file:
            np.save(file, samples, allow_pickle=False)
        return Made([target], {"samples": len(samples)})
