"""Client-side throttling: the formula, the window, and what is counted."""

import random
import tracemalloc
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansio_http.exceptions import ConfigurationError
from sansio_http.rate_limiter import Fate, Refused, Reservation, Slot, Throttle
from sansio_http.rate_limiter.queue import RECHECK

# K, padding, sent (n) or rejected (y) after each answer. grpc/grpc-go
# balancer/rls/internal/adaptive/adaptive_test.go @4793ad0, with the dice at .5.
ANSWERS = "TTTTTTTTTAAAAAATTTT"  # T throttled, A accepted
GRPC = [
    (1.1, 8, "nnnnnnnnyyyyynnnyyy"),
    (1.1, 7, "nnnnnnnyyyyyyyyyyyy"),
    (1.4, 8, "nnnnnnnnyynnnnnnnnn"),
]


class Dice:
    def __init__(self, shows: float) -> None:
        self.shows = shows

    def __call__(self) -> float:
        return self.shows


@pytest.mark.parametrize(("k", "padding", "expected"), GRPC)
def test_grpcs_table(k, padding, expected):
    """Each answer is recorded, whatever became of the question before it; then the next question is asked."""
    dice = Dice(0.5)
    throttle = Throttle(dice, k=k, padding=padding, window=30)
    got = ""
    for answer in ANSWERS:
        dice.shows = 1.0
        feed(throttle, ["ok" if answer == "A" else "throttled"])
        dice.shows = 0.5
        asked = throttle.take(0.0)
        if isinstance(asked, Slot):
            throttle.put_back(0.0)  # its answer is another row's
        got += "n" if isinstance(asked, Slot) else "y"
    assert got == expected


def feed(throttle: Throttle, fates: Iterable[Fate], now: float = 0.0) -> None:
    for fate in fates:
        slot = throttle.take(now)
        assert isinstance(slot, Slot)
        throttle.release(slot, fate, now)


def test_nothing_is_rejected_while_the_server_accepts_half():
    throttle = Throttle(Dice(0.0))
    feed(throttle, ["ok", "throttled"] * 100)
    assert throttle.probability(0.0) == 0.0 and throttle.rejected == 0


def test_the_probability_is_the_formula():
    dice = Dice(0.999)
    throttle = Throttle(dice, k=2.0, padding=1.0)
    feed(throttle, ["throttled"] * 70 + ["dropped"] * 10 + ["ok"] * 20)
    p = throttle.probability(0.0)
    assert p == (100 - 2 * 20) / 101
    dice.shows = p
    assert isinstance(throttle.take(0.0), Slot)  # not above
    dice.shows = p - 0.01
    refused = throttle.take(0.0)
    assert isinstance(refused, Refused) and refused.retry_at == 1.0
    assert refused.why == "rejects this request: the server accepted 20 of the last 102"
    assert throttle.rejected == 1
    assert repr(throttle) == "<Throttle 20 of 102 accepted, 1 rejected here>"


def test_who_takes_a_place_rolls_the_dice_once():
    rolled: list[int] = []
    dice = iter([1.0] * 12 + [0.1, 1.0])

    def roll() -> float:
        rolled.append(1)
        return next(dice)

    throttle = Throttle(roll)
    feed(throttle, ["throttled"] * 10)
    place = throttle.reserve(0.0)
    assert isinstance(place, Reservation)
    assert throttle.claimable(place, 1.0) and throttle.claimable(place, 2.0)
    slot = throttle.claim(place, 2.0)
    assert isinstance(slot, Slot) and len(rolled) == 11
    throttle.release(slot, "ok", 2.0)
    left = throttle.reserve(2.0)
    assert isinstance(left, Reservation)
    throttle.cancel(left, 2.0)
    throttle.cancel(left, 2.0)
    assert isinstance(throttle.reserve(2.0), Refused)
    assert repr(throttle) == "<Throttle 1 of 12 accepted, 1 rejected here>" and throttle.waiting == 0


def test_what_tells_nothing_does_not_count():
    throttle = Throttle(Dice(0.9))
    feed(throttle, ["throttled"] * 5 + ["ignored"] * 50)
    assert throttle.probability(0.0) == 5 / 6
    slot = throttle.take(0.0)
    assert isinstance(slot, Slot)
    throttle.settle(slot, "ok", 0.0)
    throttle.release(slot, "throttled", 1.0)  # it has been heard of
    assert throttle.probability(0.0) == 4 / 7


def test_what_is_older_than_the_window_is_forgotten():
    throttle = Throttle(Dice(0.99), window=60.0)
    feed(throttle, ["throttled"] * 10, 1000.0)
    feed(throttle, ["throttled"] * 10, 1030.0)
    assert throttle.probability(1060.0) == 20 / 21
    assert throttle.probability(1061.0) == 10 / 11
    assert not throttle.is_fresh(1090.0) and throttle.is_fresh(1091.0)
    assert throttle.probability(1e6) == 0.0


@given(
    st.lists(
        st.tuples(
            st.floats(0, 20) | st.just(0.0),
            st.sampled_from(["ok", "throttled", "dropped", "ignored", "put back", None]),
        ),
        max_size=60,
    )
)
def test_it_counts_as_a_list_does(steps):
    """Windows of whole seconds, each step in one of them; the list forgets what is 60 of them old."""
    throttle, now = Throttle(random.Random(1).random, k=1.5, window=60.0), 0.0
    requests: list[int] = []
    accepts: list[int] = []
    for seconds, fate in steps:
        now += seconds
        second = int(now)
        requests = [at for at in requests if at > second - 61]
        accepts = [at for at in accepts if at > second - 61]
        excess = len(requests) - 1.5 * len(accepts)
        assert throttle.probability(now) == pytest.approx(max(0.0, excess / (len(requests) + 1)))
        slot = throttle.take(now)
        requests.append(second)
        if isinstance(slot, Slot):
            if fate == "put back":
                throttle.put_back(now)
            elif fate is not None:
                throttle.release(slot, fate, now)
            if fate in ("put back", "ignored"):
                requests.pop()
            elif fate == "ok":
                accepts.append(second)
    assert throttle.is_fresh(now) is (not requests)


def test_what_was_forgotten_with_its_window_is_not_taken_back_twice():
    throttle = Throttle(Dice(0.9), window=60.0)
    slot = throttle.take(0.0)
    assert isinstance(slot, Slot)
    throttle.release(slot, "ignored", 500.0)
    assert throttle.is_fresh(500.0)
    slot, later = throttle.take(500.0), throttle.take(530.0)
    assert isinstance(slot, Slot) and isinstance(later, Slot)
    throttle.release(later, "ignored", 540.0)
    assert not throttle.is_fresh(560.0) and throttle.is_fresh(561.0)


@pytest.mark.parametrize(
    ("field", "value"), [("rand", 0.5), ("k", 1), ("k", float("nan")), ("padding", -1), ("window", 0)]
)
def test_bad_values_are_refused_by_name(field, value):
    with pytest.raises(ConfigurationError, match=rf"^{field}: .* is not allowed; it must be "):
        Throttle(**{"rand": random.random, field: value})  # type: ignore[arg-type]


def test_a_bin_counts_further_than_a_byte():
    throttle = Throttle(lambda: 0.0, k=1.5, padding=0.0, window=60.0)
    feed(throttle, ["ok"] * 600, 0.0)
    feed(throttle, ["throttled"] * 300, 1.0)
    assert throttle.probability(1.0) == 0.0  # 900 requests, 600 of them accepted
    assert throttle.probability(60.0) == 0.0
    assert throttle.probability(61.0) == 1.0
    assert repr(throttle) == "<Throttle 0 of 300 accepted, 0 rejected here>"


def test_what_is_taken_back_is_the_latest_that_is_counted():
    throttle = Throttle(Dice(0.9), window=60.0)
    slot = throttle.take(0.0)
    assert isinstance(slot, Slot)
    throttle.release(slot, "ignored", 1.0)  # another bin
    assert throttle.is_fresh(1.0)


@pytest.mark.parametrize("ask", [Throttle.take, Throttle.reserve])
def test_who_is_turned_away_is_told_why_and_for_how_long(ask):
    throttle = Throttle(Dice(0.0))
    feed(throttle, ["throttled"])
    for rejected in (1, 2):
        refused = ask(throttle, 5.0)
        assert isinstance(refused, Refused)
        why = f"rejects this request: the server accepted 0 of the last {1 + rejected}"
        assert (refused.retry_at, refused.why) == (5.0 + RECHECK, why)
        assert throttle.rejected == rejected


def test_a_hundred_thousand_are_small():
    # As of a circuit: 60 MiB for 100,000 are 629 bytes for each, of which the key and its place take about 200.
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        throttles = [Throttle(random.random) for _ in range(1000)]
        for throttle in throttles:
            feed(throttle, ["ok"])
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (after - before) / len(throttles) < 629 - 200
