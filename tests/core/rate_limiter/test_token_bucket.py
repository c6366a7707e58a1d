"""The token bucket's own: its level, odd numbers, and what rounding may not do."""

from math import inf, nan, ulp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansio_http.exceptions import ConfigurationError
from sansio_http.rate_limiter import Claimed, Reservation, Slot, TokenBucket


def reserve(bucket: TokenBucket, now: float, tokens: float = 1) -> Reservation:
    place = bucket.reserve(now, tokens)
    assert isinstance(place, Reservation)
    return place


def claim(bucket: TokenBucket, now: float, tokens: float = 1) -> float:
    """Takes tokens as soon as they are there, and says when that was."""
    place = reserve(bucket, now, tokens)
    while not isinstance(told := bucket.claim(place, now), Claimed):
        assert told is not None and told > now
        now = told
    return now


def test_it_starts_full_fills_at_its_rate_and_runs_over_at_its_burst():
    bucket = TokenBucket(2, 8)
    assert bucket.available(100.0) == 8
    claim(bucket, 100.0, 6)
    assert [bucket.available(now) for now in (100.0, 100.5, 102.5, 103.0, 200.0)] == [2, 3, 7, 8, 8]


def test_what_ran_over_is_lost():
    bucket = TokenBucket(2, 4)
    claim(bucket, 0.0, 4)
    assert [claim(bucket, 10.0, 4), claim(bucket, 10.0, 2)] == [10.0, 11.0]


def test_parts_of_a_token_count():
    bucket = TokenBucket(0.5, 1.5)
    assert [claim(bucket, 0.0, tokens) for tokens in (0.25, 1.25, 0.5, 1.5)] == [0.0, 0.0, 1.0, 4.0]


def test_its_numbers_can_be_read():
    bucket = TokenBucket(10, 20, max_wait=3)
    assert (bucket.rate, bucket.burst, bucket.max_wait) == (10, 20, 3)
    assert repr(bucket) == "<TokenBucket 10/s, burst 20, 0 waiting>"


WRONG = [0, -1, -0.5, nan, inf, -inf, True, False, "1", None, [1], 10**400]


@pytest.mark.parametrize("rate", WRONG, ids=lambda value: repr(value)[:20])
def test_a_rate_must_be_a_number_above_0(rate):
    with pytest.raises(ConfigurationError) as caught:
        TokenBucket(rate, 1)
    assert str(caught.value).startswith(f"rate: {rate!r:.40} is not allowed; it must be a finite number above 0")


@pytest.mark.parametrize("burst", [*WRONG, 0.999], ids=lambda value: repr(value)[:20])
def test_a_burst_must_be_a_number_from_1_on(burst):
    with pytest.raises(ConfigurationError) as caught:
        TokenBucket(1, burst)
    assert str(caught.value).startswith(f"burst: {burst!r:.40} is not allowed; it must be a finite number, 1 or more")


# -- numbers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("clock", [0.0, 1e5, 1e9, -1e9])
@pytest.mark.parametrize("rate", [1e-9, 0.1, 3.0, 1e4, 1e9, 1e15])
@pytest.mark.parametrize("burst", [1, 2.5, 100])
def test_at_any_rate_and_on_any_clock_the_burst_and_no_more_is_there_at_once(clock, rate, burst):
    bucket = TokenBucket(rate, burst)
    for _ in range(int(burst)):
        assert claim(bucket, clock) == clock
    granted = claim(bucket, clock)
    lacking = int(burst) + 1 - burst
    assert granted > clock
    assert rate * (granted - clock) >= lacking - 1e-6
    assert granted - clock <= lacking / rate + 2 * ulp(granted)


@given(
    rate=st.floats(1e-3, 1e4),
    burst=st.floats(1, 50),
    start=st.floats(0, 1e6),
    steps=st.lists(st.tuples(st.floats(0, 10), st.floats(0.01, 1)), max_size=30),
)
def test_with_any_numbers_the_law_holds_up_to_a_millionth_and_nobody_comes_twice(rate, burst, start, steps):
    bucket = TokenBucket(rate, burst)
    claims: list[tuple[float, float]] = []
    now = start
    for gap, share in steps:
        now += gap
        place = reserve(bucket, now, share * burst)
        told = bucket.claim(place, now)
        if isinstance(told, float):
            now = told
            assert isinstance(bucket.claim(place, now), Claimed)
        claims.append((now, share * burst))
    for first, (since, _) in enumerate(claims):
        taken = 0.0
        for until, tokens in claims[first:]:
            taken += tokens
            assert taken <= rate * (until - since) + burst + 3e-6


def test_however_long_it_is_busy_no_rounding_gathers():
    bucket = TokenBucket(10, 1)
    assert [claim(bucket, 1e5 + number / 10) for number in range(100_000)][-1] == 1e5 + 9_999.9
    assert bucket.available(1e5 + 9_999.9) == pytest.approx(0, abs=1e-6)


def test_at_a_slow_rate_nobody_is_early():
    bucket = TokenBucket(0.001, 1)
    bucket.take(0.0)
    place = reserve(bucket, 0.0)
    assert bucket.claim(place, 0.0) == 1000.0
    assert not bucket.claimable(place, 999.9999)
    assert bucket.claimable(place, 1000.0)


def test_what_rounding_may_cost_is_a_millionth_of_a_token():
    for lacking, granted in ((0.5e-6, True), (1.25e-6, False)):
        bucket = TokenBucket(1.5, 1)
        bucket.take(0.0)
        assert (bucket.take((1 - lacking) / 1.5) is not None) is granted


def test_it_holds_nothing_and_is_steered_by_nobody():
    bucket = TokenBucket(1, 2)
    assert bucket.release(Slot(1, None), "ok", 0.0) is None
    assert bucket.hold_off(10.0, 0.0) is None
    assert bucket.adopt(0, 10.0, 0.0) is None
    assert bucket.available(0.0) == 2
