"""The adaptive rate: the curve and the rates of the AWS SDKs' own tests; and the bucket that they set."""

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansio_http.exceptions import ConfigurationError
from sansio_http.rate_limiter import AdaptiveRate, Claimed, Cubic, Fate, Reservation, Slot
from sansio_http.step import Waiter

# seconds, rate. aws-sdk-go-v2 aws/retry/adaptive_ratelimit_test.go @6925d1e; smithy-rs client_rate_limiter.rs @56ee88c:
# a rate of 10 was cut at 5.
CUBIC_SUCCESS = [
    (5, 7.0),
    (6, 9.64893600966),
    (7, 10.000030849917364),
    (8, 10.453284520772092),
    (9, 13.408697022224185),
    (10, 21.26626835427364),
    (11, 36.425998516920465),
]

# seconds, throttled, measured, rate in force. The same sources.
UPDATE = [
    (0.2, 0, 0, 0.5),
    (0.4, 0, 0, 0.5),
    (0.6, 0, 4.8, 0.5),
    (0.8, 0, 4.8, 0.5),
    (1.0, 0, 4.16, 0.5),
    (1.2, 0, 4.16, 0.6912),
    (1.4, 0, 4.16, 1.0976),
    (1.6, 0, 5.632, 1.6384),
    (1.8, 0, 5.632, 2.3328),
    (2.0, 1, 4.3264, 3.02848),
    (2.2, 0, 4.3264, 3.48663917347026),
    (2.4, 0, 4.3264, 3.821874416040255),
    (2.6, 0, 5.66528, 4.053385727709987),
    (2.8, 0, 5.66528, 4.200373108479455),
    (3.0, 0, 4.333056, 4.282036558348658),
    (3.2, 1, 4.333056, 2.99742559084406),
    (3.4, 0, 4.333056, 3.4522263943863463),
]

EXACTLY = {"rel": 1e-14, "abs": 0.0}  # but for the order of the operations


def hear(limiter: AdaptiveRate, fate: Fate, now: float) -> None:
    """A send that took no time and no token."""
    limiter.release(Slotted(limiter, now).slot, fate, now)


class Slotted:
    """A slot, of another limiter that has no limit: what it took is nothing to the one that hears of it."""

    def __init__(self, limiter: AdaptiveRate, now: float) -> None:
        slot = AdaptiveRate().take(now)
        assert isinstance(slot, Slot)
        self.slot = slot


@pytest.mark.parametrize(("seconds", "rate"), CUBIC_SUCCESS)
def test_a_rate_grows_back_on_the_curve(seconds, rate):
    assert Cubic().grown(10, seconds - 5) == pytest.approx(rate, **EXACTLY)


def test_the_numbers_of_botocores_cubic():
    """boto/botocore tests/unit/retries/test_throttling.py @0e6e240."""
    assert Cubic().pause(10) == pytest.approx(1.9574338205844317, **EXACTLY)
    assert Cubic().pause(8) == pytest.approx(1.8171205928321397, **EXACTLY)
    assert Cubic().cut(8) == pytest.approx(5.6, **EXACTLY)
    assert Cubic(beta=0.6).cut(10) == 6.0


def test_the_rates_in_force():
    limiter = AdaptiveRate()
    for now, throttled, measured, rate in UPDATE:
        hear(limiter, "throttled" if throttled else "ok", now)
        assert limiter.measured == pytest.approx(measured, **EXACTLY), now
        assert limiter.rate == pytest.approx(rate, **EXACTLY), now
        assert limiter.limited is (now >= 2.0)


def test_there_is_no_limit_until_the_server_refuses():
    limiter = AdaptiveRate()
    for _ in range(1000):
        slot = limiter.take(0.0)
        assert isinstance(slot, Slot)
        limiter.release(slot, "dropped", 0.0)
    assert not limiter.limited and repr(limiter) == "<AdaptiveRate no limit yet, 0 waiting>"


def limited(rate: float = 0.5, **options: float) -> AdaptiveRate:
    """One that has refused at 100, with ``rate`` in force and an empty bucket."""
    limiter = AdaptiveRate(min_rate=rate, **options)
    hear(limiter, "throttled", 100.0)
    assert limiter.limited and limiter.rate == rate
    return limiter


def test_the_bucket_is_empty_when_the_limit_comes():
    limiter = limited()
    assert limiter.take(100.0) is None and limiter.take(101.9) is None
    assert limiter.take(102.0) is not None
    assert repr(limiter) == "<AdaptiveRate 0.5/s, 0 waiting>"


def test_it_holds_a_second_of_tokens_or_the_burst():
    limiter = limited(4.0)
    assert sum(limiter.take(200.0) is not None for _ in range(9)) == 4
    limiter = limited(0.5, burst=3)
    assert sum(limiter.take(200.0) is not None for _ in range(9)) == 3


def test_a_claim_is_at_most_the_burst():
    limiter = AdaptiveRate(burst=2)
    assert limiter.take(0.0, 2) is not None
    with pytest.raises(ConfigurationError, match="it must be a number above 0, at most 2"):
        limiter.take(0.0, 3)


def test_what_came_in_at_the_old_rate_is_there_before_the_rate_changes():
    limiter = limited(1.0)
    limiter.measured, limiter.cubic = 100.0, Cubic(scale=1000.0)  # a steep one
    hear(limiter, "ok", 100.75)
    assert limiter.take(100.75) is None
    assert limiter.rate != 1.0
    place = limiter.reserve(100.75)
    assert isinstance(place, Reservation)
    assert limiter.claim(place, 100.75) == pytest.approx(100.75 + 0.25 / limiter.rate)


def test_a_rate_that_rises_wakes_the_head_and_nobody_else():
    limiter = limited(1.0)
    places = [limiter.reserve(100.0, waiter=Waiter()) for _ in range(3)]
    assert [limiter.claim(place, 100.0) for place in places if isinstance(place, Reservation)] == [101.0, 102.0, 103.0]
    limiter.measured = 1000.0
    slot = Slotted(limiter, 100.5).slot
    head = places[0]
    assert isinstance(head, Reservation)
    limiter.cubic = Cubic(scale=1000.0)  # a steep one
    assert limiter.release(slot, "ok", 100.5) is head.waiter
    assert limiter.rate > 10
    assert isinstance(limiter.claim(head, head.due), Claimed)


def test_one_that_falls_makes_the_head_wait_longer():
    limiter = limited(1.0)
    place = limiter.reserve(100.0, waiter=Waiter())
    assert isinstance(place, Reservation)
    limiter.min_rate = 0.25
    hear(limiter, "throttled", 100.5)
    assert limiter.claim(place, 101.0) == 100.5 + 0.5 / limiter.rate


def test_a_claim_that_was_put_back_is_there_again():
    limiter = limited(1.0)
    assert limiter.take(101.0) is not None and limiter.take(101.0) is None
    limiter.put_back(101.0)
    assert limiter.take(101.0) is not None
    free = AdaptiveRate()
    free.take(0.0)
    free.put_back(0.0)
    assert free.is_fresh(0.0)
    burst = limited(0.5, burst=3)
    burst.take(200.0)
    burst.put_back(200.0)
    assert sum(burst.take(200.0) is not None for _ in range(9)) == 3


def test_what_rounding_may_cost_is_not_waited_for():
    assert limited().take(102.0 - 1e-6) is not None  # half of a millionth of a token is lacking
    assert limited().take(102.0 - 1e-5) is None


def test_what_tells_nothing_is_not_learned_from():
    limiter = limited()
    before = limiter.measured, limiter.rate
    for _ in range(100):
        hear(limiter, "ignored", 200.0)
    assert (limiter.measured, limiter.rate) == before
    assert not limiter.is_fresh(399.0) and limiter.is_fresh(400.0)


@given(
    st.lists(
        st.tuples(st.floats(0, 1), st.sampled_from(["ok", "ok", "ok", "throttled", "dropped", "ignored"])), max_size=80
    ),
    st.floats(0, 1e8),
)
def test_nobody_is_told_a_time_for_nothing_and_the_level_is_never_negative(steps, now):
    """Whoever comes when it was told is granted, unless the rate has changed meanwhile."""
    limiter = AdaptiveRate()
    for seconds, fate in steps:
        now += seconds
        place = limiter.reserve(now)
        assert isinstance(place, Reservation)
        answer: object = None
        for _ in range(3):  # rounding may cost a look or two
            answer = limiter.claim(place, now)
            if isinstance(answer, Claimed):
                break
            assert isinstance(answer, float) and now < answer < now + 1 / limiter.min_rate + 1e-6
            now = answer
        assert isinstance(answer, Slot)
        assert limiter._level >= 0
        limiter.release(answer, fate, now)
        assert 0.5 <= limiter.rate <= max(0.5, 2 * limiter.measured)


@pytest.mark.parametrize(
    ("field", "value"),
    [("min_rate", 0), ("min_rate", inf), ("burst", 0.5), ("burst", nan), ("cubic", 0.7), ("max_wait", -1)],
)
def test_bad_values_are_refused_by_name(field, value):
    with pytest.raises(ConfigurationError, match=rf"^{field}: .* is not allowed; it must be "):
        AdaptiveRate(**{field: value})


@pytest.mark.parametrize(("field", "value"), [("beta", 0), ("beta", 1), ("scale", 0), ("scale", nan)])
def test_bad_curves_are_refused_by_name(field, value):
    with pytest.raises(ConfigurationError, match=rf"^{field}: .* is not allowed; it must be "):
        Cubic(**{field: value})
