"""Changes of voices for training: they stay voices, follow torch's random numbers, and pauses close the lips."""

from __future__ import annotations

import torch

from talkingface.models.sadtalker.config import ExpressionTrain, SadTalkerConfig
from talkingface.models.sadtalker.training.expression import ExpressionObjective, ExpressionShape
from talkingface.models.sadtalker.training.sound import another_voice, with_pauses


def test_another_voice_is_a_voice_and_follows_the_seed() -> None:
    windows = torch.rand(3, 5, 80, 16) * 4 - 2
    torch.manual_seed(1)
    first = another_voice(windows)
    torch.manual_seed(1)
    same = another_voice(windows)
    assert first.shape == windows.shape and first.abs().max() <= 4
    assert torch.equal(first, same) and not torch.equal(first, another_voice(windows))
    assert not torch.equal(first, windows)


def test_a_pause_is_silent_and_has_soft_ends() -> None:
    torch.manual_seed(0)
    paused = with_pauses(torch.full((8, 64, 80, 16), 2.0), part=1.0)
    inside = paused.shares[..., 0] > 0.99
    assert inside.any(dim=1).all()
    assert paused.windows[inside].max() < -1.5
    assert ((paused.shares > 0.01) & (paused.shares < 0.99)).any()
    untouched = with_pauses(torch.ones(4, 64, 80, 16), part=0.0)
    assert untouched.shares.max() == 0 and torch.equal(untouched.windows, torch.ones(4, 64, 80, 16))


def test_lips_are_closed_in_pauses_and_eyes_are_left_alone() -> None:
    torch.manual_seed(0)
    train = ExpressionTrain(pauses=1.0)
    objective = ExpressionObjective(torch.nn.ModuleDict(), train, SadTalkerConfig(trained_in="mesh").space)
    shape = ExpressionShape()
    talking = torch.zeros(2, 64, 64)
    talking[:, ::2, 0] = 1.5
    if shape.lips(talking[0, 0]) < shape.lips(talking[0, 1]):
        talking[:, ::2, 0] = -1.5
    rest = torch.zeros(2, 1, 64)
    windows, wanted = objective._varied(torch.ones(2, 64, 80, 16), talking, rest.expand(-1, 64, -1))
    silent = (windows.amax(dim=(2, 3)) < 0).float()
    inner = torch.nn.functional.avg_pool1d(silent[:, None], 9, 1, 4)[:, 0] > 0.999
    assert inner.any()
    assert shape.lips(wanted)[inner].std() < 0.1 * shape.lips(talking).std()
    assert (shape.lids(wanted) - shape.lids(talking)).abs().max() < 0.15 * shape.awake
