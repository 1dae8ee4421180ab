"""Kinds and spaces of motions: which of them are drawn alike. No torch here."""

from __future__ import annotations

from ..errors import MotionError

COEFFICIENTS_KIND = "3dmm"


def of_coefficients(kind: str) -> bool:
    """True where a kind of motion is one of face coefficients, which are found in the same way for all models."""
    return kind.startswith(f"{COEFFICIENTS_KIND}.")


def check_drawn(kind: str, space: str, takes: str | None, drawn: str | None, where: object) -> None:
    """Refuse a motion that is not drawn.

    Args:
        kind, space: of the motion.
        takes, drawn: kind and space that are drawn; None where they are not known yet.

    Raises:
        MotionError: it is of another kind, or its numbers mean something else.
    """
    alike = takes is None or kind == takes or (of_coefficients(kind) and of_coefficients(takes))
    if not alike:
        raise MotionError(
            f"holds a motion of kind '{kind}', and this model draws '{takes}'",
            where=where,
            cure="Choose the --model and --checkpoint that it was made with.",
        )
    if drawn is not None and space != drawn:
        raise MotionError(
            f"its numbers are of the space '{space}', and these weights draw '{drawn}'",
            where=where,
            cure="Choose the --checkpoint that it was made with, or make it again from the video.",
        )
