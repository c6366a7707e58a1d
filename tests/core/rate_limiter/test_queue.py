"""The queue that all limiters share: what its answers say, whom it wakes, and what it refuses."""

from math import inf, nan, nextafter

import pytest

from sansio_http.exceptions import ConfigurationError, DriverError
from sansio_http.rate_limiter import (
    Claimed,
    Concurrency,
    Limiter,
    Refused,
    Reservation,
    ServerQuota,
    SlidingWindow,
    Slot,
    TokenBucket,
)
from sansio_http.rate_limiter.queue import CROWD, GRACE, RECHECK
from sansio_http.step import Waiter


def reserve(limiter: Limiter, now: float, tokens: float = 1, waiter: Waiter | None = None) -> Reservation:
    place = limiter.reserve(now, tokens, waiter=waiter)
    assert isinstance(place, Reservation)
    return place


def claim(limiter: Limiter, place: Reservation, now: float) -> Claimed:
    """A claim that succeeds."""
    claimed = limiter.claim(place, now)
    assert isinstance(claimed, Claimed)
    return claimed


def queue(limiter: Limiter, now: float, count: int) -> list[Reservation]:
    """So many places of one token, each with a waiter, each told its time."""
    places = []
    for _ in range(count):
        place = reserve(limiter, now, waiter=Waiter())
        assert not isinstance(limiter.claim(place, now), Claimed)
        places.append(place)
    return places


def drained(rate: float = 1.0) -> TokenBucket:
    """A bucket for one token, which is taken at 0."""
    bucket = TokenBucket(rate, 1)
    assert isinstance(bucket.take(0.0), Claimed)
    return bucket


# -- reserve ----------------------------------------------------------------------------------------------------------


def test_the_first_claim_may_follow_at_once():
    bucket = TokenBucket(1, 2)
    place = reserve(bucket, 5.0)
    assert bucket.waiting == 1
    assert bucket.claimable(place, 5.0)
    assert claim(bucket, place, 5.0).nudge is None
    assert bucket.waiting == 0


def test_each_is_told_when_its_tokens_come():
    bucket = drained(rate=4)
    assert [bucket.claim(reserve(bucket, 0.0), 0.0) for _ in range(3)] == [0.25, 0.5, 0.75]


def test_a_wait_that_is_too_long_is_not_begun():
    bucket = drained()
    queue(bucket, 0.0, 2)
    refused = bucket.reserve(0.5, max_wait=2.25)
    assert isinstance(refused, Refused)
    assert refused.retry_at == 3.0
    assert bucket.waiting == 2
    assert isinstance(bucket.reserve(0.5, max_wait=2.5), Reservation)


@pytest.mark.parametrize(("own", "asked"), [(0.5, None), (None, 0.5), (0.5, 30.0), (30.0, 0.5)])
def test_the_smaller_max_wait_counts(own, asked):
    bucket = TokenBucket(1, 1, max_wait=own)
    assert bucket.max_wait == own
    bucket.take(0.0)
    assert isinstance(bucket.reserve(0.0, max_wait=asked), Refused)
    assert isinstance(bucket.reserve(0.5, max_wait=asked), Reservation)


def test_what_is_there_at_once_is_never_refused():
    assert isinstance(TokenBucket(1, 1, max_wait=0).reserve(0.0, max_wait=-1.0), Reservation)


@pytest.mark.parametrize("limiter", [TokenBucket(1, 5), SlidingWindow(5, 1.0), Concurrency(5)], ids=repr)
@pytest.mark.parametrize("tokens", [0, -1, 6, 5.5, nan, inf, -inf, True, "1", None, 10**400], ids=repr)
def test_tokens_that_can_never_be_had_are_misuse(limiter, tokens):
    with pytest.raises(ConfigurationError, match=r"^tokens: .* is not allowed; it must be a .*number.* at most 5$"):
        limiter.reserve(0.0, tokens)
    assert limiter.waiting == 0


@pytest.mark.parametrize("limiter", [TokenBucket(1, 5), SlidingWindow(5, 1.0), Concurrency(5)], ids=repr)
@pytest.mark.parametrize("tokens", [0, -1, 6, nan, True, "1"], ids=repr)
def test_to_take_them_at_once_is_misuse_as_well(limiter, tokens):
    with pytest.raises(ConfigurationError, match=r"^tokens: "):
        limiter.take(0.0, tokens)
    assert limiter.is_fresh(0.0)


@pytest.mark.parametrize("limiter", [SlidingWindow(5, 1.0), Concurrency(5)], ids=repr)
def test_what_is_counted_has_no_fractions(limiter):
    with pytest.raises(ConfigurationError, match="whole number"):
        limiter.reserve(0.0, 1.5)


@pytest.mark.parametrize("max_wait", [-1, nan, inf, True, "1"], ids=repr)
@pytest.mark.parametrize(
    "make",
    [
        lambda max_wait: TokenBucket(1, 1, max_wait=max_wait),
        lambda max_wait: SlidingWindow(1, 1.0, max_wait=max_wait),
        lambda max_wait: Concurrency(1, max_wait=max_wait),
    ],
    ids=["bucket", "window", "slots"],
)
def test_a_max_wait_must_be_a_number_of_seconds(make, max_wait):
    with pytest.raises(ConfigurationError, match=r"^max_wait: .* finite seconds, 0 or more, or None$"):
        make(max_wait)


# -- claim ------------------------------------------------------------------------------------------------------------


def test_who_comes_early_is_told_the_same_time_again():
    bucket = drained()
    first, second = queue(bucket, 0.0, 2)
    assert [bucket.claim(place, 0.25) for place in (first, second, first)] == [1.0, 2.0, 1.0]


def test_who_comes_in_time_and_is_not_the_head_parks():
    bucket = drained(rate=2)
    first, second, third = queue(bucket, 0.0, 3)
    assert bucket.claim(second, 1.0) == 1.0 + RECHECK
    assert claim(bucket, first, 1.25).nudge is second.waiter
    assert bucket.claim(second, 1.25) == 1.75
    assert bucket.claim(third, 1.5) == 1.5 + RECHECK


def test_who_parks_in_a_long_queue_is_told_a_new_estimate():
    bucket = drained(rate=2)
    places = queue(bucket, 0.0, 20)
    # All have slept too long. The first, who is late, is passed; of the others nine are ahead.
    assert bucket.claim(places[10], 10.0) == 14.5


def test_of_a_crowd_each_looks_again_less_often():
    for waiting, seconds in ((CROWD, RECHECK), (5 * CROWD, 5 * RECHECK)):
        bucket = drained(rate=1e6)
        *_, last = [reserve(bucket, 0.0) for _ in range(waiting)]
        assert bucket.claim(last, 0.5) == 0.5 + seconds


def test_an_estimate_counts_all_who_are_ahead():
    quota = ServerQuota()
    quota.adopt(0, 10.0, 0.0, quota=1, window=10.0)
    first, second = queue(quota, 0.0, 2)
    quota.hold_off(100.0, 5.0)
    assert quota.claim(first, 10.0) == 105.0
    assert quota.claim(second, 20.0) == 115.0


def test_an_estimate_counts_no_more_than_are_there():
    bucket = drained(rate=2)
    places = queue(bucket, 0.0, 20)
    for place in places[2:13]:
        bucket.cancel(place, 9.0)
    assert bucket.claim(places[-1], 10.0) == 13.5


def test_an_answer_is_later_than_now_even_where_rounding_says_otherwise():
    bucket = TokenBucket(1e9, 1)
    bucket.take(0.3)
    place = reserve(bucket, -1e9)  # another clock, whose readings are 1e-7 apart
    assert bucket.claim(place, -1e9) == nextafter(-1e9, 0)
    claim(bucket, place, nextafter(-1e9, 0))


@pytest.mark.parametrize("end", ["claim", "cancel"])
def test_to_claim_what_is_over_is_the_drivers_bug(end):
    bucket = TokenBucket(1, 1)
    place = reserve(bucket, 0.0)
    getattr(bucket, end)(place, 0.0)
    with pytest.raises(
        DriverError, match=r"^<Reservation of 1, (claimed|cancelled)> cannot be claimed: its wait is over$"
    ):
        bucket.claim(place, 0.0)
    assert not bucket.claimable(place, 0.0)


LAWS = pytest.mark.parametrize(
    "make",
    [lambda: TokenBucket(1, 3), lambda: SlidingWindow(3, 3.0), lambda: Concurrency(3)],
    ids=["bucket", "window", "slots"],
)


@LAWS
def test_what_is_there_can_be_taken_without_a_place(make):
    limiter = make()
    assert isinstance(limiter.take(0.0, 2), Claimed)
    assert limiter.take(0.0, 2) is None
    assert isinstance(limiter.take(0.0), Claimed)
    assert limiter.take(0.0) is None
    assert limiter.waiting == 0


@LAWS
def test_where_somebody_waits_nothing_is_there_for_others(make):
    limiter = make()
    limiter.take(100.0, 2)
    heavy = reserve(limiter, 100.0, 2)
    assert limiter.take(100.0) is None
    limiter.put_back(100.0, 2)
    assert limiter.take(100.0) is None
    claim(limiter, heavy, 100.0)
    assert isinstance(limiter.take(100.0), Claimed)


def test_what_was_taken_can_be_put_back_at_the_same_time():
    bucket = TokenBucket(1, 3)
    bucket.take(0.0)
    bucket.take(0.0, 2)
    waiter = Waiter()
    place = reserve(bucket, 0.0, waiter=waiter)
    assert bucket.claim(place, 0.0) == 1.0
    assert bucket.put_back(0.0, 2) is waiter
    claim(bucket, place, 0.0)
    assert bucket.available(0.0) == 1


# -- cancel and put back ----------------------------------------------------------------------------------------------


def test_a_head_that_cancels_wakes_the_next():
    bucket = drained()
    first, second, third = queue(bucket, 0.0, 3)
    assert bucket.cancel(first, 0.5) is second.waiter
    assert bucket.cancel(first, 0.5) is None
    assert bucket.claim(second, 0.5) == 1.0
    assert claim(bucket, second, 1.0).nudge is third.waiter
    assert bucket.claim(third, 1.0) == 2.0


def test_one_that_cancels_exactly_at_its_grant_wakes_the_next():
    bucket = drained()
    first, second = queue(bucket, 0.0, 2)
    assert bucket.cancel(first, 1.0) is second.waiter
    claim(bucket, second, 1.0)


def test_one_in_the_middle_that_cancels_wakes_nobody_until_its_turn_comes():
    bucket = drained()
    first, second, third = queue(bucket, 0.0, 3)
    assert bucket.cancel(second, 0.5) is None
    assert claim(bucket, first, 1.0).nudge is third.waiter
    assert claim(bucket, third, 2.0).nudge is None


def test_a_new_head_whose_turn_is_when_it_was_told_is_not_woken():
    bucket = drained()
    first, _ = queue(bucket, 0.0, 2)
    assert claim(bucket, first, 1.0).nudge is None


def test_somebody_who_gave_no_waiter_looks_by_himself():
    bucket = drained()
    first, second = reserve(bucket, 0.0), reserve(bucket, 0.0)
    assert bucket.cancel(first, 0.5) is None
    claim(bucket, second, 1.0)


def test_what_was_claimed_and_put_back_is_there_for_the_next():
    bucket = drained()
    first, second = queue(bucket, 0.0, 2)
    assert claim(bucket, first, 1.0).nudge is None
    assert bucket.put_back(1.0) is second.waiter
    claim(bucket, second, 1.0)
    assert bucket.available(1.0) == 0


# -- who is late ------------------------------------------------------------------------------------------------------


def test_a_late_head_is_passed_and_keeps_its_right():
    bucket = drained()
    first, second, third = queue(bucket, 0.0, 3)
    claim(bucket, second, 1.0 + GRACE)
    assert bucket.claim(first, 2.5) == 3.0  # no token is there: it is the head again
    assert not bucket.claimable(third, 3.0)
    assert claim(bucket, first, 3.0).nudge is None
    assert bucket.claim(third, 3.0) == 4.0


def test_a_late_head_that_was_passed_claims_at_once_if_it_can():
    bucket = TokenBucket(1, 2)
    bucket.take(0.0, 2)
    first, second = queue(bucket, 0.0, 2)
    claim(bucket, second, 2.0)
    assert bucket.waiting == 0
    assert bucket.claimable(first, 2.0)
    claim(bucket, first, 2.0)


def test_the_last_that_was_passed_is_the_head_again_and_others_queue_behind_it():
    bucket = drained()
    first, second = queue(bucket, 0.0, 2)
    bucket.claim(second, 2.0)
    assert bucket.claim(first, 2.25) == 3.0
    assert bucket.waiting == 1
    assert bucket.claim(reserve(bucket, 2.5), 2.5) == 4.0


def test_where_all_are_late_a_newcomer_is_alone():
    bucket = drained()
    queue(bucket, 0.0, 1)
    assert bucket.take(5.0) is None  # it does not come to wait
    place = reserve(bucket, 5.0)
    assert bucket.waiting == 1
    claim(bucket, place, 5.0)


def test_where_all_are_late_a_newcomers_wait_is_known():
    bucket = TokenBucket(0.25, 4)
    bucket.take(0.0, 4)
    queue(bucket, 0.0, 1)
    refused = bucket.reserve(5.0, 4, max_wait=2.0)
    assert isinstance(refused, Refused) and refused.retry_at == 16.0


def test_who_finds_the_head_late_looks_again_soon():
    bucket = drained(rate=0.125)
    _, _, third = queue(bucket, 0.0, 3)
    assert bucket.claim(third, 8.5) == 24.0
    assert bucket.claim(third, 9.0) == 9.0 + RECHECK


def test_whoever_comes_does_not_pass_itself():
    bucket = drained()
    _, second, third = queue(bucket, 0.0, 3)
    newcomer = reserve(bucket, 10.0)  # passes the first, and the second is called
    claim(bucket, third, 10.0 + GRACE)
    assert bucket.claim(second, 11.0) == 12.0
    assert not bucket.claimable(newcomer, 12.0)


@pytest.mark.parametrize("alone", [True, False])
def test_estimates_behind_one_that_was_passed_and_is_back_count_it_once(alone):
    bucket = TokenBucket(2, 8)
    bucket.take(0.0, 8)
    first, second = reserve(bucket, 0.0, 5), reserve(bucket, 0.0, 8)
    others = [] if alone else [reserve(bucket, 6.0), reserve(bucket, 6.0, 8)]
    claim(bucket, second, 6.5)  # passes the first
    assert bucket.claim(first, 6.5) == 9.0
    others = others or [reserve(bucket, 6.5), reserve(bucket, 6.5, 8)]
    # The first is the head again and is late, but not so late as to be passed: five tokens are ahead.
    assert bucket.claim(others[0], 7.0 if not alone else 9.5) == (9.5 if not alone else 9.5 + RECHECK)


def test_who_stands_behind_one_that_was_passed_and_is_back_can_leave():
    bucket = drained()
    first, second, third, fourth = queue(bucket, 0.0, 4)
    claim(bucket, second, 2.0)
    assert bucket.claim(first, 2.0) == 3.0  # it is the head again
    assert bucket.cancel(third, 2.0) is None
    assert bucket.waiting == 2
    assert claim(bucket, first, 3.0).nudge is None
    claim(bucket, fourth, 4.0)


def test_one_that_was_passed_can_cancel():
    bucket = drained()
    first, second, third = queue(bucket, 0.0, 3)
    bucket.claim(second, 2.0)
    assert bucket.cancel(first, 2.0) is None
    assert not bucket.claimable(first, 3.0)
    claim(bucket, third, 3.0)


def test_nobody_is_passed_in_the_second_after_its_time():
    bucket = drained()
    _, second = queue(bucket, 0.0, 2)
    early = 1.0 + GRACE - 1 / 64
    assert bucket.claim(second, early) == 2.0
    assert not bucket.claimable(second, early)


def test_a_dead_head_in_front_of_slots_is_passed_while_many_come_and_go():
    slots = Concurrency(2)
    first, second = slots.take(0.0), slots.take(0.0)
    assert isinstance(first, Slot) and isinstance(second, Slot)
    dead, alive = queue(slots, 0.0, 2)
    assert slots.release(first, "ok", 1.0) is dead.waiter
    assert slots.release(second, "ok", 1.5) is None  # which does not make its grace any longer
    assert slots.claim(alive, 1.75) is None
    claim(slots, alive, 2.0)


def test_a_head_that_became_so_unnoticed_is_nudged_by_the_next_who_can():
    slots = Concurrency(2)
    held = [slots.take(0.0), slots.take(0.0)]
    late, unaware = queue(slots, 0.0, 2)
    assert slots.claim(late, 0.0) is None and slots.claim(unaware, 0.0) is None
    for slot, woken in zip(held, (late.waiter, None), strict=True):
        assert isinstance(slot, Slot)
        assert slots.release(slot, "ok", 1.0) is woken
    newcomer = reserve(slots, 1.0 + GRACE)  # passes the first, and cannot wake the second
    assert slots.claim(newcomer, 2.0) == 2.0 + RECHECK
    assert claim(slots, late, 2.25).nudge is unaware.waiter
    assert slots.claim(newcomer, 2.5) == 2.0 + RECHECK
    assert claim(slots, unaware, 2.5).nudge is None


def test_a_head_that_became_so_unnoticed_may_be_late_as_well():
    slots = Concurrency(1)
    slot = slots.take(0.0)
    assert isinstance(slot, Slot)
    queue(slots, 0.0, 2)
    slots.release(slot, "ok", 1.0)
    newcomer = reserve(slots, 2.0)  # passes the first; the second does not come either
    assert not slots.claimable(newcomer, 2.0 + GRACE - 1 / 64)
    claim(slots, newcomer, 2.0 + GRACE)


# -- clocks -----------------------------------------------------------------------------------------------------------


def test_another_clock_neither_freezes_nor_forgets():
    bucket = TokenBucket(1, 1)
    bucket.take(77_676.0)
    place = reserve(bucket, 5.0)  # nobody knows how long it was
    assert bucket.rebases == 1
    assert bucket.claim(place, 5.0) == 6.0
    claim(bucket, place, 6.0)


def test_a_small_step_back_gives_nothing_away():
    bucket = drained()
    place = reserve(bucket, -0.5)
    assert bucket.claim(place, -0.5) == 1.0
    assert bucket.rebases == 0


# -- freshness, reprs, and room for more laws -------------------------------------------------------------------------


def test_fresh_is_full_with_nobody_waiting():
    bucket = TokenBucket(1, 2)
    assert bucket.is_fresh(0.0)
    place = reserve(bucket, 0.0)
    assert not bucket.is_fresh(0.0)
    bucket.claim(place, 0.0)
    assert not bucket.is_fresh(0.5)
    assert bucket.is_fresh(1.0)


def test_reprs_say_what_a_person_wants_to_know():
    bucket = drained()
    first, second = queue(bucket, 0.0, 2)
    assert repr(first) == "<Reservation of 1, waiting>"
    assert repr(bucket.reserve(0.0, max_wait=0.5)) == "<Refused until 3>"
    bucket.cancel(second, 0.0)
    third = reserve(bucket, 0.0, waiter=Waiter())
    bucket.claim(third, 3.0)  # passes the first
    assert repr(first) == "<Reservation of 1, passed>"
    bucket.cancel(third, 3.0)
    assert repr(third) == "<Reservation of 1, claimed>"
    assert repr(second) == "<Reservation of 1, cancelled>"
    assert repr(bucket) == "<TokenBucket 1/s, burst 1, 0 waiting>"
    assert Refused(1.0).why == "has no place in time"
    assert [repr(Claimed(None)), repr(Claimed(Waiter()))] == ["<Claimed>", "<Claimed, with a nudge>"]


class Both(Limiter):
    """Two limits at once, in the few lines that it takes to be a law."""

    def __init__(self, *parts: Limiter) -> None:
        super().__init__(min(part._capacity for part in parts), None)
        self.parts = parts

    def _ready_at(self, ahead, tokens, time):
        return max(part._ready_at(ahead, tokens, time) for part in self.parts)

    def _take(self, tokens, time):
        for part in self.parts:
            part._take(tokens, time)

    def _untake(self, tokens, time):
        for part in self.parts:
            part._untake(tokens, time)

    def _is_full(self, time):
        return all(part._is_full(time) for part in self.parts)


def test_several_limits_at_once_are_a_law_like_any_other():
    both = Both(TokenBucket(4, 2), SlidingWindow(3, 2.0))
    assert isinstance(both.take(0.0), Claimed) and isinstance(both.take(0.0), Claimed)
    places = queue(both, 0.0, 4)
    for place, now in zip(places, (0.25, 2.0, 2.0), strict=False):
        claim(both, place, now)
    assert both.claim(places[-1], 2.0) == 2.25
    claim(both, places[-1], 2.25)
    assert both.take(2.25) is None
    both.put_back(2.25)
    assert isinstance(both.take(2.25), Claimed)
    assert not both.is_fresh(4.0)
    assert both.is_fresh(4.25)
