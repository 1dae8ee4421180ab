"""Clips of a data set that an evaluation takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from ...data.store import Clip
from ..settings import EvaluateSettings


def chosen_clips(clips: Iterable[Clip], settings: EvaluateSettings) -> list[Clip]:
    """The first clips of each person, then the first of those, as ``clips_per_person`` and ``max_clips`` say."""
    most, taken, chosen = settings.clips_per_person, Counter[str](), []
    for clip in clips:
        taken[clip.identity] += 1
        if most is None or taken[clip.identity] <= most:
            chosen.append(clip)
    return chosen[: settings.max_clips]
