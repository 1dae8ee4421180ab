"""Contract of every registered model, as `talkingface.testing` says it. small.py says how each of ours is built."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from talkingface import registry
from talkingface.testing import CHECKS, SmallModel, check_variants

from .small import MIXED, SMALL

OF_A_MODEL = {name: check for name, check in CHECKS.items() if check is not check_variants}


@pytest.mark.parametrize("check", OF_A_MODEL.values(), ids=OF_A_MODEL)
@pytest.mark.parametrize("small", SMALL, ids=lambda small: f"{small.model}-{small.label}")
def test_keeps_the_contract(small: SmallModel, check: Callable[[SmallModel], None]) -> None:
    check(small)


@pytest.mark.parametrize("name", [name for name in OF_A_MODEL if name != "rests"])
def test_mixed_keypoints_keep_the_rest_of_it(name: str) -> None:
    OF_A_MODEL[name](MIXED)


@pytest.mark.parametrize("model", sorted({small.model for small in SMALL}))
def test_each_variant_says_everything(model: str) -> None:
    builds = [small for small in SMALL if small.model == model]
    check_variants(builds[0], [small.may_default for small in builds])


def test_every_model_of_ours_has_a_small_build() -> None:
    ours = {name for name in registry.models() if registry.entry(name).plugin.startswith("talkingface.")}
    assert ours <= {small.model for small in SMALL}, "add it to tests/contracts/small.py"
