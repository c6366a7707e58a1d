"""The circuit against a naive model, in every mode: many permits at once, and whatever time, callers and people do."""

import math
from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from sansio_http.circuit_breaker import TRANSITIONS, CallWindow, Circuit, CircuitEvent, CircuitState, Permit
from sansio_http.exceptions import ConnectError
from sansio_http.models import HTTPResponse, Outcome

TICK = 0.25  # seconds; sums of quarters are exact
TOLERANCE = 4  # ticks that a clock may step back before it is another clock
OUTCOMES: dict[bool | None, Outcome] = {
    True: ConnectError("refused"),
    False: HTTPResponse(404),
    None: KeyboardInterrupt(),
}


@dataclass(kw_only=True)
class Setup:
    """What both are told, in whole ticks."""

    threshold: int = 1
    recovery: int = 1
    places: int = 1
    needed: int = 1
    factor: int = 1
    longest: int = 10
    jitter: float = 0.0
    calls: int | None = None
    tenth: int | None = None  # of a window of seconds
    least: int = 1
    slow_after: int | None = None

    @property
    def windowed(self) -> bool:
        return self.calls is not None or self.tenth is not None

    def circuit(self, dice: list[float]) -> Circuit:
        window = None
        if self.windowed:
            window = CallWindow(
                calls=self.calls,
                seconds=None if self.tenth is None else 10 * self.tenth * TICK,
                minimum_calls=self.least,
                slow_after=None if self.slow_after is None else self.slow_after * TICK,
                slow_rate=None if self.slow_after is None else 0.75,
            )
        return Circuit(
            5 if self.windowed else self.threshold,
            self.recovery * TICK,
            window=window,
            half_open_permits=self.places,
            success_threshold=self.needed,
            recovery_factor=self.factor,
            recovery_max=self.longest * TICK,
            recovery_jitter=self.jitter,
            rand=lambda: dice[-1],
        )


@dataclass
class Call:
    """A permit that is out."""

    reading: int  # of the caller's clock, when it was given
    lease_end: int | None = None


@dataclass
class Model:
    """The circuit as the prose tells it, living through every single tick."""

    setup: Setup
    dice: list[float]
    clock: int = 0  # own time
    reading: int = 0  # of the caller's clock, the latest
    rebases: int = 0
    state: str = "CLOSED"
    moves: int = 0
    in_a_row: int = 0
    ended: list[tuple[int, bool, bool]] = field(default_factory=list)  # when, failed, slow
    break_end: float = 0
    openings: int = 0
    succeeded: int = 0
    failed: int = 0
    out: dict[int, Call] = field(default_factory=dict)  # the permits that count

    def see(self, reading: int) -> None:
        if reading < self.reading - TOLERANCE:
            self.reading = reading
            self.rebases += 1
        while self.reading < reading:
            self.reading += 1
            self.clock += 1
            self.live_through_a_tick()

    def live_through_a_tick(self) -> None:
        for number, call in list(self.out.items()):
            if number in self.out and call.lease_end is not None and call.lease_end < self.clock:
                del self.out[number]
                self.a_probe_failed(call.lease_end)
        if self.state == "OPEN" and self.clock >= self.break_end:
            self.become("HALF_OPEN")

    def become(self, state: str) -> None:
        self.state = state
        self.moves += 1
        self.in_a_row = self.succeeded = self.failed = 0
        self.ended.clear()
        self.out.clear()
        if state == "CLOSED":
            self.openings = 0

    def open(self, at: int) -> None:
        length = min(self.setup.recovery * self.setup.factor**self.openings, self.setup.longest)
        self.openings += 1
        self.break_end = at + length * (1 + self.setup.jitter * self.dice[-1])
        self.become("OPEN")

    def a_probe_failed(self, at: int) -> None:
        self.failed += 1
        if self.setup.places - self.failed < self.setup.needed:
            self.open(at)

    def refusal(self) -> tuple[float | None] | None:
        """When to ask again, on the caller's clock; None where a call may pass."""
        if self.state == "ISOLATED":
            return (None,)
        if self.state == "OPEN":
            return (self.break_end - self.clock + self.reading,)
        if self.state == "HALF_OPEN" and self.succeeded + self.failed + len(self.out) >= self.setup.places:
            ends = [call.lease_end for call in self.out.values() if call.lease_end is not None]
            return (min(ends) - self.clock + self.reading,)
        return None

    def admit(self, number: int, reading: int, lease: int) -> None:
        self.out[number] = Call(reading, self.clock + lease if self.state == "HALF_OPEN" else None)

    def in_window(self) -> list[tuple[int, bool, bool]]:
        if self.setup.calls is not None:
            return self.ended[-self.setup.calls :]
        tenth = self.setup.tenth or 1
        return [call for call in self.ended if self.clock // tenth - call[0] // tenth < 10]

    def looks(self, number: int, failed: bool | None) -> bool:
        """Whether the end of a permit has the circuit look at the clock."""
        if self.state != "CLOSED":
            return True
        if number not in self.out or failed is None:
            return False
        return self.setup.windowed or (failed and self.in_a_row + 1 == self.setup.threshold)

    def end(self, number: int, reading: int, failed: bool | None) -> None:
        if number not in self.out:
            return
        call = self.out.pop(number)
        if failed is None or self.state == "DISABLED":
            return
        slow = self.setup.slow_after is not None and reading - call.reading > self.setup.slow_after
        if self.state == "HALF_OPEN":
            if failed or slow:
                self.a_probe_failed(self.clock)
                return
            self.succeeded += 1
            if self.succeeded == self.setup.needed:
                self.become("CLOSED")
        elif not self.setup.windowed:
            self.in_a_row = self.in_a_row + 1 if failed else 0
            if self.in_a_row == self.setup.threshold:
                self.open(self.clock)
        else:
            self.ended.append((self.clock, failed, slow))
            window = self.in_window()
            failures, slows = sum(failed for _, failed, _ in window), sum(slow for _, _, slow in window)
            if len(window) >= self.setup.least and (2 * failures >= len(window) or 4 * slows >= 3 * len(window)):
                self.open(self.clock)


WINDOWS = st.one_of(
    st.just({}),
    st.builds(lambda calls: {"calls": calls}, st.integers(2, 6)),
    st.builds(lambda tenth: {"tenth": tenth}, st.integers(1, 8)),
)


class Circuits(RuleBasedStateMachine):
    @initialize(
        window=WINDOWS,
        threshold=st.integers(1, 3),
        least=st.integers(1, 4),
        slow_after=st.one_of(st.none(), st.integers(1, 30)),
        recovery=st.integers(1, 40),
        places=st.integers(1, 4),
        needed=st.integers(1, 4),
        factor=st.integers(1, 3),
        longest=st.integers(1, 10),
        jitter=st.sampled_from([0.0, 0.0, 0.5, 1.0]),
    )
    def begin(self, window, threshold, least, slow_after, recovery, places, needed, factor, longest, jitter) -> None:
        setup = Setup(
            threshold=threshold,
            recovery=recovery,
            places=places,
            needed=min(needed, places),
            factor=factor,
            longest=longest * recovery,
            jitter=jitter,
            **window,
        )
        if setup.windowed:
            setup.least = min(least, setup.calls or least)
            setup.slow_after = slow_after
        self.dice = [0.0]
        self.circuit = setup.circuit(self.dice)
        self.model = Model(setup, self.dice)
        self.reading = 0  # of the caller's clock; the circuit sees it when it is called
        self.permits: list[Permit] = []
        self.ended: set[int] = set()
        self.look()

    def now(self) -> float:
        """The time, for a call of the circuit: the model sees it too."""
        self.model.see(self.reading)
        return self.reading * TICK

    def agree(self) -> None:
        circuit, model = self.circuit, self.model
        assert (circuit.last_state, circuit.generation) == (model.state, model.moves)
        assert circuit.permits_out == len(model.out)
        assert circuit.rebases == model.rebases
        if not model.setup.windowed:
            assert circuit.failures == model.in_a_row

    # What the callers do.

    @rule(lease=st.integers(1, 60))
    def admit(self, lease: int) -> None:
        now = self.now()
        refusal = self.model.refusal()
        looked = self.circuit.peek(now)
        got = self.circuit.admit(now, lease * TICK)
        if isinstance(got, Permit):
            assert refusal is None and looked is None
            assert self.model.state not in ("OPEN", "ISOLATED")
            self.model.admit(len(self.permits), self.reading, lease)
            self.permits.append(got)
        else:
            assert looked == got
            assert refusal is not None
            assert got.retry_at == (None if refusal[0] is None else refusal[0] * TICK)
            assert got.state == self.model.state and got.last_failure
        assert self.model.state != "HALF_OPEN" or self.circuit.permits_out <= self.model.setup.places
        self.agree()

    def finish(self, number: int, failed: bool | None, release: bool = False) -> None:
        now = self.now() if self.model.looks(number, failed) else self.reading * TICK
        counts = self.model.setup.windowed and number in self.model.out and failed is not None
        if failed is None and release:
            self.circuit.release(self.permits[number], now)
        else:
            self.circuit.record(self.permits[number], OUTCOMES[failed], now)
        self.model.end(number, self.reading, failed)
        self.ended.add(number)
        self.agree()
        if counts and self.model.state == "CLOSED":
            inside = self.model.in_window()
            failures, slow = sum(failed for _, failed, _ in inside), sum(slow for _, _, slow in inside)
            circuit = self.circuit
            assert (circuit.calls, circuit.failures, circuit.slow_calls) == (len(inside), failures, slow)

    @precondition(lambda self: self.model.out)
    @rule(which=st.integers(0, 7), failed=st.sampled_from([True, False, None]), release=st.booleans())
    def end(self, which: int, failed: bool | None, release: bool) -> None:
        """A permit that counts, unless its lease has ended meanwhile."""
        self.finish(sorted(self.model.out)[which % len(self.model.out)], failed, release)

    def late(self) -> list[int]:
        """The permits that nobody has ended and that count no more."""
        return [number for number in range(len(self.permits)) if number not in self.ended | self.model.out.keys()]

    @precondition(lambda self: bool(self.late()))
    @rule(which=st.integers(0, 7), failed=st.sampled_from([True, False, None]), release=st.booleans())
    def end_late(self, which: int, failed: bool | None, release: bool) -> None:
        self.finish(self.late()[which % len(self.late())], failed, release)

    @precondition(lambda self: self.ended)
    @rule(which=st.integers(0, 7), failed=st.sampled_from([True, False, None]), release=st.booleans())
    def end_again(self, which: int, failed: bool | None, release: bool) -> None:
        self.finish(sorted(self.ended)[-1 - which % len(self.ended)], failed, release)

    @rule(calls=st.integers(1, 3), failed=st.sampled_from([True, True, False, None]))
    def call(self, calls: int, failed: bool | None) -> None:
        for _ in range(calls):
            before = len(self.permits)
            self.admit(lease=1)
            if len(self.permits) > before:
                self.finish(before, failed)

    @rule()
    def look(self) -> None:
        assert self.circuit.state_at(self.now()) == self.model.state
        self.agree()

    @rule()
    def would_be_evicted(self) -> None:
        fresh = self.circuit.is_fresh(self.now())
        remembered = self.model.in_a_row or any(failed or slow for _, failed, slow in self.model.in_window())
        assert fresh == (self.model.state == "CLOSED" and not remembered and not self.model.out)
        self.agree()

    # What somebody says.

    @rule(event=st.sampled_from(["FORCED", "ISOLATED", "DISABLED", "RESET", "RESET", "RESET"]))
    def say(self, event: str) -> None:
        if event == "FORCED":
            now = self.now()
            self.model.openings = 0
            self.model.open(self.model.clock)
            self.circuit.force_open(now)
        else:
            self.model.become(TRANSITIONS[self.circuit.last_state, CircuitEvent[event]])
            {"ISOLATED": Circuit.isolate, "DISABLED": Circuit.disable, "RESET": Circuit.reset}[event](self.circuit)
        self.agree()

    @rule(number=st.sampled_from([0.0, 0.25, 0.5, 0.75]))
    def the_dice_will_say(self, number: float) -> None:
        self.dice.append(number)

    # What time does, before anybody looks.

    @rule(ticks=st.integers(1, 100))
    def time_passes(self, ticks: int) -> None:
        self.reading += ticks

    def moments(self) -> list[int]:
        """When time alone will do something: the ends of leases and of the break, on the caller's clock."""
        ends = [call.lease_end for call in self.model.out.values() if call.lease_end is not None]
        if self.model.state == "OPEN":
            ends.append(math.ceil(self.model.break_end))
        return sorted(end - self.model.clock + self.model.reading for end in ends)

    @precondition(lambda self: bool(self.moments()))
    @rule(which=st.integers(0, 3), off=st.integers(-1, 1), then=st.permutations(["admit", "end", "look"]))
    def tie(self, which: int, off: int, then: list[str]) -> None:
        """At such a moment, or a tick beside it, several things at once, in any order."""
        self.reading = max(self.reading, self.moments()[which % len(self.moments())] + off)
        for what in then:
            if what == "admit":
                self.admit(lease=1)
            elif what == "look":
                self.look()
            elif self.model.out:
                self.finish(min(self.model.out), which == 0)

    @rule(ticks=st.one_of(st.integers(1, TOLERANCE), st.integers(TOLERANCE + 1, 1000)))
    def clock_steps_back(self, ticks: int) -> None:
        self.reading -= ticks

    def teardown(self) -> None:
        """Whatever was lost: it closes in bounded time, if the server is well from now on."""
        if not hasattr(self, "circuit"):
            return
        if self.model.state in ("ISOLATED", "DISABLED"):
            self.say("RESET")
        self.look()
        # The longest lease, as if all but the last probe were lost, and the longest break with its jitter.
        self.reading = self.model.reading + 60 + 1 + 2 * self.model.setup.longest
        now = self.now()
        for _ in range(self.model.setup.needed):
            if self.circuit.state_at(now) is not CircuitState.CLOSED:
                probe = self.circuit.admit(now)
                assert isinstance(probe, Permit)
                self.circuit.record(probe, OUTCOMES[False], now)
        assert self.circuit.state_at(now) is CircuitState.CLOSED


Circuits.TestCase.settings = settings(stateful_step_count=100)
TestCircuits = Circuits.TestCase
