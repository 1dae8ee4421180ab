"""Where the files that ship with the toolkit are, in a clone and in an installed wheel."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
CLONE = PACKAGE.parent


def in_clone() -> bool:
    """Whether the package runs from a clone (with ``properties/`` beside it) rather than from a wheel."""
    return (CLONE / "properties" / "overall.yaml").is_file() and (CLONE / "run_talkingface.py").is_file()


def shipped(*parts: str) -> Path:
    """A file or folder that ships with the toolkit, such as ``shipped("properties", "overall.yaml")``."""
    return (CLONE if in_clone() else PACKAGE / "_shipped").joinpath(*parts)


def default_checkpoint_root() -> Path:
    """Where weights that the user adds are looked for: ``checkpoints/`` of the clone, or of the present folder."""
    return CLONE / "checkpoints" if in_clone() else Path("checkpoints")
