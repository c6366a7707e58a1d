"""How long to wait before a retry."""

from __future__ import annotations

import math
from sys import float_info

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansio_http import Backoff, ConfigurationError, ConstantBackoff, ExponentialBackoff, LinearBackoff

seconds = st.floats(0, float_info.max)
retries = st.integers(0, 2000) | st.sampled_from([10**6, 10**18, 10**400])


def no_dice() -> float:
    raise AssertionError("nothing is jittered")


def test_the_wait_doubles_until_the_cap():
    backoff = ExponentialBackoff(base=1.0, cap=60.0, jitter="none")
    assert [backoff.delay(retry, no_dice) for retry in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]


def test_the_delays_of_the_aws_sdks():
    """Source: botocore test_standard_retry_v2_1.py @0e6e240, smithy-rs strategy/standard.rs @56ee88c (rand is 1)."""
    backoff = ExponentialBackoff(base=0.05, cap=20.0)
    delays = [backoff.delay(retry, lambda: 1.0) for retry in range(11)]
    assert delays == pytest.approx([0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 20, 20])


def test_by_default_it_is_one_second_up_to_a_minute_with_full_jitter():
    backoff = ExponentialBackoff()
    assert (backoff.base, backoff.cap, backoff.jitter, backoff.spread) == (1.0, 60.0, "full", 0.25)
    steady, rising = ConstantBackoff(), LinearBackoff()
    assert (steady.base, steady.jitter, steady.spread) == (1.0, "full", 0.25)
    assert (rising.base, rising.cap, rising.jitter, rising.spread) == (1.0, 60.0, "full", 0.25)


def test_full_jitter_spreads_evenly_from_zero_to_the_value():
    backoff = ExponentialBackoff(base=8.0)
    rolls = iter([0.0, 0.25, 0.5, 0.75])
    assert [backoff.delay(1, lambda: next(rolls)) for _ in range(4)] == [0, 4, 8, 12]


def test_each_delay_rolls_the_dice_once():
    rolled = iter([0.5])
    assert ExponentialBackoff(base=2.0).delay(0, lambda: next(rolled)) == 1.0
    assert next(rolled, None) is None


@given(base=seconds, cap=seconds, retry=retries, share=st.floats(0, 1, exclude_max=True))
def test_a_jittered_delay_is_between_zero_and_the_one_without(base, cap, retry, share):
    without = ExponentialBackoff(base, cap, "none").delay(retry, no_dice)
    assert 0 <= ExponentialBackoff(base, cap).delay(retry, lambda: share) <= without <= cap


@given(base=seconds, cap=seconds, retry=retries)
def test_a_later_delay_is_never_shorter(base, cap, retry):
    backoff = ExponentialBackoff(base, cap, "none")
    assert backoff.delay(retry, no_dice) <= backoff.delay(retry + 1, no_dice)


@given(base=st.floats(1e-200, float_info.max) | st.integers(1, 10**300), retry=st.sampled_from([10**6, 10**18]))
def test_after_a_million_retries_it_is_the_cap(base, retry):
    assert ExponentialBackoff(base, 60.0, "none").delay(retry, no_dice) == 60.0


@pytest.mark.parametrize("jitter", ["full", "none"])
def test_a_base_of_zero_never_waits(jitter):
    backoff = ExponentialBackoff(base=0, jitter=jitter)
    assert [backoff.delay(retry, lambda: 0.9) for retry in (0, 10, 10**6)] == [0, 0, 0]


@pytest.mark.parametrize("value", [-1, -0.001, math.inf, 1e400, -math.inf, math.nan, 10**400, "1", None, 1j])
@pytest.mark.parametrize("field", ["base", "cap"])
def test_seconds_are_finite_and_not_negative(field, value):
    with pytest.raises(
        ConfigurationError, match=rf"^ExponentialBackoff\.{field}: .* is not allowed; it is seconds, 0 or"
    ):
        ExponentialBackoff(**{field: value})


def test_a_jitter_that_there_is_not():
    with pytest.raises(
        ConfigurationError, match=r"^ExponentialBackoff\.jitter: 'half' is not allowed; it is one of 'none', 'full', "
    ):
        ExponentialBackoff(jitter="half")  # type: ignore[arg-type]


def test_it_is_a_value():
    assert ExponentialBackoff(2.0) == ExponentialBackoff(2)
    assert hash(ExponentialBackoff(2.0)) == hash(ExponentialBackoff(2))


# --- other ways to grow ----------------------------------------------------------------------------------------------


def delays(backoff: ConstantBackoff | LinearBackoff | ExponentialBackoff, count: int, rand: float = 0.5) -> list[float]:
    return [backoff.delay(retry, lambda: rand) for retry in range(count)]


def test_a_constant_wait():
    assert delays(ConstantBackoff(2.5, "none"), 3) == [2.5, 2.5, 2.5]


def test_a_wait_that_grows_by_the_same_amount_until_the_cap():
    assert delays(LinearBackoff(2.0, 7.0, "none"), 5) == [2, 4, 6, 7, 7]


@given(base=seconds, cap=seconds, retry=retries)
def test_a_linear_wait_never_overflows(base, cap, retry):
    assert 0 <= LinearBackoff(base, cap, "none").delay(retry, no_dice) <= cap


@pytest.mark.parametrize("kind", [ConstantBackoff, LinearBackoff])
@pytest.mark.parametrize("jitter", ["decorrelated", "smooth", "half"])
def test_jitters_that_only_exponential_backoff_has(kind, jitter):
    with pytest.raises(ConfigurationError, match=rf"^{kind.__name__}\.jitter: '{jitter}' is not allowed; it is one of"):
        kind(jitter=jitter)


@pytest.mark.parametrize("kind", [ConstantBackoff, LinearBackoff])
def test_their_seconds_are_checked_as_well(kind):
    with pytest.raises(ConfigurationError, match=rf"^{kind.__name__}\.base: -1 is not allowed"):
        kind(base=-1)


# --- jitters ---------------------------------------------------------------------------------------------------------


def test_equal_jitter_spreads_from_half_the_value_to_the_value():
    backoff = ExponentialBackoff(base=8.0, jitter="equal")
    assert [backoff.delay(1, lambda rand=rand: rand) for rand in (0.0, 0.5, 1.0)] == [8, 12, 16]  # type: ignore[misc]


@pytest.mark.parametrize(("rand", "delay"), [(0, 0.75), (0.4, 0.95), (0.6, 1.05), (1, 1.25)])
def test_proportional_jitter_of_a_constant(rand, delay):
    """Source: Polly RetryHelperTests @173d6d1."""
    assert ConstantBackoff(1.0, "proportional").delay(0, lambda: rand) == pytest.approx(delay)


@pytest.mark.parametrize(("rand", "delay"), [(0, 2.25), (0.4, 2.85), (0.5, 3), (0.6, 3.15), (1, 3.75)])
def test_proportional_jitter_of_a_line(rand, delay):
    """Source: Polly RetryHelperTests @173d6d1, linear, attempt 2."""
    assert LinearBackoff(1.0, jitter="proportional").delay(2, lambda: rand) == pytest.approx(delay)


def test_the_spread_of_proportional_jitter():
    backoff = ConstantBackoff(10.0, "proportional", spread=0.1)
    assert [backoff.delay(0, lambda rand=rand: rand) for rand in (0, 1)] == pytest.approx([9, 11])  # type: ignore[misc]


def test_a_spread_may_be_nothing_and_all():
    assert ConstantBackoff(10.0, "proportional", spread=0).delay(0, lambda: 0.9) == 10.0
    assert ConstantBackoff(10.0, "proportional", spread=1).delay(0, lambda: 0.0) == 0.0


@pytest.mark.parametrize("spread", [-0.1, 1.1, math.nan, "1", None])
def test_a_spread_that_is_none(spread):
    with pytest.raises(ConfigurationError, match=r"^ConstantBackoff\.spread: .* is not allowed; it is 0 to 1"):
        ConstantBackoff(spread=spread)


def waits(backoff: Backoff, rolls: list[float]) -> list[float]:
    """As a call asks: with what it remembers."""
    memory, found = None, []
    for retry, roll in enumerate(rolls):
        seconds, memory = backoff.wait(retry, lambda roll=roll: roll, memory)  # type: ignore[misc]
        found.append(seconds)
    return found


def test_a_decorrelated_wait_is_up_to_three_times_the_one_before():
    backoff = ExponentialBackoff(base=1.0, cap=100.0, jitter="decorrelated")
    assert waits(backoff, [0.5, 1.0, 0.0, 1.0, 0.5]) == [2, 6, 1, 3, 5]
    assert waits(backoff, [1.0] * 7) == [3, 9, 27, 81, 100, 100, 100]


def test_a_smooth_wait_is_what_the_curve_has_risen_since_the_last():
    """By Polly's formula, written out: x = 2**t * tanh(sqrt(4 * t)), t = n + U; base * (x - x') / 1.4."""
    backoff = ExponentialBackoff(base=1.0, cap=1e9, jitter="smooth")
    rolls = [0.25, 0.75, 0.0, 0.5]
    curve = [2 ** (n + roll) * math.tanh(math.sqrt(4 * (n + roll))) for n, roll in enumerate(rolls)]
    expected = [(x - before) / 1.4 for before, x in zip([0.0, *curve], curve, strict=False)]
    assert waits(backoff, rolls) == pytest.approx(expected)
    assert waits(backoff, [0.0]) == [0.0]


def test_the_median_of_the_first_smooth_wait_is_about_the_base():
    assert ExponentialBackoff(base=1.0, jitter="smooth").delay(0, lambda: 0.5) == pytest.approx(0.9, abs=0.1)


def test_a_smooth_wait_stops_at_the_cap():
    backoff = ExponentialBackoff(base=1.0, cap=5.0, jitter="smooth")
    assert waits(backoff, [0.5] * 9)[-3:] == [5, 5, 5]
    assert backoff.wait(10**6, lambda: 0.5, 1e300) == (5.0, 1e300)
    assert ExponentialBackoff(base=0.0, jitter="smooth").delay(10**6, lambda: 0.5) == 0.0


@pytest.mark.parametrize("jitter", ["none", "full", "equal", "proportional", "decorrelated", "smooth"])
@given(base=seconds, cap=seconds, retry=retries, roll=st.floats(0, 1, exclude_max=True), last=st.none() | seconds)
def test_whatever_came_before_a_wait_is_a_finite_number(jitter, base, cap, retry, roll, last):
    found, _ = ExponentialBackoff(base, cap, jitter).wait(retry, lambda: roll, last)
    most = cap if jitter != "proportional" else max(1.25 * cap, cap)
    assert 0 <= found <= most and math.isfinite(found)


@pytest.mark.parametrize("jitter", ["decorrelated", "smooth", "equal", "proportional"])
def test_without_dice_there_is_no_jitter(jitter):
    assert ExponentialBackoff(1.0, jitter=jitter).delay(3) == 8.0


@pytest.mark.parametrize("jitter", ["decorrelated", "smooth"])
def test_the_backoff_itself_remembers_nothing(jitter):
    backoff = ExponentialBackoff(jitter=jitter)
    before = hash(backoff)
    assert waits(backoff, [0.9] * 5) == waits(backoff, [0.9] * 5)
    assert hash(backoff) == before
