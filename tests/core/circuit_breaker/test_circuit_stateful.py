"""The circuit against a naive model: many permits at once, late results, cancellations, lost probes, odd clocks."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from sansio_http.circuit_breaker import Circuit, CircuitState, Permit
from sansio_http.exceptions import ConnectError
from sansio_http.models import HTTPResponse, Outcome

TICK = 0.25  # seconds; sums of quarters are exact
TOLERANCE = 4  # ticks that a clock may step back before it is another clock
OUTCOMES: dict[bool | None, Outcome] = {
    True: ConnectError("refused"),
    False: HTTPResponse(404),
    None: KeyboardInterrupt(),
}


class Model:
    """The circuit as the prose tells it, in whole ticks, living through every single one of them."""

    def __init__(self, threshold: int, recovery: int, places: int) -> None:
        self.threshold, self.recovery, self.places = threshold, recovery, places
        self.clock = 0  # own time
        self.reading = 0  # of the caller's clock, the latest
        self.rebases = 0
        self.state = "CLOSED"
        self.moves = 0
        self.in_a_row = 0
        self.opened_at = 0
        self.succeeded = 0
        self.out: dict[int, int | None] = {}  # the permits that count, and when a probe's lease ends

    def see(self, reading: int) -> None:
        if reading < self.reading - TOLERANCE:
            self.reading = reading
            self.rebases += 1
        while self.reading < reading:
            self.reading += 1
            self.clock += 1
            self.live_through_a_tick()

    def live_through_a_tick(self) -> None:
        lost = [end for end in self.out.values() if end is not None and end < self.clock]
        if lost:
            self.opened_at = min(lost)
            self.become("OPEN")
        if self.state == "OPEN" and self.clock == self.opened_at + self.recovery:
            self.become("HALF_OPEN")

    def become(self, state: str) -> None:
        self.state = state
        self.moves += 1
        self.in_a_row = self.succeeded = 0
        self.out.clear()

    def refusal(self) -> int | None:
        """When to ask again, on the caller's clock; None where a call may pass."""
        if self.state == "OPEN":
            return self.opened_at + self.recovery - self.clock + self.reading
        if self.state == "HALF_OPEN" and self.succeeded + len(self.out) >= self.places:
            return min(end for end in self.out.values() if end is not None) - self.clock + self.reading
        return None

    def admit(self, number: int, lease: int) -> None:
        self.out[number] = self.clock + lease if self.state == "HALF_OPEN" else None

    def end(self, number: int, failed: bool | None) -> None:
        if number not in self.out:
            return
        del self.out[number]
        if failed is None:
            return
        if self.state == "CLOSED":
            self.in_a_row = self.in_a_row + 1 if failed else 0
            if self.in_a_row == self.threshold:
                self.opened_at = self.clock
                self.become("OPEN")
        elif failed:
            self.opened_at = self.clock
            self.become("OPEN")
        else:
            self.succeeded += 1
            if self.succeeded == self.places:
                self.become("CLOSED")


class Circuits(RuleBasedStateMachine):
    @initialize(threshold=st.integers(1, 3), recovery=st.integers(1, 40), places=st.integers(1, 3))
    def begin(self, threshold: int, recovery: int, places: int) -> None:
        self.circuit = Circuit(threshold, recovery * TICK, half_open_permits=places)
        self.model = Model(threshold, recovery, places)
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
        assert (circuit.failures, circuit.permits_out) == (model.in_a_row, len(model.out))
        assert circuit.rebases == model.rebases

    # What the callers do.

    @rule(lease=st.integers(1, 60))
    def admit(self, lease: int) -> None:
        now = self.now()
        retry_at = self.model.refusal()
        looked = self.circuit.peek(now)
        got = self.circuit.admit(now, lease * TICK)
        if isinstance(got, Permit):
            assert retry_at is None and looked is None
            assert self.model.state != "OPEN"
            self.model.admit(len(self.permits), lease)
            self.permits.append(got)
        else:
            assert looked == got
            assert retry_at is not None and got.retry_at == retry_at * TICK
            assert got.state == self.model.state and got.last_failure
        assert self.model.state != "HALF_OPEN" or self.circuit.permits_out <= self.model.places
        self.agree()

    def finish(self, number: int, failed: bool | None, release: bool = False) -> None:
        # While CLOSED a circuit looks at the clock only when it opens.
        opens = self.model.in_a_row + 1 == self.model.threshold and failed is True and number in self.model.out
        now = self.now() if opens or self.model.state != "CLOSED" else self.reading * TICK
        if failed is None and release:
            self.circuit.release(self.permits[number], now)
        else:
            self.circuit.record(self.permits[number], OUTCOMES[failed], now)
        self.model.end(number, failed)
        self.ended.add(number)
        self.agree()

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
        assert fresh == (self.model.state == "CLOSED" and not self.model.in_a_row and not self.model.out)
        self.agree()

    # What time does, before anybody looks.

    @rule(ticks=st.integers(1, 100))
    def time_passes(self, ticks: int) -> None:
        self.reading += ticks

    def moments(self) -> list[int]:
        """When time alone will do something: the ends of leases and of the break, on the caller's clock."""
        ends = [end for end in self.model.out.values() if end is not None]
        if self.model.state == "OPEN":
            ends.append(self.model.opened_at + self.model.recovery)
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
        self.look()
        self.reading = self.model.reading + 60 + 1 + self.model.recovery
        now = self.now()
        for _ in range(self.model.places):
            if self.circuit.state_at(now) is not CircuitState.CLOSED:
                probe = self.circuit.admit(now)
                assert isinstance(probe, Permit)
                self.circuit.record(probe, OUTCOMES[False], now)
        assert self.circuit.state_at(now) is CircuitState.CLOSED


Circuits.TestCase.settings = settings(stateful_step_count=100)
TestCircuits = Circuits.TestCase
