"""Learning rate as a pure function of the step, so that nothing of it has to be saved."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .settings import TrainSettings


def factor(settings: TrainSettings, step: int, total: int, epoch_steps: int, milestones: Sequence[int] = ()) -> float:
    """What the learning rate is multiplied with in a step.

    Args:
        settings: names the schedule.
        step: number of the step, from 0.
        total: steps of the whole training.
        epoch_steps: steps of an epoch.
        milestones: the model's own, in epochs; those of the settings go first.
    """
    warm = min(1.0, (step + 1) / (settings.warmup_steps + 1))
    if settings.schedule == "cosine":
        done = max(0, step - settings.warmup_steps) / max(1, total - settings.warmup_steps)
        return warm * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
    if settings.schedule == "milestones":
        passed = milestones if settings.milestones is None else settings.milestones
        return warm * 0.1 ** sum(step >= epoch * epoch_steps for epoch in passed)
    return warm
