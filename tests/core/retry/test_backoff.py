"""How long to wait before a retry."""

from __future__ import annotations

import math
from sys import float_info

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansio_http import ConfigurationError, ExponentialBackoff

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
    assert (backoff.base, backoff.cap, backoff.jitter) == (1.0, 60.0, "full")


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
        ConfigurationError, match=r"^ExponentialBackoff\.jitter: 'half' is not allowed; it is 'full' or"
    ):
        ExponentialBackoff(jitter="half")  # type: ignore[arg-type]


def test_it_is_a_value():
    assert ExponentialBackoff(2.0) == ExponentialBackoff(2)
    assert hash(ExponentialBackoff(2.0)) == hash(ExponentialBackoff(2))
