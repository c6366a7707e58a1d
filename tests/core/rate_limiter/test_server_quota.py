"""The server's own limit: what it asks for is kept, and what it leaves is never overdrawn."""

from math import nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansio_http.exceptions import ConfigurationError
from sansio_http.rate_limiter import Claimed, Reservation, ServerQuota, Slot
from sansio_http.step import Waiter


def take(limit: ServerQuota, now: float, tokens: float = 1) -> Slot:
    slot = limit.take(now, tokens)
    assert isinstance(slot, Slot)
    return slot


def count(limit: ServerQuota, now: float, most: int = 50) -> int:
    """How many can be taken at once."""
    return sum(limit.take(now) is not None for _ in range(most))


def test_there_is_no_limit_until_the_server_names_one():
    limit = ServerQuota()
    assert count(limit, 0.0) == 50 and repr(limit) == "<ServerQuota no limit yet, 0 waiting>"


def test_nobody_goes_before_the_time_it_asked_for():
    limit = ServerQuota()
    limit.hold_off(10.0, 5.0)
    limit.hold_off(1.0, 6.0)  # another answer, which is not the last word
    place = limit.reserve(7.0)
    assert isinstance(place, Reservation)
    assert limit.claim(place, 7.0) == 15.0
    assert isinstance(limit.claim(place, 15.0), Claimed)


def test_but_it_is_not_believed_everything():
    limit = ServerQuota(longest=60.0)
    limit.hold_off(2.0**31, 0.0)
    assert limit.take(59.9) is None and limit.take(60.0) is not None
    limit.adopt(0, 2.0**31, 60.0)
    assert limit.take(119.9) is None and limit.take(120.0) is not None


def test_so_many_go_as_are_left_and_the_rest_after_the_reset():
    limit = ServerQuota()
    limit.adopt(3, 10.0, 0.0)
    assert repr(limit) == "<ServerQuota 3 left, 0 waiting>"
    assert count(limit, 1.0) == 3
    places = [limit.reserve(2.0) for _ in range(5)]
    due = [place.due for place in places if isinstance(place, Reservation)]
    assert due == [10.0, 10.0, 10.0, 10.0, 20.0]  # the most that was ever left, and the one that said so, make a quota


def test_what_is_in_flight_is_taken_for_not_counted_yet():
    limit = ServerQuota()
    slots = [take(limit, 0.0) for _ in range(4)]
    limit.release(slots[0], "ok", 1.0)
    limit.adopt(5, 60.0, 1.0)  # in the first answer
    assert count(limit, 1.0) == 2


def test_an_older_answer_that_was_overtaken_gives_nothing_back():
    limit = ServerQuota()
    limit.adopt(4, 60.0, 0.0)
    limit.adopt(9, 60.0, 0.5)
    assert count(limit, 0.5) == 4
    limit.adopt(30, 59.5, 61.0)  # another window
    assert limit.take(61.0) is not None


def test_a_quota_and_a_window_that_it_names_go_on_without_it():
    limit = ServerQuota()
    limit.adopt(0, 4.0, 0.0, quota=3, window=30.0)
    assert limit.take(3.9) is None
    assert count(limit, 4.0) == 3 and limit.take(33.9) is None
    assert count(limit, 34.0) == 3
    assert count(limit, 1000.0) == 3  # a window after an idle time begins then
    assert limit.take(1029.0) is None and limit.take(1030.0) is not None


def test_a_reset_that_it_does_not_name_is_the_window_it_named():
    limit = ServerQuota()
    limit.adopt(0, None, 0.0)  # nothing is known of when
    assert limit.take(0.0) is not None
    limit.adopt(None, None, 0.0, quota=2, window=8.0)  # nor of how many are left
    assert count(limit, 0.0) == 50
    limit = ServerQuota()
    limit.adopt(0, None, 0.0, quota=2, window=8.0)
    assert limit.take(7.0) is None and limit.take(8.0) is not None


def test_what_is_left_is_of_no_use_without_a_reset_or_a_window():
    limit = ServerQuota()
    limit.adopt(2, None, 0.0)
    limit.adopt(None, 5.0, 0.0)  # nor is a reset without what is left
    assert count(limit, 0.0) == 50


def test_windows_go_on_from_the_reset_whoever_comes_in_between():
    limit = ServerQuota()
    limit.adopt(0, 4.0, 0.0, quota=3, window=30.0)
    assert count(limit, 10.0) == 3 and limit.take(33.9) is None
    assert count(limit, 34.0) == 3
    limit = ServerQuota()
    limit.adopt(0, 4.0, 0.0, quota=3, window=30.0)
    assert count(limit, 34.0) == 3  # a whole window was idle


def test_a_reset_later_than_a_window_keeps_what_is_left():
    limit = ServerQuota()
    limit.adopt(1, 100.0, 0.0, quota=4, window=10.0)
    assert count(limit, 0.0) == 1


def test_a_quota_is_the_one_that_was_named_last_and_one_at_least():
    limit = ServerQuota()
    limit.adopt(0, 4.0, 0.0, quota=5, window=1.0)
    limit.adopt(0, 4.0, 0.0, quota=1, window=1.0)
    assert count(limit, 4.0) == 1 and count(limit, 5.0) == 1
    limit = ServerQuota()
    limit.adopt(0, 10.0, 0.0)  # nobody has said what there is
    assert count(limit, 10.0) == 1


def test_of_two_reports_of_one_reset_the_later_says_when_and_the_lesser_how_many():
    limit = ServerQuota()
    limit.adopt(0, 10.0, 0.0)
    limit.adopt(0, 10.0, 0.5)
    assert limit.take(10.0) is None and limit.take(10.5) is not None
    limit = ServerQuota()
    limit.adopt(0, 10.0, 0.0)
    limit.adopt(5, 10.0, 1.0)  # a second is what whole ones may differ by
    assert limit.take(1.0) is None
    limit.adopt(5, 10.0, 1.5)
    assert count(limit, 1.5) == 5


def test_a_quota_that_makes_no_sense_is_none():
    limit = ServerQuota()
    limit.adopt(1, 5.0, 0.0, quota=0, window=0)
    assert count(limit, 0.0) == 1 and count(limit, 5.0) == 2


def test_who_wants_more_than_there_ever_is_has_a_whole_window():
    limit = ServerQuota()
    limit.adopt(1, 10.0, 0.0, quota=4, window=10.0)
    place = limit.reserve(0.0, 9)
    assert isinstance(place, Reservation)
    assert limit.claim(place, 0.0) == 10.0
    assert isinstance(limit.claim(place, 10.0), Claimed)
    assert limit.take(19.0) is None


def test_more_left_than_was_thought_wakes_the_head():
    limit = ServerQuota()
    limit.adopt(0, 60.0, 0.0)
    waiter = Waiter()
    place = limit.reserve(0.0, waiter=waiter)
    assert isinstance(place, Reservation) and limit.claim(place, 0.0) == 60.0
    assert limit.adopt(5, 90.0, 1.0) is waiter
    assert isinstance(limit.claim(place, 1.0), Claimed)


def test_put_back():
    limit = ServerQuota()
    limit.adopt(1, 60.0, 0.0)
    limit.take(0.0)
    limit.put_back(0.0)
    assert count(limit, 0.0) == 1
    limit = ServerQuota()
    limit.adopt(9, 60.0, 0.0)
    for _ in range(3):
        limit.take(0.0)
    limit.put_back(0.0, 2)
    assert count(limit, 0.0) == 8


def test_what_was_put_back_is_not_in_flight():
    limit = ServerQuota()
    slot = take(limit, 0.0)
    limit.take(0.0, 2)
    limit.put_back(0.0, 2)
    limit.adopt(5, 60.0, 0.0)
    assert count(limit, 0.0) == 4
    limit.release(slot, "ok", 0.0)


def test_to_be_asked_to_hold_off_wakes_nobody():
    limit = ServerQuota()
    limit.adopt(0, 60.0, 0.0)
    place = limit.reserve(0.0, waiter=Waiter())
    assert isinstance(place, Reservation) and limit.claim(place, 0.0) == 60.0
    assert limit.hold_off(100.0, 1.0) is None
    assert limit.claim(place, 60.0) == 101.0


def test_fresh_is_what_a_window_has_passed_over():
    limit = ServerQuota()
    assert limit.is_fresh(0.0)
    slot = take(limit, 0.0)
    assert not limit.is_fresh(0.0)
    limit.release(slot, "ok", 0.0)
    limit.hold_off(5.0, 0.0)
    assert not limit.is_fresh(4.0) and limit.is_fresh(5.0)
    limit.adopt(3, 10.0, 5.0)
    assert not limit.is_fresh(24.0) and limit.is_fresh(25.0)


@given(
    quota=st.integers(1, 5),
    window=st.sampled_from([4.0, 10.0]),
    steps=st.lists(st.tuples(st.sampled_from([0.0, 0.5, 1.0, 3.0]), st.integers(0, 3), st.integers(1, 4)), max_size=40),
)
def test_a_server_that_counts_in_windows_is_never_overdrawn(quota, window, steps):
    """It names its policy with each answer, and we are its only client: after the first answer none is refused."""
    limit, now = ServerQuota(), 0.0
    used: dict[int, int] = {}
    flying: list[Slot] = []
    known = False
    for seconds, arrive, leave in steps:
        now += seconds
        for _ in range(arrive if known else 1):
            taken = limit.take(now)
            if isinstance(taken, Slot):
                flying.append(taken)
                number = int(now // window)
                used[number] = used.get(number, 0) + 1
                assert used[number] <= quota
        for slot in flying[:leave]:
            limit.release(slot, "ok", now)
            number = int(now // window)
            left = quota - used.get(number, 0)
            limit.adopt(left, (number + 1) * window - now, now, quota=quota, window=window)
            known = True
        del flying[:leave]


@pytest.mark.parametrize(("field", "value"), [("longest", 0), ("longest", nan), ("max_wait", -1)])
def test_bad_values_are_refused_by_name(field, value):
    with pytest.raises(ConfigurationError, match=rf"^{field}: .* is not allowed; it must be "):
        ServerQuota(**{field: value})
