"""Several limits at once: the parts' own hooks, and what cannot be combined. The laws are in the stateful tests."""

from typing import Any

import pytest

from sansio_http.exceptions import ConfigurationError
from sansio_http.rate_limiter import (
    AIMD,
    Combined,
    Concurrency,
    Refused,
    Reservation,
    ServerQuota,
    SlidingWindow,
    Slot,
    Throttle,
    TokenBucket,
)


def test_the_head_goes_when_the_last_part_would_let_it():
    limiter = Combined(TokenBucket(rate=10, burst=1), SlidingWindow(2, 60.0))
    assert limiter.take(0.0) is not None
    assert limiter.take(0.05) is None
    assert limiter.take(0.1) is not None
    place = limiter.reserve(0.2)
    assert isinstance(place, Reservation)
    assert limiter.claim(place, 0.2) == 60.0
    assert not limiter.holds and not limiter.steered and limiter.whole_tokens


def test_so_many_as_the_smallest_part_has():
    limiter = Combined(TokenBucket(1, 5), SlidingWindow(3, 1.0))
    assert limiter.take(0.0, 3) is not None
    for tokens in (4, 1.5):
        with pytest.raises(ConfigurationError, match="it must be a whole number above 0, at most 3"):
            limiter.reserve(0.0, tokens)


def test_parts_hear_how_sends_end():
    learns, throttle = AIMD(min_limit=1, initial=4), Throttle(lambda: 0.9)
    limiter = Combined(learns, throttle)
    assert limiter.holds
    slots = [limiter.take(0.0) for _ in range(4)]
    assert limiter.take(0.0) is None
    for slot, fate in zip(slots, ["ok", "throttled", "ignored", "dropped"], strict=True):
        assert isinstance(slot, Slot)
        limiter.release(slot, fate, 1.0)  # type: ignore[arg-type]
    assert (learns.limit, learns.in_use) == (3, 0)
    assert repr(throttle) == "<Throttle 1 of 3 accepted, 0 rejected here>"
    assert repr(limiter) == (
        "<Combined of <AIMD 0 of 3 in use, 0 waiting>, <Throttle 1 of 3 accepted, 0 rejected here>, 0 waiting>"
    )


def test_who_is_turned_away_by_one_is_not_counted_by_another():
    dice = iter([0.95] * 11 + [0.1] * 2)
    polite, strict = Throttle(lambda: 0.95), Throttle(lambda: next(dice))
    limiter = Combined(polite, TokenBucket(1, 10), strict)
    for _ in range(10):
        slot = limiter.take(0.0)
        assert isinstance(slot, Slot)
        limiter.release(slot, "throttled", 0.0)
    assert limiter.take(0.0) is None  # the bucket is empty: nobody rolled dice
    place = limiter.reserve(20.0)
    assert isinstance(place, Reservation)
    assert limiter.cancel(place, 20.0) is None  # and is not counted any more
    assert isinstance(limiter.take(20.0), Refused)
    assert isinstance(limiter.reserve(20.0), Refused)
    assert "of 10 accepted" in repr(polite) and "of 12 accepted" in repr(strict)


def test_one_that_was_passed_and_cancels_is_not_counted():
    throttle = Throttle(lambda: 0.9)
    limiter = Combined(throttle, TokenBucket(1, 1))
    limiter.take(0.0)
    late, second = limiter.reserve(0.0), limiter.reserve(0.0)
    assert isinstance(late, Reservation) and isinstance(second, Reservation)
    assert isinstance(limiter.claim(second, 2.0), Slot)  # passes the first
    limiter.cancel(late, 2.0)
    assert "of 2 accepted" in repr(throttle)


def test_a_claim_that_was_put_back_was_never_made():
    throttle, slots = Throttle(lambda: 0.9), Concurrency(1)
    limiter = Combined(throttle, slots)
    limiter.take(0.0)
    limiter.put_back(0.0)
    assert slots.in_use == 0 and limiter.is_fresh(0.0)


def test_the_part_that_listens_to_the_server_hears_it():
    limiter = Combined(TokenBucket(100, 100), ServerQuota())
    assert limiter.steered
    limiter.hold_off(5.0, 0.0)
    assert limiter.take(4.0) is None and limiter.take(5.0) is not None
    limiter.adopt(1, 10.0, 5.0)
    assert limiter.take(5.0) is None and limiter.take(15.0) is not None
    limiter.adopt(0, 4.0, 15.0, quota=3, window=30.0)
    assert sum(limiter.take(19.0) is not None for _ in range(9)) == 3
    assert limiter.take(48.0) is None and limiter.take(49.0) is not None


BUSY = SlidingWindow(1, 1.0)
BUSY.take(0.0)
BUSY.reserve(0.0)
ONE = TokenBucket(1, 1)


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        ([], "0 given; there must be two or more"),
        ([ONE], "1 given; there must be two or more"),
        ([ONE, ONE], "2 given; there must be two or more, none of them twice"),
        ([ONE, 5], "int is not allowed; each must be a Limiter"),
        ([ONE, BUSY], "<SlidingWindow 1 in 1 s, 1 waiting> is in use"),
    ],
)
def test_what_cannot_be_combined(limits: list[Any], says: str):
    with pytest.raises(ConfigurationError, match=f"^limits: {says}"):
        Combined(*limits)
