"""Drift keeps the contract of all models. Run with: python -m pytest examples/drift/tests"""

from talkingface.testing import check_model


def test_keeps_the_contract() -> None:
    check_model("Drift", {"width": 8})
