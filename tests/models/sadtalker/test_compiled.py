"""Compiling the renderer: when it is done, that it changes nothing, and that a failure costs nothing but speed."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import torch
from torch import Tensor

from talkingface.models.sadtalker.renderer import WORTH_FRAMES, CompiledGenerator, decide

CPU, GPU = torch.device("cpu"), torch.device("cuda")


class Waves:
    """The part of a generator that is compiled."""

    volume = (2, 4)

    def decode(self, state: Tensor, kp_source: Tensor, kp_driving: Tensor) -> Tensor:
        return (state + kp_driving.sum(dim=(1, 2))[:, None, None, None] - kp_source.sum()).sin()


@pytest.mark.parametrize(
    ("wish", "frames", "precision", "device", "compiles", "words"),
    [
        ("auto", WORTH_FRAMES, torch.bfloat16, CPU, True, "about a minute"),
        ("auto", WORTH_FRAMES - 1, torch.bfloat16, CPU, False, "drawn sooner without"),
        ("auto", 10_000, torch.float32, CPU, False, ""),
        ("auto", 10_000, torch.bfloat16, GPU, False, ""),
        ("off", 10_000, torch.bfloat16, CPU, False, ""),
        ("on", 1, torch.float32, CPU, True, "about a minute"),
    ],
)
def test_the_length_of_the_clip_decides(
    wish: str, frames: int, precision: torch.dtype, device: torch.device, compiles: bool, words: str
) -> None:
    found, note = decide(wish, frames, precision, device)
    assert found == compiles and words in note and bool(note) == bool(words)


def test_without_a_compiler_it_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    found, note = decide("on", 10_000, torch.bfloat16, CPU)
    assert not found and "no C++ compiler (no-such-compiler)" in note


def test_compiled_frames_are_the_same_for_any_number_of_them() -> None:
    plain = Waves()
    fast = CompiledGenerator(plain, "aot_eager")  # all but the machine code, which takes a minute
    state, source, driving = torch.rand(1, 3, 8, 8), torch.rand(1, 4, 3), torch.rand(5, 4, 3)
    with torch.inference_mode():
        for part in (driving, driving[:2]):
            assert torch.allclose(fast.decode(state, source, part), plain.decode(state, source, part), atol=1e-6)
    assert fast.volume == plain.volume


def broken(*_: Any) -> Any:
    raise RuntimeError("the compiler fell over\nat great length")


def test_a_failure_is_told_once_and_drawn_without(caplog: pytest.LogCaptureFixture) -> None:
    plain = Waves()
    fast = CompiledGenerator(plain, broken)
    state, source, driving = torch.rand(1, 3, 8, 9), torch.rand(1, 4, 3), torch.rand(3, 4, 3)
    with caplog.at_level(logging.WARNING, logger="talkingface"), torch.inference_mode():
        for _ in range(2):
            assert torch.equal(fast.decode(state, source, driving), plain.decode(state, source, driving))
    warnings = [record.getMessage() for record in caplog.records if record.name == "talkingface"]
    assert len(warnings) == 1 and warnings[0].startswith("the renderer cannot be compiled") and "\n" not in warnings[0]
