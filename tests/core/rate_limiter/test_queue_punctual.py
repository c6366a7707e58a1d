"""The queue in a small world of waiters: an ideal queue for who is punctual, live and lawful for who is not.

A waiter does what a driver does: it comes at the time it was told, or at once when it is nudged, until its claim
succeeds or it cancels. Times are whole ticks, and powers of two, so that all sums are exact.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from heapq import heappop, heappush
from math import inf
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansio_http.rate_limiter import Claimed, Concurrency, Limiter, Reservation, SlidingWindow, Slot, TokenBucket
from sansio_http.rate_limiter.queue import GRACE, RECHECK
from sansio_http.step import Waiter

TICK = 1 / 64


@dataclass
class Caller:
    """Somebody who comes at a time, and what becomes of him."""

    arrives: float
    tokens: int = 1
    cancels: float = inf
    holds: float = 1.0  # a slot, for so long
    late: float = 0.0  # each alarm is late by so much
    dead: bool = False  # after its first claim it never comes again
    place: Reservation | None = None
    told: float = inf  # when to come
    granted: float = inf
    visits: int = 0  # apart from the first
    nudges: int = 0

    @property
    def waits(self) -> bool:
        return self.granted == inf


@dataclass
class World:
    """An event loop in virtual time. At one instant: first cancels and releases, then arrivals, then alarms."""

    limiter: Limiter
    ties: st.DataObject | None = None  # decides in which order those come who come at the same time
    lose_nudges: bool = False
    stalls_at: float = 0.0  # from then on no alarm goes off ...
    stalled_until: float = 0.0  # ... before that
    now: float = 0.0
    heap: list = field(default_factory=list)
    woken: deque = field(default_factory=deque)  # by a nudge, at this instant
    order: int = 0

    def at(self, time: float, rank: int, what, *args) -> None:
        self.order += 1
        if rank == 2 and self.stalls_at <= time < self.stalled_until:
            time = self.stalled_until
        tie = self.ties.draw(st.integers(0, 3)) if self.ties is not None and rank == 2 else 0
        heappush(self.heap, (time, rank, tie, self.order, what, args))

    def run(self, callers: list[Caller], at_most: int) -> None:
        for caller in callers:
            self.at(caller.arrives, 1, self.arrive, caller)
            if caller.cancels != inf:
                self.at(caller.cancels, 0, self.cancel, caller)
        while self.heap or self.woken:
            at_most -= 1
            assert at_most >= 0, "too much goes on"
            # Who was nudged comes before the alarms of the same instant, but after what happens to the queue.
            if self.woken and not (self.heap and self.heap[0][0] == self.now and self.heap[0][1] < 2):
                self.come(*self.woken.popleft())
            else:
                self.now, _, _, _, what, args = heappop(self.heap)
                what(*args)

    def arrive(self, caller: Caller) -> None:
        if caller.cancels <= self.now:
            return
        place = self.limiter.reserve(self.now, caller.tokens, waiter=Waiter(lambda: self.wake(caller)))
        assert isinstance(place, Reservation)
        caller.place = place
        self.claim(caller)

    def wake(self, caller: Caller) -> None:
        caller.nudges += 1
        if not self.lose_nudges and not caller.dead:
            if caller.late:
                self.at(self.now + caller.late, 2, self.come, caller, None)
            else:
                self.woken.append((caller, None))

    def come(self, caller: Caller, told: float | None) -> None:
        if caller.waits and caller.cancels > self.now and (told is None or told == caller.told):
            caller.visits += 1
            self.claim(caller)

    def claim(self, caller: Caller) -> None:
        assert caller.place is not None
        answer = self.limiter.claim(caller.place, self.now)
        if isinstance(answer, Claimed):
            caller.granted = self.now
            self.nudge(answer.nudge)
            if isinstance(answer, Slot):
                self.at(self.now + caller.holds, 0, self.release, answer)
        else:
            caller.told = self.now + RECHECK if answer is None else answer
            if not caller.dead:
                self.at(caller.told + caller.late, 2, self.come, caller, caller.told)

    def cancel(self, caller: Caller) -> None:
        if caller.place is not None and caller.waits:
            self.nudge(self.limiter.cancel(caller.place, self.now))

    def release(self, slot: Slot) -> None:
        assert isinstance(self.limiter, Concurrency)
        self.nudge(self.limiter.release(slot, "ok", self.now))

    def nudge(self, waiter: Waiter | None) -> None:
        if waiter is not None:
            waiter.wake()


# -- laws, by their definition ----------------------------------------------------------------------------------------

MAKE = {
    "bucket": lambda rate, size: TokenBucket(rate, size),
    "window": lambda rate, size: SlidingWindow(size, 1 / rate),
    "slots": lambda rate, size: Concurrency(size),
}


def ready(kind: str, rate: float, size: int, granted: list[Caller], tokens: int, now: float) -> float:
    """The first time from ``now`` on at which so many tokens may be taken after those that were granted."""
    if kind == "bucket":
        starts = [caller.granted for caller in granted]
        since = [sum(caller.tokens for caller in granted if caller.granted >= start) for start in starts]
        return max([now, *(s + (taken + tokens - size) / rate for s, taken in zip(starts, since, strict=True))])
    stay = [(c.granted + (c.holds if kind == "slots" else 1 / rate), c.tokens) for c in granted]
    moments = sorted({now, *(end for end, _ in stay if end > now)})
    return next(time for time in moments if sum(held for end, held in stay if end > time) + tokens <= size)


def ideal(kind: str, rate: float, size: int, callers: list[Caller]) -> list[float]:
    """When each is granted by a queue that misses nothing; infinite for never."""
    granted: list[Caller] = []
    result: dict[int, float] = {}
    now = -inf
    # In the order of arrival, where the order of the list decides between two at the same time.
    for number, caller in sorted(enumerate(callers), key=lambda item: item[1].arrives):
        time = ready(kind, rate, size, granted, caller.tokens, max(now, caller.arrives))
        if time < caller.cancels:
            result[number] = now = time
            granted.append(Caller(caller.arrives, caller.tokens, holds=caller.holds, granted=time))
        elif caller.arrives < caller.cancels:  # if it came to be the head, it was until it left
            now = max(now, caller.cancels)
    return [result.get(number, inf) for number in range(len(callers))]


def check_law(kind: str, rate: float, size: int, callers: list[Caller]) -> None:
    granted = [caller for caller in callers if not caller.waits]
    for first in granted:
        start = first.granted
        if kind == "window":
            assert sum(c.tokens for c in granted if start <= c.granted < start + 1 / rate) <= size
        elif kind == "slots":
            assert sum(c.tokens for c in granted if c.granted <= start < c.granted + c.holds) <= size
        else:
            for end in {c.granted for c in granted if c.granted >= start}:
                assert sum(c.tokens for c in granted if start <= c.granted <= end) <= rate * (end - start) + size


TICKS = st.integers(0, 256).map(lambda ticks: ticks * TICK)
PATIENCE = st.sampled_from([inf, inf, 0.0, 0.5, 1.0, 2.0, 4.0]) | TICKS


@st.composite
def worlds(draw, *, cancels: bool = True, late: bool = False):
    """A kind of limiter, its rate and size, and a crowd for it."""
    size = draw(st.integers(1, 4))
    rate = draw(st.sampled_from([0.25, 0.5, 1.0, 2.0, 8.0]))
    arrivals = draw(st.lists(st.sampled_from([0.0, 0.0, 0.5, 1.0]) | TICKS, min_size=1, max_size=10))
    callers = [
        Caller(
            arrives,
            draw(st.integers(1, size)),
            arrives + draw(PATIENCE if cancels else st.just(inf)),
            draw(st.sampled_from([0.0, 0.25, 1.0, 3.0])),
            draw(st.sampled_from([0.0, 0.0, TICK, 1.0, 2.5, 7.0])) if late else 0.0,
        )
        for arrives in arrivals
    ]
    return draw(st.sampled_from(sorted(MAKE))), rate, size, callers


# -- the claims -------------------------------------------------------------------------------------------------------


@given(worlds(), st.data())
def test_punctual_waiters_are_granted_as_by_an_ideal_queue(world, data):
    kind, rate, size, callers = world
    limiter = MAKE[kind](rate, size)
    World(limiter, ties=data).run(callers, at_most=1000)
    assert [caller.granted for caller in callers] == ideal(kind, rate, size, callers)
    check_law(kind, rate, size, callers)
    assert limiter.waiting == 0


@given(worlds(late=True), st.data(), st.booleans(), st.sets(st.integers(0, 9)))
def test_late_and_dead_waiters_and_lost_nudges_break_no_law_and_stop_nobody(world, data, lose_nudges, dead):
    kind, rate, size, callers = world
    for number in dead & set(range(len(callers) - 1)):
        callers[number].dead = True
    limiter = MAKE[kind](rate, size)
    World(limiter, data, lose_nudges).run(callers, at_most=3000)
    check_law(kind, rate, size, callers)
    for caller in callers:
        assert not caller.waits or caller.dead or caller.cancels < inf


@given(worlds().filter(lambda world: world[0] != "slots"), st.data())
def test_with_all_nudges_lost_all_are_served_a_recheck_each_later_at_most(world, data):
    kind, rate, size, callers = world
    for caller in callers:
        caller.tokens = 1  # of many, a window's estimate is rough
    last = max(ideal(kind, rate, size, [Caller(caller.arrives) for caller in callers]))
    World(MAKE[kind](rate, size), data, lose_nudges=True).run(callers, at_most=1000)
    assert all(caller.waits or caller.granted <= last + RECHECK * len(callers) for caller in callers)


def test_a_lost_nudge_costs_the_time_until_the_one_that_was_told():
    def crowd() -> list[Caller]:
        return [Caller(0.0), Caller(0.0, cancels=0.5), Caller(0.0), Caller(0.0)]

    served, left_alone = crowd(), crowd()
    World(TokenBucket(1, 1)).run(served, at_most=100)
    World(TokenBucket(1, 1), lose_nudges=True).run(left_alone, at_most=100)
    assert [caller.granted for caller in served] == [0.0, inf, 1.0, 2.0]
    assert [caller.granted for caller in left_alone] == [0.0, inf, 2.0, 3.0]


def test_in_a_queue_for_slots_a_lost_nudge_costs_a_recheck_for_each_ahead():
    callers = [Caller(0.0, holds=0.5) for _ in range(5)]
    World(Concurrency(1), lose_nudges=True).run(callers, at_most=100)
    assert [caller.granted for caller in callers] == [0.0, 1.0, 2.0, 3.0, 4.0]


# -- how often they wake ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limiter", "start"),
    [
        (TokenBucket(64, 8), 0.0),
        (TokenBucket(64, 1), 0.0),
        (TokenBucket(7.3, 1), 1_234_567.891),
        (TokenBucket(0.0003, 2.5), 1_234_567.891),
        (TokenBucket(1000, 1), 1_234_567.891),
        (SlidingWindow(100, 1.0), 0.0),
    ],
    ids=repr,
)
def test_ten_thousand_punctual_waiters_wake_once_each(limiter, start):
    callers = [Caller(start) for _ in range(10_000)]
    World(limiter, now=start).run(callers, at_most=20_000)
    grants = [caller.granted for caller in callers]
    assert grants == sorted(grants)
    assert all(caller.visits == (caller.granted > start) for caller in callers)
    assert sum(caller.nudges for caller in callers) == 0


def test_ten_thousand_waiters_for_a_slot_are_nudged_once_each():
    callers = [Caller(0.0, holds=TICK) for _ in range(10_000)]
    World(Concurrency(1000)).run(callers, at_most=100_000)
    assert all(caller.visits == caller.nudges == (caller.granted > 0) for caller in callers)


def test_who_has_waited_behind_many_that_cancelled_wakes_twice_at_most():
    callers = [Caller(0.0, cancels=3.0 if number % 3 else inf) for number in range(3000)]
    World(TokenBucket(8, 1)).run(callers, at_most=20_000)
    stayed = [caller for caller in callers if caller.cancels == inf]
    grants = [caller.granted for caller in stayed if caller.granted >= 3.0]
    assert grants == [3.0 + number / 8 for number in range(len(grants))] and len(grants) > 900
    assert max(caller.visits for caller in stayed) <= 2


@pytest.mark.parametrize("first", ["the oldest", "the youngest", "a newcomer"])
def test_after_a_stall_the_order_is_kept_and_nobody_wakes_often(first):
    callers = [Caller(0.0) for _ in range(200)]
    world = World(TokenBucket(2, 4), stalled_until=30.0)
    if first == "the youngest":
        world.at(30.0, 0, lambda: world.come(callers[-1], None))
    if first == "a newcomer":
        callers.append(Caller(30.0))  # arrivals come before alarms
    world.run(callers, at_most=2000)
    check_law("bucket", 2, 4, callers)
    grants = [caller.granted for caller in callers]
    assert grants == [0.0] * 4 + [30.0] * 4 + [30.5 + number / 2 for number in range(len(callers) - 8)]
    assert max(caller.visits for caller in callers) <= 3


class Shuffled:
    """Ties as hypothesis would break them, from a seed."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)

    def draw(self, _: object) -> int:
        return self.random.randrange(1_000_000)


@pytest.mark.parametrize("stall", [0.5, 1.5, 4.0])
def test_after_a_stall_a_crowd_that_is_never_punctual_loses_no_more_than_the_stall(stall):
    """All who were due come at one instant and in no order; whoever is passed in that leaves nobody asleep."""

    def ends(stall: float) -> float:
        callers = [Caller(0.0, late=number * 7 % 32 / 1024) for number in range(1500)]
        world = World(TokenBucket(64, 1), ties=Shuffled(1), stalls_at=4.0, stalled_until=4.0 + stall)  # type: ignore[arg-type]
        world.run(callers, at_most=20_000)
        return max(caller.granted for caller in callers)

    assert ends(stall) <= ends(0.0) + stall + 0.25


# -- who does not come ------------------------------------------------------------------------------------------------


def test_a_head_that_does_not_come_is_passed_a_second_after_its_time():
    callers = [Caller(0.0), Caller(0.0, dead=True), Caller(0.0), Caller(0.0)]
    World(TokenBucket(1, 1)).run(callers, at_most=100)
    assert [caller.granted for caller in callers] == [0.0, inf, 1.0 + GRACE, 3.0]


def test_a_thousand_that_do_not_come_cost_a_newcomer_two_seconds_and_not_a_thousand():
    limiter = TokenBucket(1, 1)
    World(limiter).run([Caller(0.0, dead=True) for _ in range(1000)], at_most=2000)
    newcomers = [Caller(5000.0), Caller(5000.0)]
    World(limiter).run(newcomers, at_most=100)
    assert [caller.granted for caller in newcomers] == [5001.0, 5002.0]


def test_a_thousand_that_do_not_come_do_not_have_newcomers_refused_for_ever():
    limiter = TokenBucket(1, 1)
    World(limiter).run([Caller(0.0, dead=True) for _ in range(1000)], at_most=2000)
    place = limiter.reserve(5000.0, max_wait=1.5)
    assert isinstance(place, Reservation)
    assert limiter.claim(place, 5000.0) == 5001.0
    assert isinstance(limiter.claim(place, 5001.0), Claimed)
    assert limiter.waiting == 0
