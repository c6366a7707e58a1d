"""The windows: what is in them, what opens the circuit by them, and what they cost."""

import math
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansio_http.circuit_breaker import CallWindow, Circuit, CircuitState, Permit, Rejected
from sansio_http.exceptions import ConfigurationError, ConnectError
from sansio_http.models import HTTPResponse, Outcome

CLOSED, OPEN = CircuitState.CLOSED, CircuitState.OPEN
GOOD, BAD = HTTPResponse(200), HTTPResponse(503)
OUTCOMES: dict[str, Outcome] = {"s": GOOD, "f": BAD, "n": KeyboardInterrupt()}


def call(circuit: Circuit, outcome: Outcome, now: float, duration: float = 0.0) -> None:
    """One that ends at ``now``."""
    permit = circuit.admit(now - duration)
    assert isinstance(permit, Permit)
    circuit.record(permit, outcome, now)


def calls(circuit: Circuit, outcomes: str, now: float = 0.0) -> None:
    for outcome in outcomes:
        call(circuit, OUTCOMES[outcome], now)


def counted(circuit: Circuit) -> tuple[int, int, int]:
    return circuit.calls, circuit.failures, circuit.slow_calls


# -- the last calls ----------------------------------------------------------------------------------------------------


def test_no_rate_counts_below_the_least_number_of_calls():
    circuit = Circuit(window=CallWindow(calls=10, minimum_calls=4))
    calls(circuit, "fff")
    assert (circuit.state_at(0.0), counted(circuit)) == (CLOSED, (3, 3, 0))
    calls(circuit, "f")
    assert circuit.state_at(0.0) is OPEN


def test_a_success_may_be_the_call_that_makes_it_enough():
    circuit = Circuit(window=CallWindow(calls=10, minimum_calls=4))
    calls(circuit, "ffss")
    assert circuit.peek(0.0) == Rejected(OPEN, 60.0, "2 of 4 calls failed")


@pytest.mark.parametrize("failures", range(1, 101))
def test_the_rate_that_was_given_opens_it_and_one_failure_less_does_not(failures):
    """Whatever its rounding: 0.07 * 100 is more than 7."""
    window = CallWindow(calls=100, minimum_calls=100, failure_rate=failures / 100)
    for given_failures, state in ((failures - 1, CLOSED), (failures, OPEN)):
        circuit = Circuit(window=window)
        calls(circuit, "s" * (100 - given_failures) + "f" * given_failures)
        assert circuit.last_state is state


def test_the_oldest_call_makes_room():
    circuit = Circuit(window=CallWindow(calls=4, failure_rate=0.75))
    calls(circuit, "ffss")
    assert counted(circuit) == (4, 2, 0)
    calls(circuit, "s")
    assert counted(circuit) == (4, 1, 0)
    calls(circuit, "ss")
    assert counted(circuit) == (4, 0, 0)
    calls(circuit, "fff")
    assert circuit.last_state is OPEN


def test_neutral_is_not_in_the_window():
    circuit = Circuit(window=CallWindow(calls=4))
    calls(circuit, "fnnnn")
    assert (counted(circuit), circuit.permits_out) == ((1, 1, 0), 0)


def test_the_window_begins_anew_when_it_closes():
    circuit = Circuit(window=CallWindow(calls=4, minimum_calls=2))
    calls(circuit, "ff")
    assert counted(circuit) == (0, 0, 0)
    calls(circuit, "s", 60.0)
    assert (circuit.state_at(60.0), counted(circuit)) == (CLOSED, (0, 0, 0))
    calls(circuit, "f", 60.0)
    assert circuit.state_at(60.0) is CLOSED


def test_what_it_tells_of_the_failures():
    circuit = Circuit(window=CallWindow(calls=4, minimum_calls=2))
    call(circuit, GOOD, 0.0)
    call(circuit, ConnectError("refused"), 0.0)
    rejected = circuit.peek(0.0)
    assert rejected is not None
    assert rejected.last_failure == "1 of 2 calls failed, the last: ConnectError: refused"
    circuit.reset()
    for _ in range(2):
        permit = circuit.admit(0.0)
        assert isinstance(permit, Permit)
        circuit.settle(permit, True, 0.0)
    assert circuit.peek(0.0) == Rejected(OPEN, 60.0, "2 of 2 calls failed")


# -- the last seconds --------------------------------------------------------------------------------------------------


def test_calls_are_forgotten_a_tenth_at_a_time():
    circuit = Circuit(window=CallWindow(seconds=10.0, failure_rate=1.0))
    for now in (0.0, 0.5, 0.999, 1.0, 9.999):
        call(circuit, BAD, now)
    assert counted(circuit) == (5, 5, 0)
    call(circuit, GOOD, 10.0)  # the first second is over
    assert counted(circuit) == (3, 2, 0)
    call(circuit, GOOD, 18.999)
    assert counted(circuit) == (3, 1, 0)
    call(circuit, GOOD, 19.0)
    assert counted(circuit) == (3, 0, 0)


def test_a_bucket_counts_further_than_a_byte():
    window = CallWindow(seconds=10.0, failure_rate=1.0, slow_after=1.0, slow_rate=1.0)
    circuit = Circuit(window=window)
    for now in (0.5, 1.5):
        calls(circuit, "sf" * 150, now)
        for _ in range(2):
            call(circuit, GOOD, now, duration=2.0)
    assert counted(circuit) == (604, 300, 4)
    call(circuit, GOOD, 10.0)
    assert counted(circuit) == (303, 150, 2)
    call(circuit, GOOD, 11.0)
    assert counted(circuit) == (2, 0, 0)


def test_after_a_long_silence_nothing_is_left():
    circuit = Circuit(window=CallWindow(seconds=10.0))
    calls(circuit, "fff", 3.0)
    call(circuit, GOOD, 1e6)
    assert counted(circuit) == (1, 0, 0)


def test_time_alone_makes_it_fresh():
    circuit = Circuit(window=CallWindow(seconds=10.0))
    calls(circuit, "fs", 3.0)
    assert not circuit.is_fresh(12.999)
    assert circuit.is_fresh(13.0)


def test_the_rate_is_that_of_the_window():
    circuit = Circuit(window=CallWindow(seconds=10.0, minimum_calls=4))
    calls(circuit, "ssssssss", 0.0)
    calls(circuit, "fff", 9.0)
    assert circuit.state_at(9.0) is CLOSED
    calls(circuit, "f", 10.0)
    assert circuit.peek(10.0) == Rejected(OPEN, 70.0, "4 of 4 calls failed, the last: 503 Service Unavailable")


def test_it_counts_on_when_another_clock_comes():
    circuit = Circuit(window=CallWindow(seconds=10.0))
    calls(circuit, "ff", 1000.0)
    call(circuit, GOOD, 3.0)
    assert (counted(circuit), circuit.rebases) == ((3, 2, 0), 1)
    call(circuit, GOOD, 12.999)
    assert counted(circuit) == (4, 2, 0)
    call(circuit, GOOD, 13.0)
    assert counted(circuit)[1] == 0


# -- slow calls --------------------------------------------------------------------------------------------------------


def slow_window(**options) -> CallWindow:
    return CallWindow(**{"calls": 4, "minimum_calls": 2, "slow_after": 1.0, "slow_rate": 0.5} | options)


def test_too_many_slow_calls_open_it():
    circuit = Circuit(window=slow_window(minimum_calls=4))
    for duration in (1.0, 1.001, 0.0):
        call(circuit, GOOD, 10.0, duration)
    assert counted(circuit) == (3, 0, 1)
    call(circuit, GOOD, 10.0, 2.0)
    assert circuit.peek(10.0) == Rejected(OPEN, 70.0, "2 of 4 calls took longer than 1 s")


def test_a_slow_failure_is_both():
    circuit = Circuit(window=slow_window(slow_rate=1.0, failure_rate=1.0))
    call(circuit, GOOD, 10.0)
    call(circuit, BAD, 10.0, 2.0)
    assert counted(circuit) == (2, 1, 1)


def test_failures_do_not_open_what_looks_at_slow_calls_only():
    circuit = Circuit(window=slow_window(failure_rate=None))
    calls(circuit, "ffff")
    assert (circuit.state_at(0.0), counted(circuit)) == (CLOSED, (4, 4, 0))


def test_slow_calls_do_not_open_what_looks_at_failures_only():
    circuit = Circuit(window=CallWindow(calls=2))
    for _ in range(2):
        call(circuit, GOOD, 1e6, 1e6)
    assert counted(circuit) == (2, 0, 0)


def test_the_oldest_slow_call_makes_room():
    circuit = Circuit(window=slow_window(calls=2, slow_rate=1.0, failure_rate=1.0))
    call(circuit, GOOD, 10.0, 2.0)
    call(circuit, BAD, 10.0)
    call(circuit, GOOD, 10.0)
    assert counted(circuit) == (2, 1, 0)
    call(circuit, GOOD, 10.0)
    assert counted(circuit) == (2, 0, 0)


def test_slow_calls_are_forgotten_with_their_tenth():
    circuit = Circuit(window=slow_window(calls=None, seconds=10.0, slow_rate=1.0))
    call(circuit, GOOD, 3.0, 2.0)
    assert not circuit.is_fresh(12.0)
    call(circuit, GOOD, 13.0)
    assert counted(circuit) == (1, 0, 0)


def test_a_probe_that_is_slow_has_failed():
    circuit = Circuit(window=slow_window())
    for _ in range(2):
        call(circuit, GOOD, 10.0, 2.0)
    permit = circuit.admit(70.0)
    assert isinstance(permit, Permit)
    circuit.record(permit, GOOD, 72.0)
    assert circuit.peek(72.0) == Rejected(OPEN, 132.0, "a probe was slow")
    permit = circuit.admit(132.0)
    assert isinstance(permit, Permit)
    circuit.record(permit, KeyboardInterrupt(), 134.0)  # neutral, however long it took
    call(circuit, GOOD, 135.0, 1.0)
    assert circuit.state_at(135.0) is CLOSED


# -- against a list of calls -------------------------------------------------------------------------------------------

CALLS = st.lists(st.tuples(st.integers(0, 30), st.booleans(), st.booleans()), max_size=40)


@given(CALLS, st.integers(1, 8), st.booleans())
def test_whatever_happened_the_counts_are_those_of_the_calls_in_the_window(happened, size, by_time):
    """Windows of ``size`` calls, or of ``10 * size`` ticks of a quarter second."""
    never = {"slow_after": 1.0, "slow_rate": 1.0, "minimum_calls": 10_000}
    window = CallWindow(seconds=2.5 * size, **never) if by_time else None
    circuit = Circuit(window=window or CallWindow(calls=size, **never | {"minimum_calls": size}, failure_rate=1.0))
    ticks, before = 0, []
    for later, failed, slow in happened:
        ticks += later
        before.append((ticks, failed, slow))
        generation = circuit.generation
        call(circuit, BAD if failed else GOOD, ticks * 0.25, 2.0 if slow else 0.0)
        if circuit.generation != generation:  # all of them failed, or were slow
            circuit.reset()
            before.clear()
        inside = [seen for seen in before if ticks // size - seen[0] // size < 10] if by_time else before[-size:]
        expected = len(inside), sum(failed for _, failed, _ in inside), sum(slow for _, _, slow in inside)
        assert counted(circuit) == expected


# -- cost --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("window", "most"), [(CallWindow(calls=100), 470), (CallWindow(seconds=30.0), 429)])
def test_a_circuit_with_a_window_is_small(window, most):
    def used(number: int) -> Circuit:
        circuit = Circuit(window=window)
        calls(circuit, "sssf" * 25, float(number))
        return circuit

    used(0)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        circuits = [used(number) for number in range(1000)]
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (after - before) / len(circuits) < most


# -- what may be given -------------------------------------------------------------------------------------------------


def test_the_defaults():
    window = CallWindow(seconds=30.0)
    assert (window.failure_rate, window.minimum_calls) == (0.5, 20)
    assert (window.calls, window.slow_after, window.slow_rate) == (None, None, None)
    assert CallWindow(calls=100).minimum_calls == 20
    assert CallWindow(calls=20).minimum_calls == 20
    assert CallWindow(calls=19).minimum_calls == 19


def test_it_is_a_value():
    assert CallWindow(calls=3) == CallWindow(calls=3) != CallWindow(calls=4)
    assert len({CallWindow(calls=3), CallWindow(calls=3)}) == 1


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [
        *(
            (field, value, "a whole number, 1 or more")
            for field in ("calls", "minimum_calls")
            for value in (0, -1, 1.5, True, "5")
        ),
        *(
            (field, value, "finite seconds above 0")
            for field in ("seconds", "slow_after")
            for value in (0, -1.0, math.inf, math.nan, True, "60")
        ),
        *(
            (field, value, "a number above 0, 1 at most")
            for field in ("failure_rate", "slow_rate")
            for value in (0, -0.1, 1.001, 50, math.nan, True, "0.5")
        ),
    ],
)
def test_a_wrong_argument_is_refused_by_name(field, value, allowed):
    fine = {"slow_after": 1.0, "slow_rate": 0.5} | ({} if field in ("calls", "seconds") else {"seconds": 1.0})
    with pytest.raises(ConfigurationError) as caught:
        CallWindow(**fine | {field: value})
    assert str(caught.value) == f"CallWindow.{field}: {value!r} is not allowed; it is {allowed}"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "CallWindow: calls=None and seconds=None are not allowed; give one"),
        ({"calls": 1, "seconds": 2.0}, "CallWindow: calls=1 and seconds=2.0 are not allowed; give one"),
        (
            {"calls": 1, "slow_rate": 0.5},
            "CallWindow: slow_after=None and slow_rate=0.5 are not allowed; give both or neither",
        ),
        (
            {"calls": 1, "slow_after": 2.0},
            "CallWindow: slow_after=2.0 and slow_rate=None are not allowed; give both or neither",
        ),
        (
            {"calls": 1, "failure_rate": None},
            "CallWindow: nothing would open the circuit; give failure_rate or slow_rate",
        ),
        (
            {"calls": 10, "minimum_calls": 11},
            "CallWindow.minimum_calls: 11 is not allowed; a window of 10 calls never has so many: it is 10 at most",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(options, message):
    with pytest.raises(ConfigurationError) as caught:
        CallWindow(**options)
    assert str(caught.value) == message


def test_what_is_at_the_edge_is_allowed():
    window = CallWindow(calls=1, failure_rate=1, minimum_calls=1, slow_after=0.001, slow_rate=0.001)
    assert (window.failure_rate, window.slow_rate) == (1, 0.001)


def test_what_a_person_sees():
    assert str(CallWindow(calls=100)) == "of the last 100 calls 50 % failed, from 20 on"
    assert str(CallWindow(seconds=30, failure_rate=None, minimum_calls=5, slow_after=2, slow_rate=0.8)) == (
        "of the calls of the last 30 s 80 % took longer than 2 s, from 5 on"
    )
    both = CallWindow(calls=9, slow_after=2.5, slow_rate=0.125)
    assert str(both) == "of the last 9 calls 50 % failed or 12.5 % took longer than 2.5 s, from 9 on"
