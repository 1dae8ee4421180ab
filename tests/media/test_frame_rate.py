"""Frame rates from time stamps, as exact fractions."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from talkingface.media.frame_rate import USUAL_RATES, rate_from_text, rate_from_ticks, simplest_between


def ticks_of(fps: Fraction, count: int, ticks_per_s: int) -> list[int]:
    return [round(index / fps * ticks_per_s) for index in range(count)]


@pytest.mark.parametrize("fps", USUAL_RATES, ids=str)
def test_usual_rates_survive_millisecond_stamps(fps: Fraction) -> None:
    ticks = ticks_of(fps, 300, 1000)
    assert rate_from_ticks(ticks, Fraction(1, 1000), 300 / fps) == (fps, True, False)


def test_short_gif_of_30_is_whole_not_broadcast() -> None:
    rate = rate_from_ticks(ticks_of(Fraction(30), 30, 100), Fraction(1, 100), Fraction(1))
    assert rate is not None and rate.fps == 30


def test_jitter_of_a_phone_keeps_the_rate() -> None:
    ticks = [tick + (137 * index) % 400 - 200 for index, tick in enumerate(ticks_of(Fraction(30), 200, 90000))]
    rate = rate_from_ticks(ticks, Fraction(1, 90000), Fraction(200, 30))
    assert rate == (30, True, False)


def test_missing_frames_keep_the_rate_but_not_the_count() -> None:
    ticks = [512 * index for index in range(254) if index not in (60, 150)]
    assert rate_from_ticks(ticks, Fraction(1, 12800), Fraction(254, 25)) == (25, False, False)


def test_variable_rate_becomes_its_average_as_a_small_fraction() -> None:
    ticks = [40 * k for k in range(50)] + [2000 + 120 * k for k in range(20)]
    rate = rate_from_ticks(ticks, Fraction(1, 1000), Fraction(44, 10))
    assert rate is not None and rate.average
    assert abs(rate.fps * Fraction(44, 10) - 70) < Fraction(1, 10)
    assert rate.fps.denominator <= 100


@pytest.mark.parametrize("ticks", [[], [5], [7, 7, 7]])
def test_too_few_different_times_give_no_rate(ticks: list[int]) -> None:
    assert rate_from_ticks(ticks, Fraction(1, 25), Fraction(1)) is None


@pytest.mark.parametrize(
    ("text", "fps"), [("29.97", "30000/1001"), ("23.98", "24000/1001"), ("12.50", "25/2"), ("25", "25")]
)
def test_printed_rates_are_made_exact(text: str, fps: str) -> None:
    assert rate_from_text(float(text)) == Fraction(fps)


@settings(max_examples=50, deadline=None)
@given(st.fractions(Fraction(1, 50), 100), st.fractions(Fraction(1, 1000), 1))
def test_simplest_fraction_has_no_simpler_rival(low: Fraction, width: Fraction) -> None:
    best = simplest_between(low, low + width)
    assert low <= best <= low + width
    for denominator in range(1, min(best.denominator, 200)):
        assert (low + width) * denominator // 1 < low * denominator
