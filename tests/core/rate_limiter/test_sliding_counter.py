"""The sliding counter's own: its formula, and that it keeps what it told."""

from fractions import Fraction
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansio_http.exceptions import ConfigurationError
from sansio_http.rate_limiter import Claimed, Reservation, SlidingCounter


def taken(limiter: SlidingCounter, now: float) -> int:
    """How many can be taken at once."""
    return sum(limiter.take(now) is not None for _ in range(limiter.limit + 1))


def test_the_window_before_counts_by_the_part_that_is_left_of_it():
    limiter = SlidingCounter(10, 60.0)
    assert taken(limiter, 0.0) == 10
    assert taken(limiter, 60.0) == 0  # all ten still count
    assert taken(limiter, 75.0) == 2  # 7.5
    assert taken(limiter, 90.0) == 3  # 5, and two of this window
    assert taken(limiter, 119.0) == 4  # a sixth, and five
    assert taken(limiter, 120.0) == 1  # nine of the last
    assert repr(limiter) == "<SlidingCounter 10 in 60 s, 0 waiting>"


def test_a_claim_at_the_very_end_of_a_window_is_of_the_next():
    limiter = SlidingCounter(2, 10.0)
    limiter.take(0.0)
    limiter.take(10.0)
    place = limiter.reserve(15.0)
    assert isinstance(place, Reservation)
    assert limiter.claim(place, 15.0) == 20.0  # one in this window, and a part of the one before


def test_after_two_idle_windows_all_is_forgotten():
    limiter = SlidingCounter(3, 1.0)
    assert limiter.is_fresh(5.0)
    taken(limiter, 5.0)
    assert not limiter.is_fresh(6.999)
    assert limiter.is_fresh(7.0)
    assert taken(limiter, 7.5) == 3
    assert not limiter.is_fresh(9.0)  # the window began at 7.5


def test_what_is_put_back_was_never_taken():
    limiter = SlidingCounter(2, 1.0)
    limiter.take(0.25)
    limiter.put_back(0.25)
    assert limiter.is_fresh(0.25)
    assert taken(limiter, 0.75) == 2
    assert limiter.take(1.5) is None  # half of the window is left, which began at 0.75
    assert limiter.take(2.25) is not None


def test_a_crowd_is_told_windows_in_which_a_limit_goes():
    limiter = SlidingCounter(2, 10.0)
    places = [limiter.reserve(0.0) for _ in range(6)]
    due = [place.due for place in places if isinstance(place, Reservation)]
    assert due == [0.0, 0.0, 10.0, 10.0, 20.0, 20.0]


@given(
    limit=st.integers(1, 30),
    window=st.floats(0.001, 1000),
    start=st.floats(0, 1e9),
    steps=st.lists(st.tuples(st.integers(1, 30), st.floats(0, 2)), max_size=30),
)
def test_whoever_comes_when_it_was_told_gets_what_it_came_for(limit, window, start, steps):
    limiter, now = SlidingCounter(limit, window), start
    claims: list[tuple[float, int]] = []
    for tokens, windows in steps:
        now += windows * window
        tokens = min(tokens, limit)
        place = limiter.reserve(now, tokens)
        assert isinstance(place, Reservation)
        answer = limiter.claim(place, now)
        if not isinstance(answer, Claimed):
            assert answer is not None and now < answer <= now + 2 * window * 1.001
            now = answer
            assert isinstance(limiter.claim(place, now), Claimed)
        claims.append((now, tokens))
    for then, _ in claims:  # what the formula allows at the most
        assert sum(t for at, t in claims if then <= at < then + window) <= 2 * limit
    assert Fraction(limiter.waiting) == 0


@pytest.mark.parametrize(
    ("field", "value"),
    [("limit", value) for value in (0, 1.5, True, "3")] + [("window", value) for value in (0, -1, inf, nan, "1")],
)
def test_bad_values_are_refused_by_name(field, value):
    with pytest.raises(ConfigurationError, match=rf"^{field}: .* is not allowed"):
        SlidingCounter(**{"limit": 5, "window": 1.0, field: value})  # type: ignore[arg-type]
