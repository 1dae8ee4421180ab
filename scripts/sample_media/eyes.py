"""Lids and brows. All lengths are fractions of the face's width."""

from __future__ import annotations

import numpy as np

from .face import Array, Face, Opening, grid, smoothstep
from .skin import COLUMNS, around, hill, hole, slide

_UPPER_SHARE = 0.88  # of the way between the lids, done by the upper one


def blink_eye(image: Array, face: Face, eye: Opening, blink: float, brows: float) -> Array:
    """Lower the lid over the eyeball and raise the brow; lashes belong to the lid's skin and travel with it."""
    upper, lower = eye.edges(COLUMNS)
    gap = lower - upper
    drop, lift = _UPPER_SHARE * gap * blink, (1 - _UPPER_SHARE) * gap * blink
    drawn = _move_lids(image, face, eye, drop, lift, brows).copy()
    window = around(eye, 2 * eye.half_width, 2 * eye.half_width)
    columns = window[1]
    y, top, bottom = grid()[1][window], (upper + drop)[columns], (lower - lift)[columns]
    opening = hole(y, top, bottom, gap[columns], softness=0.004 * face.width)[..., None]
    seen = drawn[window] + (image[window] * (1 - 0.35 * blink) - drawn[window]) * opening
    drawn[window] = seen * _lash_line(y, top, gap[columns], blink, face.width)[..., None]
    return drawn


def _move_lids(image: Array, face: Face, eye: Opening, drop: Array, lift: Array, brows: float) -> Array:
    w = face.width
    upper, lower = eye.edges(COLUMNS)
    brow, still = np.full_like(upper, face.brow), np.zeros_like(upper)
    raised = -0.035 * w * brows * hill(eye.center_x, eye.half_width, 2.4 * eye.half_width)
    lash = upper - 0.025 * w
    crease = (brow + 2 * lash) / 3
    knots = [brow - 0.3 * w, brow, crease, lash, upper, lower, lower + 0.04 * w, lower + 0.22 * w]
    moves = [still, raised, 0.7 * raised + 0.2 * drop, 0.25 * raised + drop, drop, -lift, -0.4 * lift, still]
    return slide(image, knots, moves)


def _lash_line(y: Array, edge: Array, gap: Array, blink: float, w: float) -> Array:
    """Factor of a dark line where the lids meet, thicker in the middle."""
    width = 0.011 * w * np.sqrt(np.clip(gap / gap.max(), 0, 1)) + 1e-6
    line = np.exp(-(((y - edge) / width) ** 2)) * (gap > 0.04 * gap.max())
    return 1 - 0.6 * smoothstep(0.5, 1, np.array(blink)) * line
