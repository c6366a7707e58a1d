"""The sliding window's own: where a window ends, weights, and its memory."""

from math import inf, nan

import pytest

from sansio_http.exceptions import ConfigurationError
from sansio_http.rate_limiter import Claimed, Reservation, SlidingWindow


def reserve(window: SlidingWindow, now: float, tokens: int = 1) -> Reservation:
    place = window.reserve(now, tokens)
    assert isinstance(place, Reservation)
    return place


def claim(window: SlidingWindow, now: float, tokens: int = 1) -> float:
    """Takes tokens as soon as they are there, and says when that was."""
    place = reserve(window, now, tokens)
    while not isinstance(told := window.claim(place, now), Claimed):
        assert told is not None and told > now
        now = told
    return now


def test_a_claim_leaves_exactly_a_window_after_it_was_made():
    window = SlidingWindow(2, 10.0)
    assert [claim(window, 0.0), claim(window, 4.0)] == [0.0, 4.0]
    place = reserve(window, 5.0)
    assert window.claim(place, 5.0) == 10.0
    assert not window.claimable(place, 9.984375)
    assert isinstance(window.claim(place, 10.0), Claimed)
    assert claim(window, 10.0) == 14.0


def test_a_claim_of_many_waits_for_as_many():
    window = SlidingWindow(4, 10.0)
    wanted = [(0, 1), (1, 2), (2, 4), (12, 3), (22, 2)]
    assert [claim(window, now, tokens) for now, tokens in wanted] == [0, 1, 11, 21, 31]


def test_estimates_beyond_the_limit_go_by_whole_windows():
    window = SlidingWindow(2, 8.0)
    claim(window, 0.0)
    claim(window, 3.0)
    assert [window.claim(reserve(window, 4.0), 4.0) for _ in range(6)] == [8.0, 11.0, 16.0, 19.0, 24.0, 27.0]


def test_estimates_of_a_window_that_was_never_full_count_from_now():
    window = SlidingWindow(2, 8.0)
    places = [reserve(window, 5.0) for _ in range(5)]
    assert [window.claim(place, 5.0) for place in places[4:1:-1]] == [21.0, 13.0, 13.0]


def test_its_memory_grows_with_what_is_claimed_up_to_the_limit():
    window = SlidingWindow(10**12, 1.0)  # made at once, and nothing held
    assert claim(window, 0.0, 1000) == 0.0
    assert not window.is_fresh(0.5)
    assert window.is_fresh(1.0)


def test_what_was_put_back_leaves_the_claims_before_it():
    window = SlidingWindow(3, 10.0)
    claim(window, 0.0)
    place = reserve(window, 2.0, 2)
    window.claim(place, 2.0)
    window.put_back(2.0, 2)
    assert not window.is_fresh(2.0)
    assert [claim(window, 2.0, 2), claim(window, 2.0)] == [2.0, 10.0]
    assert window.is_fresh(20.0)


def test_its_numbers_can_be_read():
    window = SlidingWindow(100, 60)
    assert (window.limit, window.window, window.max_wait) == (100, 60, None)
    assert repr(window) == "<SlidingWindow 100 in 60 s, 0 waiting>"


WRONG = [0, -1, nan, inf, -inf, True, False, "1", None, [1]]


@pytest.mark.parametrize("limit", [*WRONG, 1.0, 2.5], ids=repr)
def test_a_limit_must_be_a_whole_number_from_1_on(limit):
    with pytest.raises(ConfigurationError) as caught:
        SlidingWindow(limit, 1.0)
    assert str(caught.value).startswith(f"limit: {limit!r} is not allowed; it must be a whole number, 1 or more")


@pytest.mark.parametrize("window", WRONG, ids=repr)
def test_a_window_must_be_seconds_above_0(window):
    with pytest.raises(ConfigurationError) as caught:
        SlidingWindow(1, window)
    assert str(caught.value) == f"window: {window!r} is not allowed; it must be finite seconds above 0"
