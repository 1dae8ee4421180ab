"""Paths of the files that ship with the toolkit, in a clone and in an installed wheel."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
CLONE = PACKAGE.parent


def in_clone() -> bool:
    """True if the package runs from a clone (with ``properties/`` beside it), False for an installed wheel."""
    return (CLONE / "properties" / "overall.yaml").is_file() and (CLONE / "run_talkingface.py").is_file()


def shipped(*parts: str) -> Path:
    """Path of a file or folder that ships with the toolkit, such as ``shipped("properties", "overall.yaml")``."""
    return (CLONE if in_clone() else PACKAGE / "_shipped").joinpath(*parts)


def default_checkpoint_root() -> Path:
    """Default folder of the weights that the user adds: ``checkpoints/`` of the clone, or of the current folder."""
    return CLONE / "checkpoints" if in_clone() else Path("checkpoints")
