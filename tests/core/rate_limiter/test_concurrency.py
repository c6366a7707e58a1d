"""The concurrency limit's own: slots, and how they come back."""

from math import inf, nan

import pytest

from sansio_http.exceptions import ConfigurationError
from sansio_http.rate_limiter import Concurrency, Refused, Reservation, Slot
from sansio_http.step import Waiter


def take(slots: Concurrency, tokens: int = 1) -> Slot:
    slot = slots.take(0.0, tokens)
    assert isinstance(slot, Slot)
    return slot


def claim(slots: Concurrency, place: Reservation, now: float) -> Slot:
    slot = slots.claim(place, now)
    assert isinstance(slot, Slot)
    return slot


def wait(slots: Concurrency, tokens: int = 1) -> Reservation:
    """A place of somebody who has to wait."""
    place = slots.reserve(0.0, tokens, waiter=Waiter())
    assert isinstance(place, Reservation)
    assert slots.claim(place, 0.0) is None
    return place


def test_so_many_are_in_flight_and_no_more():
    slots = Concurrency(2)
    first, _ = take(slots), take(slots)
    assert slots.take(0.0) is None
    assert slots.in_use == 2
    assert slots.release(first, "ok", 1.0) is None
    assert slots.in_use == 1
    assert isinstance(slots.take(1.0), Slot)


def test_a_slot_that_comes_back_wakes_the_first_and_only_the_first():
    slots = Concurrency(1)
    slot = take(slots)
    first, second = wait(slots), wait(slots)
    assert slots.release(slot, "dropped", 1.0) is first.waiter
    assert slots.claim(second, 1.0) is None
    assert slots.take(1.0) is None  # nobody overtakes
    claimed = claim(slots, first, 1.0)
    assert claimed.nudge is None
    assert slots.release(claimed, "ok", 2.0) is second.waiter


def test_slots_that_come_back_together_go_from_one_to_the_next():
    slots = Concurrency(2)
    heavy = take(slots, 2)
    places = [wait(slots) for _ in range(3)]
    assert slots.release(heavy, "ok", 1.0) is places[0].waiter
    first = claim(slots, places[0], 1.0)
    assert first.nudge is places[1].waiter
    assert repr(first) == "<Slot, with a nudge>"
    assert claim(slots, places[1], 1.0).nudge is None
    assert repr(slots) == "<Concurrency 2 of 2 in use, 1 waiting>"


def test_a_heavy_head_holds_lighter_ones_back():
    slots = Concurrency(3)
    held = [take(slots) for _ in range(3)]
    heavy, light = wait(slots, 2), wait(slots)
    assert slots.release(held[0], "ok", 1.0) is None
    assert slots.claim(light, 1.0) is None
    wait(slots)  # one is free, but not for a newcomer either
    assert slots.release(held[1], "ok", 1.0) is heavy.waiter
    assert claim(slots, heavy, 1.0).tokens == 2
    assert slots.in_use == 3


def test_a_slot_is_given_back_once():
    slots = Concurrency(2)
    first, _ = take(slots), take(slots)
    for _ in range(3):
        slots.release(first, "ignored", 1.0)
    assert first.tokens == 0
    assert slots.in_use == 1


def test_a_slot_that_was_claimed_is_given_back_once_as_well():
    slots = Concurrency(2)
    slots.take(0.0)
    place = slots.reserve(0.0)
    assert isinstance(place, Reservation)
    slot = claim(slots, place, 0.0)
    for _ in range(2):
        slots.release(slot, "ok", 5.0)
    assert slots.in_use == 1


def test_what_was_taken_can_be_put_back_like_any_token():
    slots = Concurrency(3)
    take(slots, 3)
    place = wait(slots, 2)
    assert slots.put_back(0.0, 1) is None
    assert slots.put_back(0.0, 2) is place.waiter
    assert slots.in_use == 0


def test_an_unknown_wait_is_refused_by_a_max_wait_of_0_alone():
    slots = Concurrency(1)
    slots.take(5.0)
    refused = slots.reserve(5.0, max_wait=0)
    assert isinstance(refused, Refused)
    assert refused.retry_at == 6.0
    assert isinstance(slots.reserve(5.0, max_wait=0.001), Reservation)
    own = Concurrency(1, max_wait=0)
    place = own.reserve(0.0)
    assert isinstance(place, Reservation)
    claim(own, place, 0.0)
    assert isinstance(own.reserve(0.0), Refused)


def test_fresh_is_nobody_in_flight_and_nobody_waiting():
    slots = Concurrency(1)
    assert slots.is_fresh(0.0)
    slot = take(slots)
    assert not slots.is_fresh(0.0)
    slots.release(slot, "ok", 0.0)
    assert slots.is_fresh(0.0)
    assert (slots.limit, slots.max_wait) == (1, None)


@pytest.mark.parametrize("limit", [0, -1, nan, inf, True, False, 1.0, "1", None], ids=repr)
def test_a_limit_must_be_a_whole_number_from_1_on(limit):
    with pytest.raises(ConfigurationError) as caught:
        Concurrency(limit)
    assert str(caught.value).startswith(f"limit: {limit!r} is not allowed; it must be a whole number, 1 or more")


def test_a_queue_that_is_full_refuses_who_comes():
    slots = Concurrency(1, max_waiting=2)
    slot = take(slots)
    first = wait(slots)
    wait(slots)
    refused = slots.reserve(5.0)
    assert isinstance(refused, Refused)
    assert (refused.retry_at, refused.why) == (6.0, "has a full queue: 2 waiting")
    slots.cancel(first, 5.0)
    assert isinstance(slots.reserve(5.0), Reservation)
    slots.release(slot, "ok", 5.0)


def test_a_queue_of_no_places_lets_in_whoever_need_not_wait():
    slots = Concurrency(2, max_waiting=0)
    places = [slots.reserve(0.0) for _ in range(2)]
    for place in places:
        assert isinstance(place, Reservation)
        claim(slots, place, 0.0)
    assert isinstance(slots.reserve(0.0), Refused)


@pytest.mark.parametrize("value", [-1, 1.5, True, "1"])
def test_a_queue_is_so_long(value):
    with pytest.raises(
        ConfigurationError, match=r"^max_waiting: .* is not allowed; it must be a whole number, 0 or more"
    ):
        Concurrency(1, max_waiting=value)
