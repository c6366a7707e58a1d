"""Adaptive concurrency: each law against its formula, told anew; the queue's part is in the stateful tests."""

from math import ceil, floor, inf, log10, nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansio_http.exceptions import ConfigurationError
from sansio_http.rate_limiter import AIMD, AdaptiveConcurrency, Fate, Gradient2, Reservation, Slot, Vegas
from sansio_http.step import Waiter


class Feeder:
    """Ends one send after the other, with so many in flight beside it."""

    def __init__(self, limiter: AdaptiveConcurrency) -> None:
        self.limiter = limiter
        self.now = 0.0

    def send(self, rtt: float, fate: Fate = "ok", *, beside: int | None = None) -> int:
        """The limit after it; by default all of the limit is in use."""
        limiter, start = self.limiter, self.now
        count = limiter.limit if beside is None else beside + 1
        slots = [limiter.take(start) for _ in range(count)]
        self.now += rtt
        assert isinstance(slots[0], Slot)
        limiter.release(slots[0], fate, self.now)
        for slot in slots[1:]:
            assert isinstance(slot, Slot)
            limiter.release(slot, "ignored", self.now)
        return limiter.limit


def test_defaults():
    assert [(law.min_limit, law.limit, law.max_limit) for law in (AIMD(), Gradient2(), Vegas())] == [
        (20, 20, 200),
        (20, 20, 200),
        (1, 20, 1000),
    ]


def test_aimd():
    feeder = Feeder(AIMD(initial=50))
    assert feeder.send(1.0) == 51
    assert feeder.send(5.0) == 52  # not above five seconds
    assert feeder.send(5.001) == 46  # floor(.9 * 52)
    assert feeder.send(0.1, "dropped") == 41
    assert feeder.send(0.1, "throttled") == 36
    assert feeder.send(0.1, "ignored") == 36
    assert feeder.send(0.1, beside=17) == 37  # half of it was in use
    assert feeder.send(0.1, beside=16) == 37
    for _ in range(30):
        feeder.send(0.1, "dropped")
    assert feeder.limiter.limit == 20
    feeder = Feeder(AIMD(initial=199))
    assert [feeder.send(0.1) for _ in range(3)] == [200, 200, 200]


@given(
    st.lists(
        st.tuples(
            st.floats(0.001, 10), st.sampled_from(["ok", "ok", "ok", "dropped", "throttled", "ignored"]), st.booleans()
        ),
        max_size=60,
    )
)
def test_gradient2_is_its_formula(samples):
    feeder = Feeder(law := Gradient2(min_limit=5, max_limit=60, initial=20))
    limit, usual, count = 20.0, 0.0, 0
    total = 0.0
    for rtt, fate, busy in samples:
        in_use, new = floor(limit) if busy else 1, limit
        if fate == "ok":
            if count < 10:
                count, total = count + 1, total + rtt if count else rtt
                usual = usual + (rtt - usual) / count
            else:
                usual = usual * (1 - 2 / 601) + rtt * 2 / 601
            gradient = max(0.5, min(1.0, 1.5 * usual / rtt))
            if usual / rtt > 2:
                usual *= 0.95
            new = 0.8 * limit + 0.2 * (gradient * limit + 4)
        elif fate != "ignored":
            new = 0.8 * limit + 0.2 * 0.5 * limit
        if fate != "ignored" and not in_use < limit / 2:
            limit = max(5, min(60, new))
        got = feeder.send(rtt, fate, beside=in_use - 1)
        assert got in (floor(limit - 1e-9), floor(limit + 1e-9))
        assert law.usual == pytest.approx(usual, rel=1e-6)


def test_gradient2_grows_by_what_may_queue_and_shrinks_with_the_gradient():
    feeder = Feeder(Gradient2(initial=100))
    assert feeder.send(0.1) == 100  # 100.8
    assert feeder.send(0.1) == 101
    assert feeder.send(0.1, beside=48) == 101
    for _ in range(10):
        feeder.send(0.1)
    before = feeder.limiter.limit
    assert feeder.send(1.0) == pytest.approx(before * 0.9 + 1.6, abs=1)


def test_gradient2_forgets_an_overload():
    feeder = Feeder(law := Gradient2())
    for _ in range(10):
        feeder.send(1.0)
    assert law.usual == 1.0
    for _ in range(40):
        feeder.send(0.1)
    assert law.usual < 0.21


def test_gradient2_remembers_longer_once_it_has_ten_samples():
    feeder = Feeder(law := Gradient2())
    for _ in range(10):
        feeder.send(1.0)
    feeder.send(4.0)
    assert law.usual == pytest.approx(1 + 3 * 2 / 601, rel=1e-12)


def test_gradient2_forgets_what_is_more_than_twice_the_sample_and_not_what_is_twice():
    feeder = Feeder(law := Gradient2())
    feeder.send(3.0)
    feeder.send(1.0)
    assert law.usual == 2.0
    feeder = Feeder(law := Gradient2())
    feeder.send(4.0)
    feeder.send(1.0)
    assert law.usual == 2.5 * 0.95


def test_vegas():
    """Alpha 3, beta 6, threshold 1 for limits of two digits; the limit grows fast while next to nothing queues."""
    feeder = Feeder(Vegas(initial=20))
    assert feeder.send(1.0) == 20  # the quickest
    assert feeder.send(1.0) == 26  # none queued: + beta
    assert feeder.send(1.03) == 32  # ceil(26 * .029) = 1
    assert feeder.send(1.05) == 33  # ceil(32 * .048) = 2: + 1
    assert feeder.send(1.10) == 33  # ceil(33 * .091) = 4
    assert feeder.send(1.20) == 33  # ceil(33 * .167) = 6
    assert feeder.send(1.25) == 32  # ceil(33 * .2) = 7: - 1
    assert feeder.send(0.5, "dropped") == 31  # and its time is not learned
    assert feeder.send(1.0) == 37
    assert feeder.send(1.0, beside=16) == 37
    assert feeder.send(9.0, "dropped", beside=16) == 37
    assert feeder.send(0.9) == 37  # quicker
    assert feeder.send(1.0) == 37  # ceil(37 * .1) = 4


def test_vegas_takes_steps_of_its_limits_size():
    feeder = Feeder(Vegas(initial=200))
    feeder.send(1.0)
    assert feeder.send(1.0) == 200 + 12
    assert feeder.send(1.5) == 210
    assert feeder.send(1 / (1 - 4.5 / 210)) == 212  # 5 queued, fewer than 3 * 2
    assert feeder.send(1 / (1 - 5.5 / 212)) == 212  # 6
    assert feeder.send(1 / (1 - 11.5 / 212)) == 212  # 12, not more than 6 * 2
    assert feeder.send(1 / (1 - 12.5 / 212)) == 210
    small = Feeder(Vegas(initial=2))
    small.send(1.0)
    assert [small.send(1.0, "dropped") for _ in range(3)] == [1, 1, 1]


def test_vegas_measures_the_quickest_anew():
    feeder = Feeder(Vegas(initial=2, min_limit=2, max_limit=2, probe=3.5))
    limiter = feeder.limiter
    feeder.send(1.0)
    for _ in range(6):
        feeder.send(4.0)
    limiter.max_limit = 100
    assert feeder.send(4.0) == 2  # the seventh, three and a half times the limit, is only remembered
    assert feeder.send(4.0) == 8  # nothing seems to queue


@given(
    st.lists(st.tuples(st.floats(0.001, 10), st.sampled_from(["ok", "ok", "ok", "dropped", "ignored"])), max_size=60)
)
def test_vegas_is_its_formula(samples):
    feeder = Feeder(Vegas(initial=9, max_limit=300, probe=1e9))
    limit, quickest = 9, inf
    for rtt, fate in samples:
        before = feeder.now
        got = feeder.send(rtt, fate)
        rtt = feeder.now - before  # as it was measured
        step = max(1, floor(log10(limit)))
        if fate == "dropped":
            limit -= step
        elif fate == "ok" and rtt < quickest:
            quickest = rtt
        elif fate == "ok":
            queued = ceil(limit * (1 - quickest / rtt))
            if queued <= step:
                limit += 6 * step
            elif queued < 3 * step:
                limit += step
            elif queued > 6 * step:
                limit -= step
        limit = max(1, min(300, limit))
        assert got == limit


@pytest.mark.parametrize("law", [lambda: Gradient2(initial=20, min_limit=1, queue=10), lambda: Vegas(initial=20)])
def test_half_of_the_limit_is_enough_to_learn_from(law):
    feeder = Feeder(law())
    assert feeder.send(1.0, beside=8) == 20
    assert (grown := feeder.send(1.0, beside=9)) in (22, 26)
    assert feeder.send(1.0, "dropped", beside=grown // 2 - 2) == grown
    assert feeder.send(1.0, "dropped", beside=grown // 2 - 1) < grown


@pytest.mark.parametrize("law", [Gradient2(initial=20), Vegas(initial=20)])
def test_a_clock_that_stands_still_teaches_nothing_wrong(law):
    feeder = Feeder(law)
    for _ in range(5):
        feeder.send(0.0)
    assert law.limit >= 20


def test_a_limit_that_falls_takes_nothing_away_and_one_that_rises_wakes_the_head():
    law = AIMD(min_limit=1, initial=4, backoff=0.5)
    slots = [law.take(0.0) for _ in range(4)]
    places = [law.reserve(0.0, waiter=Waiter()) for _ in range(3)]
    for place in places:
        assert isinstance(place, Reservation) and law.claim(place, 0.0) is None
    released = [law.release(slot, "dropped", 1.0) for slot in slots[:2] if slot is not None]
    assert (released, law.limit, law.in_use) == ([None, None], 1, 2)
    third, fourth = slots[2:]
    assert third is not None and fourth is not None
    assert isinstance(places[0], Reservation) and isinstance(places[1], Reservation)
    assert law.release(third, "ignored", 1.0) is None
    assert law.release(fourth, "ok", 1.0) is places[0].waiter  # the last but one had to come back, and the limit rose
    claimed = law.claim(places[0], 1.0)
    assert isinstance(claimed, Slot) and claimed.nudge is places[1].waiter


def test_how_a_send_ended_is_learned_once():
    law = AIMD(initial=50)
    slots = [law.take(0.0) for _ in range(50)]
    slot = slots[0]
    assert isinstance(slot, Slot)
    law.settle(slot, "ok", 1.0)
    law.settle(slot, "ok", 1.0)
    law.release(slot, "dropped", 2.0)
    assert (law.limit, law.in_use) == (51, 49)


def test_what_was_learned_is_forgotten_after_a_while():
    law = AIMD()
    assert law.is_fresh(0.0)
    slot = law.take(0.0)
    assert slot is not None and not law.is_fresh(1000.0)
    law.release(slot, "ok", 1000.0)
    assert not law.is_fresh(1299.0) and law.is_fresh(1300.0)


def test_a_claim_is_never_larger_than_the_limit_may_become():
    law = AIMD(min_limit=3, initial=10)
    with pytest.raises(
        ConfigurationError, match="tokens: 4 is not allowed; it must be a whole number above 0, at most 3"
    ):
        law.take(0.0, 4)


@pytest.mark.parametrize(
    ("law", "options"),
    [
        (law, {field: value})
        for law in (AIMD, Gradient2, Vegas)
        for field in ("min_limit", "initial")
        for value in (0, 1.5)
    ]
    + [(law, {"max_limit": value}) for law in (AIMD, Gradient2) for value in (19, True)]
    + [(Vegas, {"max_limit": 0}), (AIMD, {"initial": 201}), (AIMD, {"max_waiting": -1})]
    + [(AIMD, {"timeout": value}) for value in (0, nan)]
    + [(AIMD, {"backoff": value}) for value in (0.4, 1)]
    + [
        (Gradient2, {"tolerance": 0.9}),
        (Gradient2, {"queue": -1}),
        (Gradient2, {"smoothing": 0}),
        (Vegas, {"probe": 0}),
    ],
)
def test_bad_values_are_refused_by_name(law: Any, options: dict[str, Any]):
    (field,) = options
    with pytest.raises(ConfigurationError, match=rf"^{field}: .* is not allowed; it must be "):
        law(**options)
