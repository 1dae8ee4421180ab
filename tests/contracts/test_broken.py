"""Faults of somebody's model: each is one AssertionError of `check_model` that says what is broken."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest
import torch

from talkingface.testing import check_model

LEFT_OUT = {
    "Drift.renderer": "the plug-in lacks renderer; talkingface.models.base says what each does",
    "Drift.name": "Drift has no name",
    "Drift.Config": "Drift has no Config",
    "Drift.inference_networks": "Drift has no inference_networks",
    "Drift.extractor": "the check 'builds' ended with ConfigError: Drift extracts no motion of its own",
    "DriftRenderer.takes": "DriftRenderer has no takes",
    "PointExtractor.takes": "PointExtractor has no takes",
    "PointExtractor.gives": "PointExtractor has no gives",
}
"""Attribute of the example's plug-in that is left out -> message."""

REPLACED: list[tuple[str, Callable[..., Any], str]] = [
    ("DriftRenderer.render", lambda self, state, motion: 255 * state[0].expand(len(motion), -1, -1, -1), "frames go"),
    ("DriftRenderer.render", lambda self, state, motion: state[0], r"frames are \(1, 3, 64, 64\)"),
    ("Drift.validate", lambda self, batch: None, "the check 'validation' ended with TypeError: .*None"),
    ("Drift.samples", lambda self: {"source": "randm"}, "the check 'gradients' ended with DataError: .*'randm'"),
    ("Drift._losses", lambda self, batch: torch.zeros(()), "the loss of drawing gives Tensor, not names and tensors"),
    ("Drift._losses", lambda self, batch: {"l1": torch.zeros((), requires_grad=True)}, "drawing does not reach finder"),
]
"""(method of the example's plug-in, what it does instead, message)."""


def class_of(dotted: str) -> tuple[type, str]:
    """The class of the example's plug-in that a dotted name begins with, and the rest of the name."""
    part, _, name = dotted.partition(".")
    return getattr(import_module("talkingface_drift.plugin"), part), name


@pytest.mark.parametrize(("dotted", "message"), LEFT_OUT.items(), ids=LEFT_OUT)
def test_an_attribute_that_is_left_out(monkeypatch: pytest.MonkeyPatch, dotted: str, message: str) -> None:
    part, name = class_of(dotted)
    monkeypatch.delattr(part, name)
    if getattr(getattr(part, name, None), "__isabstractmethod__", False):  # as if the class had been made without it
        monkeypatch.setattr(part, "__abstractmethods__", frozenset({name}))
    with pytest.raises(AssertionError, match=message):
        check_model("Drift", {"width": 8})


@pytest.mark.parametrize(("dotted", "method", "message"), REPLACED, ids=[name for name, *_ in REPLACED])
def test_a_method_that_does_something_else(
    monkeypatch: pytest.MonkeyPatch, dotted: str, method: Callable[..., Any], message: str
) -> None:
    monkeypatch.setattr(*class_of(dotted), method)
    with pytest.raises(AssertionError, match=message):
        check_model("Drift", {"width": 8})


def test_every_flag_reaches_the_plugin_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """The options of `retarget` are complete, so that a plug-in needs no defaults of its own."""
    part, name = class_of("Drift.retarget")
    given, retarget = [], getattr(part, name)

    def listen(self: Any, source: Any, driving: Any, options: Any) -> Any:
        given.append(set(options))
        return retarget(self, source, driving, options)

    monkeypatch.setattr(part, name, listen)
    check_model("Drift", {"width": 8})
    wanted = {"drift_strength", "relative", "adapt_scale", "best_frame", "find_best_frame", "expression_scale", "still"}
    assert given and all(wanted <= names for names in given)
