"""Every limiter against a naive model: weights, cancels, claims put back, late wake-ups, odd clocks; all windows.

The model holds lists and searches them, counts in whole ticks and fractions, and knows each law by its definition only.
"""

from fractions import Fraction
from math import inf
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sansio_http.exceptions import DriverError
from sansio_http.rate_limiter import (
    AIMD,
    GCRA,
    Claimed,
    Combined,
    Concurrency,
    Refused,
    Reservation,
    SlidingCounter,
    SlidingWindow,
    Slot,
    TokenBucket,
)
from sansio_http.step import Waiter

TICK = Fraction(1, 64)  # seconds; sums, and products with powers of two, are exact
SECOND = Fraction(1)


class BucketLaw:
    """Never more than rate * w + burst, in any window."""

    def __init__(self, rate: Fraction, burst: int) -> None:
        self.rate, self.burst = rate, burst
        self.claims: list[tuple[Fraction, Fraction]] = []

    def ready(self, tokens, now, claims):
        starts = {start for start, _ in claims}
        taken_since = {start: sum(taken for at, taken in claims if at >= start) for start in starts}
        return max([now, *(s + (taken + tokens - self.burst) / self.rate for s, taken in taken_since.items())])

    def told(self, ahead, tokens, now):
        claims = list(self.claims)
        for wanted in (*ahead, tokens):
            now = self.ready(wanted, now, claims)
            claims.append((now, wanted))
        return now

    def is_full(self, now):
        return self.ready(self.burst, now, self.claims) == now


class WindowLaw:
    """Never more than limit in any half-open window."""

    def __init__(self, limit: int, window: Fraction) -> None:
        self.limit, self.window = limit, window
        self.claims: list[tuple[Fraction, int]] = []

    def ready(self, tokens, now, claims):
        moments = sorted({now, *(at + self.window for at, _ in claims if at + self.window > now)})
        return next(t for t in moments if sum(n for at, n in claims if at > t - self.window) + tokens <= self.limit)

    def told(self, ahead, tokens, now):
        claims = list(self.claims)
        for _ in range(sum(ahead) + tokens):  # the estimate is for tokens, one by one
            now = self.ready(1, now, claims)
            claims.append((now, 1))
        return now

    def is_full(self, now):
        return all(at <= now - self.window for at, _ in self.claims)


class SlotsLaw:
    """Never more than limit at once; what is given back is taken out of the claims."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.claims: list[tuple[Fraction, int]] = []

    def ready(self, tokens, now, claims):
        return now if sum(held for _, held in claims) + tokens <= self.limit else inf

    def told(self, ahead, tokens, now):
        return self.ready(sum(ahead) + tokens, now, self.claims)

    def is_full(self, now):
        return not self.claims


class CellLaw(BucketLaw):
    """A theoretical arrival time that is moved on by each claim: the same law, told as the algorithm is."""

    def arrival(self, claims):
        arrival = Fraction(-(10**9))
        for at, tokens in claims:
            arrival = max(at, arrival) + tokens / self.rate
        return arrival

    def ready(self, tokens, now, claims):
        return max(now, self.arrival(claims) + tokens / self.rate - self.burst / self.rate)


class CounterLaw:
    """previous * fraction left + current never exceeds limit."""

    def __init__(self, limit: int, window: Fraction) -> None:
        self.limit, self.window = limit, window
        self.claims: list[tuple[Fraction, int]] = []

    def on(self, at, now) -> tuple[Fraction, int, int]:
        """The window of a moment, from one before it."""
        began, current, before = at
        if began is None or now >= began + 2 * self.window:
            return now, 0, 0
        return (began + self.window, 0, current) if now >= began + self.window else (began, current, before)

    def ready(self, tokens, now, claims):
        at: Any = (None, 0, 0)
        for then, taken in claims:
            began, current, before = self.on(at, then)
            at = began, current + taken, before
        began, current, before = self.on(at, now)
        while True:
            end = began + self.window
            if current + tokens <= self.limit:
                enough = began
                if before:
                    enough += self.window * max(Fraction(0), 1 - Fraction(self.limit - current - tokens, before))
                if enough < end:
                    return max(now, enough)
            began, current, before = end, 0, current

    def told(self, ahead, tokens, now):
        """After whole windows that those ahead fill, as if they took what there is now."""
        windows, rest = divmod(sum(ahead) + tokens - 1, self.limit)
        ready = self.ready(rest + 1, now, self.claims)
        return ready + windows * self.window

    def is_full(self, now):
        if not self.claims:
            return True
        at: Any = (None, 0, 0)
        for then, taken in self.claims:
            began, current, before = self.on(at, then)
            at = began, current + taken, before
        return now >= at[0] + 2 * self.window


class LearningSlotsLaw(SlotsLaw):
    """So many at once, one more for each success, and half for each failure."""

    def __init__(self, least: int, most: int, limit: int) -> None:
        super().__init__(limit)
        self.least, self.most = least, most
        self.heard: Fraction | None = None

    def learn(self, fate, claim, now):
        if fate == "ignored":
            return
        self.heard = now
        if fate in ("dropped", "throttled") or now - claim[0] > SECOND:
            self.limit = max(self.least, self.limit // 2)
        elif 2 * sum(held for _, held in self.claims) >= self.limit:
            self.limit = min(self.most, self.limit + 1)

    def is_full(self, now):
        return not self.claims and (self.heard is None or now >= self.heard + 300)


class Everywhere:
    """The claims of several laws."""

    def __init__(self, laws) -> None:
        self.laws = laws

    def append(self, claim) -> None:
        for law in self.laws:
            law.claims.append(claim)

    def remove(self, claim) -> None:
        for law in self.laws:
            law.claims.remove(claim)


class AllOf:
    """Ready when the last of them is."""

    def __init__(self, *laws) -> None:
        self.laws = laws
        self.claims = Everywhere(laws)

    def ready(self, tokens, now, claims):
        return max(law.ready(tokens, now, law.claims) for law in self.laws)

    def told(self, ahead, tokens, now):
        return max(law.told(ahead, tokens, now) for law in self.laws)

    def is_full(self, now):
        return all(law.is_full(now) for law in self.laws)


class Place:
    def __init__(self, tokens, due) -> None:
        self.tokens = tokens
        self.due = self.told = due
        self.waiter = Waiter()
        self.passed = False
        self.claim: tuple[Fraction, Fraction] | None = None
        self.slot: Slot | None = None
        self.real: Reservation  # the limiter's


class Model:
    """The queue as the prose of its module tells it."""

    def __init__(self, law) -> None:
        self.law = law
        self.queue: list[Place] = []
        self.now = Fraction(0)  # own time
        self.reading = Fraction(0)  # of the caller's clock, at that time
        self.rebases = 0

    def see(self, reading: Fraction) -> None:
        if reading < self.reading - SECOND:
            self.reading = reading
            self.rebases += 1
        if reading > self.reading:
            self.now += reading - self.reading
            self.reading = reading

    def on_callers_clock(self, time):
        return time - self.now + self.reading

    def ready(self, place):
        return self.law.ready(place.tokens, self.now, self.law.claims)

    def told(self, ahead, tokens):
        return self.law.told([place.tokens for place in ahead], tokens, self.now)

    def call_head(self) -> Waiter | None:
        if self.queue and (ready := self.ready(self.queue[0])) < self.queue[0].told:
            self.queue[0].due = self.queue[0].told = ready
            return self.queue[0].waiter
        return None

    def leave(self, place) -> Waiter | None:
        was_head = self.queue[:1] == [place]
        if place in self.queue:
            self.queue.remove(place)
        return self.promote() if was_head else None

    def promote(self) -> Waiter | None:
        if self.queue:
            self.queue[0].due = max(self.queue[0].due, self.now)
        return self.call_head()

    def pass_late_heads(self, comer=None) -> bool:
        if not self.queue or self.queue[0].due + SECOND > self.now:
            return False
        late = self.queue[0].due
        while self.queue and self.queue[0] is not comer and self.queue[0].due <= late:
            self.queue.pop(0).passed = True
        if self.queue:  # whose grace begins, though nobody tells it
            head = self.queue[0]
            head.due = min(max(head.due, self.now), self.ready(head))
        return True

    def has_turn(self, place) -> bool:
        if self.queue[:1] != [place] and not place.passed and self.pass_late_heads(place):
            place.due = min(place.due, self.now + SECOND)
        return place.passed or self.queue[:1] == [place]


class Machine(RuleBasedStateMachine):
    limiter: Any  # a Limiter, or one of its kinds
    model: Model
    weights: list[int]

    def begin(self, limiter, law, capacity) -> None:
        self.limiter = limiter
        self.model = Model(law)
        self.weights = [1, 1, 1, min(2, capacity), capacity]
        self.clock = Fraction(0)
        self.places: list[Place] = []
        self.claimed: list[Place] = []
        self.taken: list[tuple[Fraction, int]] = []
        self.slots: list[tuple[Slot, tuple[Fraction, int]]] = []
        self.tell()

    def tell(self) -> float:
        """What the clock reads, for the limiter; the model has seen it."""
        self.model.see(self.clock)
        return float(self.clock)

    def pick(self, places, data):
        return places[data.draw(st.integers(0, len(places) - 1))]

    # -- time

    @rule(ticks=st.sampled_from([1, 2, 7, 16, 32, 64, 100, 300]))
    def pass_time(self, ticks):
        self.clock += ticks * TICK

    @rule(data=st.data())
    @precondition(lambda self: self.model.queue)
    def pass_time_until_somebody_is_due(self, data):
        due = self.pick(self.model.queue, data).due
        if due != inf:
            self.clock = max(self.clock, self.model.on_callers_clock(due))

    @rule(ticks=st.sampled_from([1, 64, 65, 1000]))
    def step_back(self, ticks):
        self.clock -= ticks * TICK

    # -- places

    @rule(weight=st.integers(0, 4), ticks=st.none() | st.sampled_from([0, 0, 16, 64, 1000]), at_once=st.booleans())
    def reserve(self, weight, ticks, at_once):
        now, model, tokens = self.tell(), self.model, self.weights[weight]
        max_wait = None if ticks is None else ticks * TICK
        passed = model.pass_late_heads()
        told = model.told(model.queue, tokens)
        if told > model.now and passed and model.queue:
            told = min(told, model.now + SECOND)
        wait = told - model.now
        place = Place(tokens, told)
        seconds = None if max_wait is None else float(max_wait)
        answer = self.limiter.reserve(now, tokens, waiter=place.waiter, max_wait=seconds)
        if max_wait is not None and wait > 0 and (max_wait == 0 if wait == inf else wait > max_wait):
            assert isinstance(answer, Refused)
            assert answer.retry_at == model.on_callers_clock(model.now + 1 if wait == inf else told)
            return
        assert isinstance(answer, Reservation)
        place.real = answer
        model.queue.append(place)
        self.places.append(place)
        if at_once:
            self.come(place)

    @rule(data=st.data())
    @precondition(lambda self: self.places)
    def somebody_comes(self, data):
        self.come(self.pick(self.places, data))

    @rule()
    @precondition(lambda self: self.model.queue)
    def the_head_comes(self):
        self.come(self.model.queue[0])

    @rule(ticks=st.sampled_from([-1, 0, 0, 0, 64]))
    @precondition(lambda self: len(self.model.queue) > 1 and self.model.queue[0].due != inf)
    def the_last_comes_when_the_head_is_late(self, ticks):
        self.clock = max(self.clock, self.model.on_callers_clock(self.model.queue[0].due) + SECOND + ticks * TICK)
        self.come(self.model.queue[-1])

    @rule(data=st.data())
    @precondition(lambda self: any(place.passed for place in self.places))
    def one_that_was_passed_comes(self, data):
        self.come(self.pick([place for place in self.places if place.passed], data))

    @rule(data=st.data())
    @precondition(lambda self: self.places)
    def somebody_asks(self, data):
        place, now, model = self.pick(self.places, data), self.tell(), self.model
        expected = model.has_turn(place) and model.ready(place) == model.now
        assert self.limiter.claimable(place.real, now) is expected

    def come(self, place) -> None:
        now, model = self.tell(), self.model
        ready = model.ready(place) if model.has_turn(place) else None
        answer = self.limiter.claim(place.real, now)
        if ready is None:
            others = [other for other in model.queue if other is not place]
            ahead = model.queue[: model.queue.index(place)]
            if place.due > model.now:
                assert self.own(answer) == place.due
            else:  # parked: an estimate, never too early
                soonest, latest = (max(model.now + 1, model.told(some, place.tokens)) for some in (ahead, others))
                place.due = self.own(answer)
                assert soonest <= place.due <= latest
            place.told = place.due
        elif ready > model.now:
            assert self.own(answer) == ready
            place.due = place.told = ready
            if place.passed:
                place.passed = False
                model.queue.insert(0, place)
        else:
            assert isinstance(answer, Claimed)
            place.claim = (model.now, place.tokens)
            model.law.claims.append(place.claim)
            nudge = model.call_head() if place.passed else model.leave(place)
            assert answer.nudge is nudge
            self.places.remove(place)
            self.claimed.append(place)
            self.granted(place, answer)
        if not isinstance(answer, Claimed):
            assert answer is None or answer > now

    def own(self, answer):
        assert not isinstance(answer, Claimed)
        return inf if answer is None else Fraction(answer) - self.model.reading + self.model.now

    def granted(self, place, answer) -> None:
        assert not isinstance(answer, Slot)

    @rule(data=st.data(), twice=st.booleans())
    @precondition(lambda self: self.places)
    def cancel(self, data, twice):
        place = self.pick(self.places, data)
        self.places.remove(place)
        assert self.limiter.cancel(place.real, self.tell()) is self.model.leave(place)
        if twice:
            assert self.limiter.cancel(place.real, self.tell()) is None
            with pytest.raises(DriverError):
                self.limiter.claim(place.real, self.tell())

    @rule(data=st.data())
    @precondition(lambda self: self.claimed)
    def put_a_claim_back(self, data):
        """Right after it, as when the circuit refuses."""
        place, now = self.pick(self.claimed[-2:], data), self.tell()
        self.claimed.remove(place)
        assert place.claim is not None
        if place.claim[0] == self.model.now:
            self.model.law.claims.remove(place.claim)
            assert self.limiter.put_back(now, place.real.tokens) is self.model.call_head()

    @rule(data=st.data())
    @precondition(lambda self: self.claimed)
    def what_is_over_is_over(self, data):
        place, now = self.pick(self.claimed, data), self.tell()
        assert self.limiter.cancel(place.real, now) is None
        assert not self.limiter.claimable(place.real, now)
        with pytest.raises(DriverError):
            self.limiter.claim(place.real, now)

    @rule(weight=st.integers(0, 4))
    def take(self, weight):
        now, model, tokens = self.tell(), self.model, self.weights[weight]
        answer = self.limiter.take(now, tokens)
        if model.queue or model.law.ready(tokens, model.now, model.law.claims) > model.now:
            assert answer is None
        else:
            assert isinstance(answer, Claimed) and answer.nudge is None
            claim = (model.now, tokens)
            model.law.claims.append(claim)
            self.was_taken(claim, answer)

    def was_taken(self, claim, answer) -> None:
        self.taken.append(claim)

    @rule()
    @precondition(lambda self: self.taken and self.taken[-1][0] == self.model.now)
    def put_back(self):
        now, (at, tokens) = self.tell(), self.taken.pop()
        if at == self.model.now:
            self.model.law.claims.remove((at, tokens))
            assert self.limiter.put_back(now, tokens) is self.model.call_head()

    # -- at all times

    @invariant()
    def the_answers_agree(self):
        if hasattr(self, "model"):
            model, now = self.model, self.tell()
            assert self.limiter.is_fresh(now) is (not model.queue and model.law.is_full(model.now))
            assert self.limiter.waiting == len(model.queue)
            assert self.limiter.rebases == model.rebases


class BucketMachine(Machine):
    @initialize(log_rate=st.integers(-3, 4), burst=st.integers(1, 5))
    def start(self, log_rate, burst):
        rate = Fraction(2) ** log_rate
        self.begin(TokenBucket(float(rate), burst), BucketLaw(rate, burst), burst)

    @invariant()
    def no_window_exceeds_the_law(self):
        if hasattr(self, "model"):
            law = self.model.law
            for start, _ in law.claims:
                for end, _ in law.claims:
                    taken = sum(tokens for at, tokens in law.claims if start <= at <= end)
                    assert end < start or taken <= law.rate * (end - start) + law.burst

    @invariant()
    def the_level_agrees(self):
        if hasattr(self, "model"):
            law, now = self.model.law, self.tell()
            at = self.model.now
            used = max([0, *(sum(t for c, t in law.claims if c >= s) - law.rate * (at - s) for s, _ in law.claims)])
            assert self.limiter.available(now) == law.burst - used


class WindowMachine(Machine):
    @initialize(limit=st.integers(1, 5), ticks=st.sampled_from([1, 32, 64, 160]))
    def start(self, limit, ticks):
        window = ticks * TICK
        self.begin(SlidingWindow(limit, float(window)), WindowLaw(limit, window), limit)

    @invariant()
    def no_window_exceeds_the_law(self):
        if hasattr(self, "model"):
            law = self.model.law
            for start, _ in law.claims:
                assert sum(tokens for at, tokens in law.claims if start <= at < start + law.window) <= law.limit


class SlotsMachine(Machine):
    @initialize(limit=st.integers(1, 5))
    def start(self, limit):
        self.begin(Concurrency(limit), SlotsLaw(limit), limit)

    def granted(self, place, answer):
        assert isinstance(answer, Slot)
        assert answer.tokens == place.tokens
        place.slot = answer
        self.slots.append((answer, place.claim))

    def was_taken(self, claim, answer):
        assert isinstance(answer, Slot)
        assert answer.tokens == claim[1]
        self.slots.append((answer, claim))

    @rule(data=st.data(), fate=st.sampled_from(["ok", "dropped", "ignored"]))
    @precondition(lambda self: self.slots)
    def release(self, data, fate):
        slot, claim = self.pick(self.slots, data)
        self.slots.remove((slot, claim))
        now = self.tell()
        self.model.law.claims.remove(claim)
        assert self.limiter.release(slot, fate, now) is self.model.call_head()
        assert self.limiter.release(slot, fate, now) is None

    @rule()
    def put_a_claim_back(self):
        """A slot goes back by release alone."""

    @invariant()
    def what_is_held_agrees(self):
        if hasattr(self, "model"):
            held = sum(tokens for _, tokens in self.model.law.claims)
            assert self.limiter.in_use == held <= self.limiter.limit


class CellMachine(BucketMachine):
    @initialize(log_rate=st.integers(-3, 4), burst=st.integers(1, 5))
    def start(self, log_rate, burst):
        rate = Fraction(2) ** log_rate
        self.begin(GCRA(float(rate), burst), CellLaw(rate, burst), burst)

    @invariant()
    def the_times_agree(self):
        if hasattr(self, "model"):
            law, now = self.model.law, self.tell()
            ahead = max(Fraction(0), law.arrival(law.claims) - self.model.now)
            assert self.limiter.reset_after(now) == ahead
            assert self.limiter.remaining(now) == int(law.burst - ahead * law.rate)
            assert self.limiter.retry_after(now) == law.ready(1, self.model.now, law.claims) - self.model.now


class CounterMachine(Machine):
    @initialize(limit=st.sampled_from([1, 2, 2]), ticks=st.sampled_from([1, 32, 64, 160]))
    def start(self, limit, ticks):
        """Limits of which the parts are exact in binary."""
        window = ticks * TICK
        self.begin(SlidingCounter(limit, float(window)), CounterLaw(limit, window), limit)

    @invariant()
    def two_windows_never_hold_more_than_two_limits(self):
        if hasattr(self, "model"):
            law = self.model.law
            for start, _ in law.claims:
                assert sum(tokens for at, tokens in law.claims if start <= at < start + law.window) <= 2 * law.limit


class LearningSlotsMachine(SlotsMachine):
    @initialize(least=st.integers(1, 3), more=st.integers(0, 4), data=st.data())
    def start_to_learn(self, least, more, data):
        initial = data.draw(st.integers(least, least + more))
        limiter = AIMD(timeout=1.0, backoff=0.5, min_limit=least, max_limit=least + more, initial=initial)
        self.begin(limiter, LearningSlotsLaw(least, least + more, initial), least)

    @initialize()
    def start(self): ...

    @rule(data=st.data(), fate=st.sampled_from(["ok", "ok", "throttled", "dropped", "ignored"]), early=st.booleans())
    @precondition(lambda self: self.slots)
    def release(self, data, fate, early):
        slot, claim = self.pick(self.slots, data)
        now, model = self.tell(), self.model
        if early:  # the head of a stream: learned from, and held on to
            if slot.heard:
                assert self.limiter.settle(slot, fate, now) is None
            else:
                model.law.learn(fate, claim, model.now)
                assert self.limiter.settle(slot, fate, now) is model.call_head()
            return
        self.slots.remove((slot, claim))
        if not slot.heard:
            model.law.learn(fate, claim, model.now)
        model.law.claims.remove(claim)
        assert self.limiter.release(slot, fate, now) is model.call_head()
        assert self.limiter.release(slot, fate, now) is None

    @invariant()
    def what_is_held_agrees(self):
        if hasattr(self, "model"):
            assert self.limiter.in_use == sum(tokens for _, tokens in self.model.law.claims)
            assert self.limiter.limit == self.model.law.limit


class CombinedMachine(SlotsMachine):
    """A bucket, a window and slots at once: each law holds, over the same claims."""

    @initialize(log_rate=st.integers(-1, 4), burst=st.integers(1, 4), limit=st.integers(1, 4), slots=st.integers(1, 4))
    def start(self, log_rate, burst, limit, slots):
        rate = Fraction(2) ** log_rate
        parts = TokenBucket(float(rate), burst), SlidingWindow(limit, 1.0), Concurrency(slots)
        self.laws = BucketLaw(rate, burst), WindowLaw(limit, SECOND), SlotsLaw(slots)
        self.begin(Combined(*parts), AllOf(*self.laws), min(burst, limit, slots))

    @rule(data=st.data(), fate=st.sampled_from(["ok", "dropped", "ignored"]))
    @precondition(lambda self: self.slots)
    def release(self, data, fate):
        slot, claim = self.pick(self.slots, data)
        self.slots.remove((slot, claim))
        now = self.tell()
        self.laws[2].claims.remove(claim)
        assert self.limiter.release(slot, fate, now) is self.model.call_head()
        assert self.limiter.release(slot, fate, now) is None

    @invariant()
    def what_is_held_agrees(self):
        if hasattr(self, "model"):
            held = sum(tokens for _, tokens in self.laws[2].claims)
            assert self.limiter.limits[2].in_use == held <= self.laws[2].limit

    @invariant()
    def no_window_exceeds_any_law(self):
        if hasattr(self, "model"):
            bucket, window, _ = self.laws
            for start, _ in bucket.claims:
                since = [(at, tokens) for at, tokens in bucket.claims if at >= start]
                assert sum(tokens for at, tokens in since if at < start + window.window) <= window.limit
                for end, _ in since:
                    taken = sum(tokens for at, tokens in since if at <= end)
                    assert taken <= bucket.rate * (end - start) + bucket.burst


machine: type[Machine]
for machine in (BucketMachine, WindowMachine, SlotsMachine):
    machine.TestCase.settings = settings(stateful_step_count=50)
for machine in (CellMachine, CounterMachine, LearningSlotsMachine, CombinedMachine):
    machine.TestCase.settings = settings(stateful_step_count=50, max_examples=settings.default.max_examples // 4)
TestBucket, TestWindow, TestSlots = BucketMachine.TestCase, WindowMachine.TestCase, SlotsMachine.TestCase
TestCells, TestCounter = CellMachine.TestCase, CounterMachine.TestCase
TestLearningSlots, TestCombined = LearningSlotsMachine.TestCase, CombinedMachine.TestCase
