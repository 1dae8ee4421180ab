"""Skin that slides over what lies behind it.

Lids and lips are edges of a hole in the skin. Skin above and below the hole is moved column by column along a monotone
curve, so it never folds; what shows in the hole (eyeball, teeth, dark of the mouth) is a layer of its own.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from .face import CANVAS, Array, Opening, grid, sample, smoothstep

COLUMNS = np.arange(CANVAS, dtype=np.float64)
_APART = 1e-3  # keeps knots that coincide, as at the corners of an eye, in order


def slide(image: Array, knots: list[Array], moves: list[Array]) -> Array:
    """Move knots of each column up or down, and what lies between them in proportion.

    Args:
        image: (512, 512, 3).
        knots: heights from top to bottom, (512,) each, one per column; nothing moves beyond the first and the last.
        moves: by how much each knot goes down, (512,) each; 0 for the first and the last.
    """
    shift, apart = np.stack(moves), _APART * np.arange(len(knots))[:, None]
    columns = np.flatnonzero(np.abs(shift).max(axis=0) > _APART)
    if len(columns) == 0:
        return image
    source = np.maximum.accumulate(np.stack(knots) + apart, axis=0)[:, columns]
    goal = np.maximum.accumulate(np.stack(knots) + shift + apart, axis=0)[:, columns]
    rows = np.arange(max(int(goal[0].min()), 0), min(int(goal[-1].max()) + 2, CANVAS))
    window = np.ix_(rows, columns)
    moved = image.copy()
    moved[window] = sample(image, grid()[0][window], _monotone(goal, source, rows))
    return moved


def _monotone(goal: Array, source: Array, rows: Array) -> Array:
    """Smooth increasing curves through (goal, source), one per column, at whole rows; slope 1 outside.

    Args:
        goal, source: (K, n), increasing along K, equal in the first and in the last row.
        rows: (m,).

    Returns:
        (m, n).

    Source: Fritsch and Butland 1984, cubic pieces whose slopes are harmonic means of the neighbouring secants.
    """
    step = np.maximum(np.diff(goal, axis=0), _APART)
    secant = np.maximum(np.diff(source, axis=0), 1e-6) / step
    inner = 2 / (1 / secant[:-1] + 1 / secant[1:])
    slope = np.concatenate([np.minimum(1, 3 * secant[:1]), inner, np.minimum(1, 3 * secant[-1:])])
    result = np.repeat(rows[:, None].astype(np.float64), goal.shape[1], axis=1)
    for piece in range(len(step)):
        t = (rows[:, None] - goal[piece]) / step[piece]
        s = 1 - t
        curve = s * s * (1 + 2 * t) * source[piece] + t * t * (1 + 2 * s) * source[piece + 1]
        curve += s * t * step[piece] * (s * slope[piece] - t * slope[piece + 1])
        result = np.where((t >= 0) & (t <= 1), curve, result)
    return result


def hole(y: Array, top: Array, bottom: Array, gap: Array, softness: float) -> Array:
    """1 between two edges, soft at the rim, 0 in columns where ``gap`` is 0.

    Args:
        y: (m, n), heights of the pixels asked for.
        top, bottom, gap: (n,).
        softness: of the rim, in pixels.
    """
    inside = smoothstep(-softness, softness, y - top) * smoothstep(-softness, softness, bottom - y)
    return gaussian_filter(inside * (gap > 1e-6), 0.7)


def around(opening: Opening, half_width: float, half_height: float) -> tuple[slice, slice]:
    """Rows and columns of a window around the middle of an eye or a mouth, inside the canvas."""
    middle = (float(opening.upper[:, 1].mean()), opening.center_x)
    first = [max(int(at - half), 0) for at, half in zip(middle, (half_height, half_width), strict=True)]
    last = [min(int(at + half), CANVAS) for at, half in zip(middle, (half_height, half_width), strict=True)]
    return slice(first[0], last[0]), slice(first[1], last[1])


def hill(center: float, flat: float, end: float) -> Array:
    """(512,): 1 in the columns within ``flat`` of the centre, falling smoothly to 0 at ``end``."""
    return smoothstep(end, flat, np.abs(COLUMNS - center))
