"""Frame rates as exact fractions, determined from the time stamps of the frames."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

_BROADCAST = (Fraction(24000, 1001), Fraction(30000, 1001), Fraction(60000, 1001))
_WHOLE = tuple(Fraction(n) for n in (25, 30, 24, 50, 60, 10, 12, 15, 20, 48, 100, 120))
USUAL_RATES = _WHOLE + _BROADCAST + (Fraction(25, 2), Fraction(15, 2), Fraction(120000, 1001))
DEFAULT_FPS = Fraction(25)
_HIGHEST_FPS = 1000  # higher rates come from broken time stamps


class FrameRate(NamedTuple):
    """A frame rate and its regularity.

    Attributes:
        fps: frames per second.
        constant: every frame lies within a third of a frame of its regular time; none is missing.
        average: the frames are irregular, and ``fps`` is only their average.
    """

    fps: Fraction
    constant: bool = True
    average: bool = False


def simplest_between(low: Fraction, high: Fraction) -> Fraction:
    """Fraction with the smallest denominator in [low, high], 0 < low <= high (search in the Stern-Brocot tree)."""
    if math.ceil(low) <= high:
        return Fraction(math.ceil(low))
    whole = math.floor(low)
    return whole + 1 / simplest_between(1 / (high - whole), 1 / (low - whole))


def rate_from_text(text: float) -> Fraction:
    """Exact rate of a rate printed with two decimals: 29.97 is 30000/1001, 12.5 is 25/2."""
    near = [rate for rate in USUAL_RATES if abs(float(rate) - text) < 0.006]
    return min(near, key=lambda rate: abs(float(rate) - text)) if near else Fraction(text).limit_denominator(100)


def rate_from_ticks(ticks: Sequence[int], time_base: Fraction, duration_s: Fraction) -> FrameRate | None:
    """Frame rate of frames with given presentation times.

    A constant rate is the common one (25, 30000/1001, ...) that fits the time stamps within their rounding, else the
    simplest fraction that does. A regular clip with some frames missing keeps its rate. A variable rate becomes the
    simplest fraction within 0.1 % of the average, so that the resampled clip has about as many frames as before.

    Args:
        ticks: presentation times, ascending, in units of ``time_base``.
        time_base: seconds of one tick.
        duration_s: time from the first frame to the end of the last one.

    Returns:
        The rate, or None if fewer than two different times are known or the times are implausible.
    """
    if len(ticks) < 2 or ticks[-1] <= ticks[0] or duration_s <= 0:
        return None
    rate = _constant(ticks, time_base) or _with_gaps(ticks, time_base)
    if rate is None:
        rate = FrameRate(_near(len(ticks) / duration_s), constant=False, average=True)
    return rate if rate.fps <= _HIGHEST_FPS else None


def _constant(ticks: Sequence[int], time_base: Fraction) -> FrameRate | None:
    steps, span = len(ticks) - 1, ticks[-1] - ticks[0]
    off_grid = max(abs((tick - ticks[0]) * steps - index * span) for index, tick in enumerate(ticks))
    if 3 * off_grid >= span:
        return None
    # Times that are only rounded to ticks fix the rate within a tick over the clip; times that jitter (phones), less.
    slack = Fraction(1) if off_grid <= steps else max(Fraction(1), Fraction(span, 2000))
    slack = min(slack, Fraction(span, 2))
    low, high = steps / ((span + slack) * time_base), steps / ((span - slack) * time_base)
    # Both 30 and 30000/1001 may fit a short clip with coarse times (gif): the whole number comes first in the list.
    return FrameRate(next(iter(_usual_between(low, high)), None) or simplest_between(low, high))


def _with_gaps(ticks: Sequence[int], time_base: Fraction) -> FrameRate | None:
    """Rate of a clip in which 90 % of the time steps are equal, within the rounding of the time stamps."""
    steps = sorted(later - earlier for earlier, later in pairwise(ticks))
    median = steps[len(steps) // 2]
    alike = [step for step in steps if abs(step - median) <= 1]
    if 10 * len(alike) < 9 * len(steps) or sum(alike) <= 0:
        return None
    return FrameRate(_near(Fraction(len(alike), sum(alike)) / time_base), constant=False)


def _near(fps: Fraction) -> Fraction:
    """Common rate nearest to a measured one, else the simplest fraction, within 0.1 %."""
    low, high = fps * Fraction(999, 1000), fps * Fraction(1001, 1000)
    return min(_usual_between(low, high), key=lambda rate: abs(rate - fps), default=simplest_between(low, high))


def _usual_between(low: Fraction, high: Fraction) -> list[Fraction]:
    return [rate for rate in USUAL_RATES if low <= rate <= high]
