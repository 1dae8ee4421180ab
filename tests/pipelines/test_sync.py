"""Sound and pictures of a voice-driven video, measured on the written file; the hour is in benchmarks/voice_sync.py."""

from __future__ import annotations

from fractions import Fraction
from math import ceil
from pathlib import Path

import numpy as np
import pytest

from benchmarks.voice_sync import FIRST_S, VOICE_FPS, measure, write_beeps
from talkingface.media.probe import probe
from talkingface.media.sounds.audio import read_audio
from talkingface.pipelines.animate import animate

EVERY = 6


@pytest.mark.parametrize("fps", [Fraction(25), Fraction(30000, 1001)])
def test_beeps_and_flashes_stay_together(tmp_path: Path, fps: Fraction) -> None:
    sync = measure(write_beeps(tmp_path / "beeps.wav", 30, EVERY), tmp_path / "result.mp4", fps)
    begins = [FIRST_S + EVERY * beep for beep in range(5)]
    # Between two of the voice's frames the lamp glows half-way: it counts as lit from half a frame before the beep.
    shown = [ceil((begin - Fraction(1, 2) / VOICE_FPS) * fps) / fps for begin in begins]
    assert sync.beeps == pytest.approx(np.array(begins, float), abs=0.003)
    # The file counts time in 1/1000 s or finer; a rate of 30 in place of 29.97 would be 0.024 s off at the last beep.
    assert sync.flashes == pytest.approx(np.array(shown, float), abs=0.002)
    assert sync.length_s == pytest.approx((30, 30), abs=float(1 / fps))


@pytest.mark.parametrize("ending", [".mp4", ".webm", ".gif", ".webp"])
@pytest.mark.parametrize("fps", [5, 10, 30])
def test_a_video_at_another_rate_lasts_as_long(make, clips, tmp_path: Path, ending: str, fps: int) -> None:
    own = probe(clips / "talk.mp4")
    result = animate(make(fps=Fraction(fps), output=tmp_path / f"x{ending}"))
    assert result.frames == pytest.approx(float(own.duration_s * fps), abs=0.51)
    info = probe(result.path)
    assert (info.frames, info.fps) == (result.frames, fps) and abs(info.duration_s - own.duration_s) <= Fraction(1, fps)
    if ending in (".mp4", ".webm"):
        heard, given = (read_audio(path)[: int(16000 * info.duration_s)] for path in (result.path, clips / "talk.mp4"))
        assert abs(len(heard) - len(given)) <= 16000 / fps
        both = min(len(heard), len(given))
        assert np.corrcoef(heard[:both], given[:both])[0, 1] > 0.9
