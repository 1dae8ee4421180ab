"""Blink, speak and raise the brows of a front view."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .eyes import blink_eye
from .face import Array, Face
from .mouth import part_lips, purse_lips


@dataclass(frozen=True)
class Expression:
    """Expression of the face.

    Attributes:
        jaw: 0 lips closed, 1 mouth wide open.
        rounding: 0 the width of the front view, 1 lips drawn together as for "oo".
        blink: 0 eyes as in the front view, 1 closed.
        brows: height, 1 well raised.
    """

    jaw: float = 0.3
    rounding: float = 0.2
    blink: float = 0.0
    brows: float = 0.0


def express(face: Face, expression: Expression) -> Array:
    """The (512, 512, 3) front view with an expression, [0, 1]."""
    image = face.image.astype(np.float64)
    for eye in face.eyes:
        image = blink_eye(image, face, eye, expression.blink, expression.brows)
    image = part_lips(image, face, expression.jaw)
    return np.clip(purse_lips(image, face, expression.rounding), 0, 1)
