"""Lips, jaw and what shows between them. All lengths are fractions of the face's width."""

from __future__ import annotations

import numpy as np

from .face import Array, Face, curve, grid, sample, smoothstep
from .skin import COLUMNS, around, hill, hole, slide

_CAVITY = np.array([0.16, 0.05, 0.05])
_TONGUE = np.array([0.52, 0.22, 0.22])
_TEETH = np.array([0.78, 0.74, 0.68])
_CLOSED_GAP, _OPEN_GAP = 0.012, 0.197
_CHIN_FOLLOWS = 0.85  # of the lower lip's way


def part_lips(image: Array, face: Face, jaw: float) -> Array:
    """Open or close the mouth; lower lip, jaw and chin follow, the upper teeth stay where they are.

    Args:
        image: (512, 512, 3) front view, [0, 1].
        face: its geometry.
        jaw: 0 closed, 1 wide open.
    """
    w = face.width
    upper, lower = face.mouth.edges(COLUMNS)
    shape = face.mouth.profile(COLUMNS, 0.7)
    gap = (_CLOSED_GAP + (_OPEN_GAP - _CLOSED_GAP) * jaw) * w * shape
    # A closing mouth brings the upper lip down too, but never past most of the opening of the front view.
    sink = np.minimum((0.028 - 0.036 * jaw) * w * shape, 0.6 * (lower - upper))
    goal = upper + sink + gap
    drawn = _move_jaw(image, face, sink, goal - lower).copy()
    window = around(face.mouth, 1.2 * face.mouth.half_width, 0.4 * w)
    columns = window[1]
    y = grid()[1][window]
    opening = hole(y, (upper + sink)[columns], goal[columns], gap[columns], softness=0.006 * w)[..., None]
    drawn[window] += (_inside(image, face, goal, window) - drawn[window]) * opening
    return drawn


def purse_lips(image: Array, face: Face, rounding: float) -> Array:
    """Draw the corners of the mouth together; the cheeks give way smoothly."""
    mouth, w = face.mouth, face.width
    window = around(mouth, w, 0.6 * w)
    x, y = (axis[window] for axis in grid())
    right, down = x - mouth.center_x, y - mouth.upper[:, 1].mean()
    weight = np.exp(-((right / (0.36 * w)) ** 2) - (down / (0.22 * w)) ** 2)
    corner = np.exp(-(((np.abs(right) - mouth.half_width) / (0.13 * w)) ** 2) - (down / (0.12 * w)) ** 2)
    pursed = image.copy()
    pursed[window] = sample(image, x + 0.42 * rounding * right * weight, y - 0.03 * w * rounding * corner)
    return pursed


def _move_jaw(image: Array, face: Face, sink: Array, drop: Array) -> Array:
    """Move the upper lip by ``sink`` and the lower by ``drop``, (512,) each; the chin follows, nose and neck stay."""
    w, mouth = face.width, face.mouth
    upper, lower = mouth.edges(COLUMNS)
    wide = hill(mouth.center_x, 0.3 * mouth.half_width, 2.3 * mouth.half_width)
    below = _CHIN_FOLLOWS * drop[int(mouth.center_x)] * wide
    lip_upper = np.minimum(curve(face.lip_upper)(COLUMNS), upper - 0.012 * w)
    lip_lower = np.maximum(curve(face.lip_lower)(COLUMNS), lower + 0.02 * w)
    chin = np.maximum(curve(face.chin)(COLUMNS), lip_lower + 0.06 * w)
    base, still = np.full_like(upper, face.nose_base - 0.02 * w), np.zeros_like(upper)
    knots = [base, lip_upper, upper, lower, lip_lower, (lip_lower + chin) / 2, chin, chin + 0.28 * w]
    moves = [still, 0.75 * sink, sink, drop, 0.5 * (drop + below), below, 0.9 * below, still]
    return slide(image, knots, moves)


def _inside(image: Array, face: Face, floor: Array, window: tuple[slice, slice]) -> Array:
    """Upper teeth above dark, tongue and a hint of lower teeth; ``floor`` is the edge of the lower lip."""
    w, columns = face.width, COLUMNS[window[1]]
    y, floor = grid()[1][window], floor[window[1]]
    upper, lower = face.mouth.edges(columns)
    shape = face.mouth.profile(columns, 0.7)
    if face.teeth:
        teeth, teeth_end = image[window], np.minimum(lower - 0.012 * w * shape, upper + 0.075 * w)
    else:
        teeth, teeth_end = _plain_teeth(face, columns), upper + 0.05 * w * shape**0.5
    below = smoothstep(-0.008 * w, 0.012 * w, y - teeth_end)[..., None]
    shadow = 0.7 + 0.3 * smoothstep(0, 0.03 * w, y - upper)
    return (teeth * (1 - below) + _cavity(y, upper, floor, shape, w) * below) * shadow[..., None]


def _cavity(y: Array, upper: Array, floor: Array, shape: Array, w: float) -> Array:
    tongue = smoothstep(0.09 * w, 0.02 * w, floor - y) * shape**2
    dark = _CAVITY + (_TONGUE - _CAVITY) * 0.7 * tongue[..., None]
    lower_teeth = smoothstep(0.03 * w, 0.012 * w, floor - y) * smoothstep(0.2, 0.7, shape)
    lower_teeth = lower_teeth * smoothstep(0.08 * w, 0.16 * w, floor - upper)
    return dark + (_TEETH * 0.75 - dark) * 0.5 * lower_teeth[..., None]


def _plain_teeth(face: Face, columns: Array) -> Array:
    """A row of upper teeth, darker at its gaps and towards the corners."""
    x = (columns - face.mouth.center_x) / face.width
    gaps = np.exp(-((np.mod(x + 0.02, 0.04) - 0.02) ** 2) / 0.0025**2)
    return _TEETH * (1 - 0.14 * gaps - 3.5 * np.abs(x) ** 1.5)[..., None]
