"""The circuit, rule by rule."""

import gc
import math
import tracemalloc
import weakref
from collections.abc import Callable

import pytest

from sansio_http.circuit_breaker import (
    TRANSITIONS,
    CallWindow,
    Circuit,
    CircuitEvent,
    CircuitState,
    Permit,
    Rejected,
    diagram,
)
from sansio_http.exceptions import ConfigurationError, ConnectError, DriverError
from sansio_http.models import HTTPResponse, Outcome

CLOSED, OPEN, HALF_OPEN, ISOLATED, DISABLED = CircuitState
GOOD, BAD = HTTPResponse(200), HTTPResponse(503)
NEUTRAL = KeyboardInterrupt()


def admitted(circuit: Circuit, now: float, lease: float | None = None) -> Permit:
    permit = circuit.admit(now, lease)
    assert isinstance(permit, Permit)
    return permit


def refused(circuit: Circuit, now: float) -> Rejected:
    """What ``admit`` refuses with; ``peek`` says the same."""
    rejected = circuit.admit(now)
    assert isinstance(rejected, Rejected)
    assert circuit.peek(now) == rejected
    return rejected


def call(circuit: Circuit, outcome: Outcome, now: float) -> None:
    circuit.record(admitted(circuit, now), outcome, now)


def opened(at: float = 100.0, **options) -> Circuit:
    """A circuit that opened at ``at`` and will be open for 60 s."""
    circuit = Circuit(1, **options)
    call(circuit, BAD, at)
    assert circuit.state_at(at) is OPEN
    return circuit


def half_open(**options) -> Circuit:
    """A circuit that is HALF_OPEN from 160 on."""
    circuit = opened(**options)
    assert circuit.state_at(160.0) is HALF_OPEN
    return circuit


# -- CLOSED ------------------------------------------------------------------------------------------------------------


def test_a_new_circuit_is_closed_and_lets_everything_pass():
    circuit = Circuit()
    assert circuit.state_at(0.0) is CLOSED
    assert circuit.peek(0.0) is None
    permits = [admitted(circuit, 0.0) for _ in range(100)]
    assert circuit.permits_out == len(set(permits)) == 100
    assert {permit.lease_end for permit in permits} == {math.inf}


def test_the_defaults():
    circuit = Circuit()
    assert (circuit.failure_threshold, circuit.recovery_timeout) == (5, 60.0)
    assert (circuit.half_open_permits, circuit.success_threshold, circuit.lease) == (1, 1, 35.0)
    assert (circuit.window, circuit.recovery_factor, circuit.recovery_max, circuit.recovery_jitter) == (
        None,
        1,
        None,
        0,
    )
    for count in range(5):
        assert (circuit.state_at(0.0), circuit.failures) == (CLOSED, count)
        call(circuit, BAD, 0.0)
    assert refused(circuit, 0.0) == Rejected(OPEN, 60.0, "503 Service Unavailable")
    assert admitted(circuit, 60.0).lease_end == 95.0
    assert refused(circuit, 60.0) == Rejected(HALF_OPEN, 95.0, "503 Service Unavailable")


def test_a_success_in_between_starts_the_count_anew():
    circuit = Circuit(3)
    for outcome in (BAD, BAD, GOOD, BAD, BAD):
        call(circuit, outcome, 0.0)
    assert (circuit.state_at(0.0), circuit.failures) == (CLOSED, 2)
    call(circuit, ConnectError("refused"), 0.0)
    assert (circuit.state_at(0.0), circuit.failures) == (OPEN, 0)
    assert refused(circuit, 0.0).last_failure == "ConnectError: refused"


def test_failures_count_in_the_order_of_their_results():
    circuit = Circuit(2)
    first, second, third = (admitted(circuit, 0.0) for _ in range(3))
    circuit.record(third, BAD, 1.0)
    circuit.record(first, GOOD, 2.0)
    circuit.record(second, BAD, 3.0)
    assert (circuit.state_at(3.0), circuit.failures) == (CLOSED, 1)


@pytest.mark.parametrize("end", [lambda c, p: c.record(p, NEUTRAL, 0.0), lambda c, p: c.release(p, 0.0)])
def test_neutral_neither_counts_nor_clears(end):
    circuit = Circuit(2)
    call(circuit, BAD, 0.0)
    end(circuit, admitted(circuit, 0.0))
    assert (circuit.failures, circuit.permits_out) == (1, 0)


def test_a_permit_is_ended_once():
    circuit = Circuit(5)
    permit = admitted(circuit, 0.0)
    circuit.record(permit, BAD, 0.0)
    circuit.record(permit, BAD, 0.0)
    circuit.release(permit, 0.0)
    circuit.record(permit, GOOD, 0.0)
    assert (circuit.failures, circuit.permits_out) == (1, 0)
    released = admitted(circuit, 0.0)
    circuit.release(released, 0.0)
    circuit.record(released, BAD, 0.0)
    assert (circuit.failures, circuit.permits_out) == (1, 0)


def test_a_verdict_can_be_given_directly():
    circuit = Circuit(2)
    for failed in (True, False, None, True):
        circuit.settle(admitted(circuit, 0.0), failed, 0.0)
    assert circuit.failures == 1
    circuit.settle(admitted(circuit, 0.0), True, 0.0)
    assert refused(circuit, 0.0) == Rejected(OPEN, 60.0, None)


def test_a_permit_of_another_circuit_is_misuse():
    circuit, other = Circuit(), Circuit()
    permit = admitted(other, 0.0)
    for end in (lambda: circuit.record(permit, BAD, 0.0), lambda: circuit.release(permit, 0.0)):
        with pytest.raises(DriverError, match="another circuit"):
            end()
    assert (circuit.failures, circuit.permits_out, other.permits_out) == (0, 0, 1)


# -- OPEN --------------------------------------------------------------------------------------------------------------


def test_while_open_nothing_passes():
    circuit = opened(at=100.0)
    for now in (100.0, 130.0, 159.999):
        assert refused(circuit, now) == Rejected(OPEN, 160.0, "503 Service Unavailable")
    assert circuit.permits_out == 0


def test_the_break_ends_on_time_without_a_call_having_to_pass():
    circuit = opened(at=100.0)
    assert circuit.state_at(159.999) is OPEN
    assert circuit.state_at(160.0) is HALF_OPEN
    assert circuit.peek(160.0) is None
    assert circuit.permits_out == 0


def test_the_break_ends_even_if_nobody_comes_for_long():
    assert opened(at=100.0).state_at(1e9) is HALF_OPEN


def test_a_result_from_before_the_opening_changes_nothing():
    circuit = Circuit(1)
    early, late = admitted(circuit, 0.0), admitted(circuit, 0.0)
    circuit.record(early, BAD, 10.0)
    assert circuit.permits_out == 0
    circuit.record(late, BAD, 50.0)  # it does not prolong the break
    assert circuit.state_at(70.0) is HALF_OPEN
    circuit.record(late, GOOD, 70.0)  # nor close the circuit
    circuit.record(late, BAD, 70.0)  # nor open it
    assert (circuit.state_at(70.0), circuit.permits_out) == (HALF_OPEN, 0)


# -- HALF_OPEN ---------------------------------------------------------------------------------------------------------


def test_a_probe_that_succeeds_closes_the_circuit():
    circuit = half_open()
    call(circuit, GOOD, 161.0)
    assert (circuit.state_at(161.0), circuit.failures) == (CLOSED, 0)
    assert circuit.is_fresh(161.0)


def test_a_probe_that_fails_opens_the_circuit_again():
    circuit = half_open()
    call(circuit, ConnectError("refused"), 165.0)
    assert refused(circuit, 165.0) == Rejected(OPEN, 225.0, "ConnectError: refused")


def test_one_probe_at_a_time_by_default():
    circuit = half_open()
    probe = admitted(circuit, 160.0, 10.0)
    assert probe.lease_end == 170.0
    assert refused(circuit, 160.0) == Rejected(HALF_OPEN, 170.0, "503 Service Unavailable")
    circuit.record(probe, GOOD, 163.0)
    assert circuit.peek(163.0) is None


@pytest.mark.parametrize("end", [lambda c, p, now: c.record(p, NEUTRAL, now), Circuit.release])
def test_a_cancelled_probe_gives_its_place_back_and_changes_nothing(end):
    circuit = half_open()
    probe = admitted(circuit, 160.0)
    end(circuit, probe, 161.0)
    assert (circuit.state_at(161.0), circuit.permits_out) == (HALF_OPEN, 0)
    admitted(circuit, 161.0)
    end(circuit, probe, 162.0)  # the place is another's by now
    assert circuit.permits_out == 1
    refused(circuit, 162.0)


def test_all_probes_must_succeed_and_no_more_are_let_pass():
    circuit = half_open(half_open_permits=3)
    first, second, third = (admitted(circuit, 160.0 + n) for n in range(3))
    assert refused(circuit, 162.0).retry_at == 195.0  # the earliest lease end
    circuit.record(first, GOOD, 163.0)
    assert refused(circuit, 163.0).retry_at == 196.0
    circuit.record(second, GOOD, 164.0)
    assert circuit.state_at(164.0) is HALF_OPEN
    circuit.release(third, 165.0)
    call(circuit, GOOD, 166.0)
    assert circuit.state_at(166.0) is CLOSED


def test_the_first_probe_to_fail_decides():
    circuit = half_open(half_open_permits=3)
    first, second, third = (admitted(circuit, 160.0) for _ in range(3))
    circuit.record(first, GOOD, 161.0)
    circuit.record(second, BAD, 162.0)
    assert circuit.state_at(162.0) is OPEN
    circuit.record(third, GOOD, 163.0)
    assert refused(circuit, 163.0).retry_at == 222.0


def test_successes_of_an_earlier_half_open_do_not_count():
    circuit = half_open(half_open_permits=2)
    call(circuit, GOOD, 160.0)
    call(circuit, BAD, 160.0)
    call(circuit, GOOD, 220.0)
    assert circuit.state_at(220.0) is HALF_OPEN


# -- leases ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("noticed", [170.001, 200.0, 229.999])
def test_a_lost_probe_has_failed_when_its_lease_ended(noticed):
    circuit = half_open()
    admitted(circuit, 160.0, 10.0)
    assert circuit.state_at(170.0) is HALF_OPEN
    assert refused(circuit, noticed) == Rejected(OPEN, 230.0, "a probe was lost: no result within its lease")
    assert circuit.state_at(230.0) is HALF_OPEN
    assert circuit.peek(230.0) is None


def test_a_lost_probe_that_nobody_noticed_for_long_has_healed():
    circuit = half_open()
    admitted(circuit, 160.0, 10.0)
    call(circuit, GOOD, 230.0)
    assert (circuit.state_at(230.0), circuit.generation) == (CLOSED, 5)


@pytest.mark.parametrize(("outcome", "state"), [(GOOD, CLOSED), (BAD, OPEN), (NEUTRAL, HALF_OPEN)])
def test_a_result_at_the_very_end_of_its_lease_counts(outcome, state):
    circuit = half_open()
    probe = admitted(circuit, 160.0, 10.0)
    refused(circuit, 170.0)
    circuit.record(probe, outcome, 170.0)
    assert circuit.state_at(170.0) is state


def test_a_result_after_its_lease_is_dropped():
    circuit = half_open()
    probe = admitted(circuit, 160.0, 10.0)
    circuit.record(probe, GOOD, 170.001)
    assert refused(circuit, 170.001).retry_at == 230.0
    circuit.release(probe, 231.0)
    assert circuit.permits_out == 0


def test_the_earliest_lease_decides():
    circuit = half_open(half_open_permits=3)
    for lease in (20.0, 5.0, 30.0):
        admitted(circuit, 160.0, lease)
    assert refused(circuit, 164.0).retry_at == 165.0
    assert refused(circuit, 200.0) == Rejected(OPEN, 225.0, "a probe was lost: no result within its lease")


def test_the_lease_of_the_circuit_is_the_default():
    circuit = half_open(lease=2.0)
    assert admitted(circuit, 160.0).lease_end == 162.0


# -- verdicts of the user's --------------------------------------------------------------------------------------------


def test_a_rule_of_the_users_judges_alone():
    neutral = ConnectError("refused")
    circuit = Circuit(2, is_failure={GOOD: True, BAD: False, neutral: None}.get)
    call(circuit, GOOD, 0.0)
    call(circuit, neutral, 0.0)
    assert circuit.failures == 1
    call(circuit, BAD, 0.0)
    assert circuit.failures == 0


def test_a_rule_of_the_users_that_raises_releases_the_permit():
    rules: dict[Outcome, bool | None] = {}
    circuit = Circuit(1, is_failure=rules.__getitem__)
    permit = admitted(circuit, 0.0)
    with pytest.raises(KeyError):
        circuit.record(permit, BAD, 0.0)
    assert circuit.is_fresh(0.0)
    circuit.force_open(0.0)
    probe = admitted(circuit, 60.0)
    with pytest.raises(KeyError):
        circuit.record(probe, BAD, 60.0)
    assert circuit.state_at(60.0) is HALF_OPEN and circuit.permits_out == 0


# -- time that steps back ----------------------------------------------------------------------------------------------


def test_a_small_step_back_is_clamped():
    circuit = opened(at=100.0)
    assert circuit.state_at(160.0) is HALF_OPEN
    assert circuit.state_at(159.0) is HALF_OPEN
    probe = admitted(circuit, 159.5, 10.0)
    assert (probe.lease_end, circuit.rebases) == (170.0, 0)


def test_another_clock_goes_on_from_here():
    circuit = opened(at=1000.0)
    assert refused(circuit, 1020.0).retry_at == 1060.0
    assert refused(circuit, 5.0).retry_at == 45.0  # 40 s are left, on this clock too
    assert circuit.rebases == 1
    assert circuit.state_at(44.5) is OPEN
    admitted(circuit, 45.0, 10.0)
    assert refused(circuit, 46.0).retry_at == 55.0
    assert circuit.rebases == 1


def test_another_clock_cannot_freeze_a_probe():
    circuit = half_open()
    admitted(circuit, 160.0, 10.0)
    assert circuit.state_at(0.0) is HALF_OPEN
    assert refused(circuit, 10.5) == Rejected(OPEN, 70.0, "a probe was lost: no result within its lease")


# -- the table ---------------------------------------------------------------------------------------------------------

MOVES = {
    (CLOSED, CircuitEvent.TRIPPED): OPEN,
    (CLOSED, CircuitEvent.SLOWED): OPEN,
    (OPEN, CircuitEvent.BREAK_OVER): HALF_OPEN,
    (HALF_OPEN, CircuitEvent.PROBES_SUCCEEDED): CLOSED,
    (HALF_OPEN, CircuitEvent.PROBE_FAILED): OPEN,
    (HALF_OPEN, CircuitEvent.LEASE_ENDED): OPEN,
}
WORDS = {
    CircuitEvent.FORCED: OPEN,
    CircuitEvent.ISOLATED: ISOLATED,
    CircuitEvent.DISABLED: DISABLED,
    CircuitEvent.RESET: CLOSED,
}
ROWS = MOVES | {(before, event): after for event, after in WORDS.items() for before in CircuitState}


def lose_a_probe(circuit: Circuit) -> None:
    admitted(circuit, 160.0, 10.0)
    circuit.state_at(171.0)


def be_slow(circuit: Circuit) -> None:
    circuit.record(admitted(circuit, 0.0), GOOD, 2.0)


# A circuit in each state, what makes it move by itself, and what somebody says.
IN = {
    CLOSED: lambda: Circuit(window=CallWindow(calls=1, slow_after=1.0, slow_rate=1.0)),
    OPEN: opened,
    HALF_OPEN: half_open,
    ISOLATED: lambda: said(Circuit(), Circuit.isolate),
    DISABLED: lambda: said(Circuit(), Circuit.disable),
}
CAUSE = {
    CircuitEvent.TRIPPED: lambda circuit: call(circuit, BAD, 0.0),
    CircuitEvent.SLOWED: be_slow,
    CircuitEvent.BREAK_OVER: lambda circuit: circuit.state_at(160.0),
    CircuitEvent.PROBES_SUCCEEDED: lambda circuit: call(circuit, GOOD, 160.0),
    CircuitEvent.PROBE_FAILED: lambda circuit: call(circuit, BAD, 160.0),
    CircuitEvent.LEASE_ENDED: lose_a_probe,
    CircuitEvent.FORCED: lambda circuit: circuit.force_open(159.0),  # before the break of one that is OPEN is over
    CircuitEvent.ISOLATED: Circuit.isolate,
    CircuitEvent.DISABLED: Circuit.disable,
    CircuitEvent.RESET: Circuit.reset,
}


def test_the_table():
    assert TRANSITIONS == ROWS
    assert {event for _, event in TRANSITIONS} == set(CircuitEvent) == set(CAUSE)


@pytest.mark.parametrize(
    ("row", "after"), ROWS.items(), ids=lambda value: "-".join(value) if type(value) is tuple else value
)
def test_every_row_is_reached(row, after):
    before, event = row
    circuit = IN[before]()
    generation = circuit.generation
    assert circuit.last_state is before
    CAUSE[event](circuit)
    assert circuit.last_state is after
    assert circuit.generation == generation + 1
    assert (circuit.permits_out, circuit.calls, circuit.failures, circuit.slow_calls) == (0, 0, 0, 0)


def test_the_diagram_is_made_from_the_table():
    assert diagram().splitlines() == [
        "stateDiagram-v2",
        "    [*] --> CLOSED",
        "    CLOSED --> OPEN: failure_threshold failures in a row, or failure_rate reached",
        "    CLOSED --> OPEN: slow_rate reached",
        "    OPEN --> HALF_OPEN: recovery_timeout is over",
        "    HALF_OPEN --> CLOSED: success_threshold probes succeeded",
        "    HALF_OPEN --> OPEN: too many probes failed for that",
        "    HALF_OPEN --> OPEN: too many probes were lost for that",
        "    any: in any state",
        "    any --> OPEN: force_open()",
        "    any --> ISOLATED: isolate()",
        "    any --> DISABLED: disable()",
        "    any --> CLOSED: reset()",
    ]


# -- somebody's word ---------------------------------------------------------------------------------------------------


def said(circuit: Circuit, word: Callable[[Circuit], None]) -> Circuit:
    word(circuit)
    return circuit


def test_what_is_isolated_lets_nothing_pass_until_somebody_says_so():
    circuit = said(Circuit(1), Circuit.isolate)
    for now in (0.0, 1e9):
        assert refused(circuit, now) == Rejected(ISOLATED, None, "it was isolated")
    assert not circuit.is_fresh(1e9)
    circuit.reset()
    assert circuit.is_fresh(1e9)
    call(circuit, BAD, 1e9)
    assert refused(circuit, 1e9).retry_at == 1e9 + 60.0


def test_what_is_disabled_lets_all_pass_and_counts_nothing():
    circuit = said(Circuit(1), Circuit.disable)
    permits = [admitted(circuit, 0.0) for _ in range(3)]
    assert circuit.permits_out == 3
    assert (permits[0].admitted_at, permits[0].lease_end) == (0.0, math.inf)
    for permit in permits:
        circuit.record(permit, BAD, 1.0)
    assert (circuit.state_at(1e9), circuit.permits_out, circuit.failures) == (DISABLED, 0, 0)
    assert not circuit.is_fresh(1e9)
    permit = admitted(circuit, 1e9)
    circuit.reset()
    circuit.record(permit, BAD, 1e9)  # of a call that nobody wanted counted
    assert circuit.is_fresh(1e9)


@pytest.mark.parametrize("word", [Circuit.isolate, Circuit.disable, Circuit.reset, lambda c: c.force_open(0.0)])
def test_a_result_from_before_somebodys_word_changes_nothing(word):
    circuit = Circuit(1)
    permit = admitted(circuit, 0.0)
    state = said(circuit, word).last_state
    circuit.record(permit, BAD, 1.0)
    assert (circuit.last_state, circuit.permits_out, circuit.failures) == (state, 0, 0)


def test_what_is_forced_open_has_its_break_and_heals():
    circuit = Circuit()
    circuit.force_open(10.0)
    assert refused(circuit, 69.0) == Rejected(OPEN, 70.0, "it was opened by hand")
    call(circuit, GOOD, 70.0)
    assert circuit.state_at(70.0) is CLOSED


def test_to_force_it_open_again_begins_the_break_anew():
    circuit = opened(at=100.0, recovery_factor=2.0)
    circuit.force_open(130.0)
    assert refused(circuit, 130.0).retry_at == 190.0
    call(circuit, BAD, 190.0)
    assert refused(circuit, 190.0).retry_at == 310.0


def test_to_reset_is_to_forget_failures_too():
    circuit = Circuit(2)
    call(circuit, BAD, 0.0)
    circuit.reset()
    call(circuit, BAD, 0.0)
    assert circuit.state_at(0.0) is CLOSED


# -- the break ---------------------------------------------------------------------------------------------------------


def retry_at(circuit: Circuit, now: float) -> float:
    """The end of the break."""
    at = refused(circuit, now).retry_at
    assert at is not None
    return at


def breaks(circuit: Circuit, number: int) -> list[float]:
    """How long each of the next breaks is: every probe fails."""
    lengths, now = [], 0.0
    call(circuit, BAD, now)
    for _ in range(number):
        end = retry_at(circuit, now)
        lengths.append(end - now)
        now = end
        call(circuit, BAD, now)
    return lengths


def test_the_break_is_always_the_same_by_default():
    assert breaks(Circuit(1), 5) == [60.0] * 5


def test_the_break_grows_by_a_factor_up_to_a_cap():
    assert breaks(Circuit(1, 10.0, recovery_factor=2.0), 6) == [10.0, 20.0, 40.0, 80.0, 100.0, 100.0]
    assert breaks(Circuit(1, 10.0, recovery_factor=1.5, recovery_max=20.0), 4) == [10.0, 15.0, 20.0, 20.0]
    assert breaks(Circuit(1, 10.0, recovery_factor=3.0, recovery_max=10.0), 3) == [10.0, 10.0, 10.0]


def test_the_break_is_short_again_once_it_was_closed():
    circuit = Circuit(1, 10.0, recovery_factor=2.0)
    assert breaks(circuit, 2) == [10.0, 20.0]
    now = retry_at(circuit, 30.0)
    call(circuit, GOOD, now)
    call(circuit, BAD, now)
    assert refused(circuit, now).retry_at == now + 10.0


def test_however_often_it_opens_the_break_does_not_overflow():
    assert breaks(Circuit(1, 1.0, recovery_factor=1e300, recovery_max=1e9), 4) == [1.0, 1e9, 1e9, 1e9]


def test_the_jitter_adds_to_the_break_after_the_cap():
    dice = iter([0.0, 0.5, 0.875])
    circuit = Circuit(1, 10.0, recovery_factor=4.0, recovery_max=32.0, recovery_jitter=0.25, rand=dice.__next__)
    assert breaks(circuit, 2) == [10.0, 32.0 + 4.0]
    assert next(dice, None) is None  # one throw for each break
    assert refused(circuit, 46.0).retry_at == 46.0 + 32.0 + 7.0


def test_without_jitter_no_dice_are_rolled():
    assert breaks(Circuit(1, rand=lambda: 1 / 0), 1) == [60.0]


def test_dice_that_raise_leave_it_as_it_was():
    circuit = Circuit(1, recovery_jitter=1.0, rand=lambda: 1 / 0)
    permit = admitted(circuit, 0.0)
    with pytest.raises(ZeroDivisionError):
        circuit.record(permit, BAD, 0.0)
    assert (circuit.last_state, circuit.permits_out) == (CLOSED, 0)


# -- how many probes decide --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("results", "states"),
    [
        ("ss", [HALF_OPEN, CLOSED]),
        ("sfs", [HALF_OPEN, HALF_OPEN, CLOSED]),
        ("ff", [HALF_OPEN, OPEN]),
        ("fsf", [HALF_OPEN, HALF_OPEN, OPEN]),
        ("nsnfns", [HALF_OPEN, HALF_OPEN, HALF_OPEN, HALF_OPEN, HALF_OPEN, CLOSED]),
    ],
)
def test_two_of_three_probes_decide(results, states):
    circuit = half_open(half_open_permits=3, success_threshold=2)
    for result, state in zip(results, states, strict=True):
        call(circuit, {"s": GOOD, "f": BAD, "n": NEUTRAL}[result], 161.0)
        assert circuit.state_at(161.0) is state


def test_probes_that_ended_leave_no_room_for_more():
    circuit = half_open(half_open_permits=3, success_threshold=2)
    call(circuit, BAD, 160.0)
    call(circuit, GOOD, 160.0)
    last = admitted(circuit, 160.0)
    assert refused(circuit, 160.0).retry_at == last.lease_end


def test_it_does_not_wait_for_the_others():
    circuit = half_open(half_open_permits=3, success_threshold=1)
    first, second, third = (admitted(circuit, 160.0) for _ in range(3))
    circuit.record(first, BAD, 161.0)
    circuit.record(second, GOOD, 162.0)
    assert circuit.state_at(162.0) is CLOSED
    circuit.record(third, BAD, 163.0)
    assert circuit.is_fresh(163.0)


def test_a_lost_probe_is_one_that_failed():
    circuit = half_open(half_open_permits=3, success_threshold=2)
    lost, other = admitted(circuit, 160.0, 10.0), admitted(circuit, 160.0, 20.0)
    assert circuit.state_at(171.0) is HALF_OPEN
    assert circuit.permits_out == 1
    circuit.record(lost, GOOD, 171.0)  # too late
    assert circuit.permits_out == 1
    admitted(circuit, 171.0, 30.0)
    refused(circuit, 171.0)
    assert circuit.state_at(181.0) is OPEN
    assert refused(circuit, 181.0) == Rejected(OPEN, 240.0, "a probe was lost: no result within its lease")
    circuit.record(other, GOOD, 182.0)
    assert circuit.state_at(182.0) is OPEN


def test_two_lost_at_once_are_two():
    circuit = half_open(half_open_permits=2, success_threshold=1)
    admitted(circuit, 160.0, 10.0)
    admitted(circuit, 160.0, 10.0)
    assert circuit.state_at(171.0) is OPEN
    assert refused(circuit, 171.0).retry_at == 230.0


# -- fresh, shown, small -----------------------------------------------------------------------------------------------


def test_fresh_is_what_equals_a_new_one():
    circuit = Circuit(2, 60.0)
    assert circuit.is_fresh(0.0)
    permit = admitted(circuit, 0.0)
    assert not circuit.is_fresh(0.0)  # its failure would be missed
    circuit.record(permit, BAD, 0.0)
    assert not circuit.is_fresh(0.0)
    call(circuit, GOOD, 0.0)
    assert circuit.is_fresh(0.0)
    for _ in range(2):
        call(circuit, BAD, 0.0)
    assert not circuit.is_fresh(0.0)
    assert not circuit.is_fresh(60.0)
    call(circuit, GOOD, 60.0)
    assert circuit.is_fresh(60.0)


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [
        *(
            (field, value, "a whole number, 1 or more")
            for field in ("failure_threshold", "half_open_permits")
            for value in (0, -1, 1.5, True, "5", None)
        ),
        *(
            (field, value, "finite seconds above 0")
            for field in ("recovery_timeout", "lease")
            for value in (0, -1.0, math.inf, math.nan, True, "60", None)
        ),
        *(("success_threshold", value, "a whole number, 1 or more") for value in (0, 1.5, True, "1")),
        ("success_threshold", 2, "half_open_permits at most, or None for as many"),
        *(
            ("recovery_factor", value, "a finite number, 1 or more")
            for value in (0.999, -2, math.inf, math.nan, True, "2", None)
        ),
        *(
            ("recovery_max", value, "finite seconds, recovery_timeout or more, or None")
            for value in (59.999, -1, math.inf, math.nan, True, "600")
        ),
        *(
            ("recovery_jitter", value, "a number, 0 to 1")
            for value in (-0.001, 1.001, math.inf, math.nan, True, "1", None)
        ),
        ("rand", 0.5, "callable, or None"),
        ("window", 10, "a CallWindow, or None"),
        ("window", [], "a CallWindow, or None"),
        ("is_failure", 503, "callable, or None"),
    ],
)
def test_a_wrong_argument_is_refused_by_name(field, value, allowed):
    with pytest.raises(ConfigurationError) as caught:
        Circuit(**{field: value})
    assert str(caught.value) == f"Circuit.{field}: {value!r} is not allowed; it is {allowed}"


def test_what_was_refused_once_and_what_was_allowed_once_is_so_again():
    # 1 and True are equal, and so are 60 and 60.0: what is kept for circuits of one kind tells them apart.
    for _ in range(2):
        assert Circuit(1).failure_threshold == 1
        with pytest.raises(ConfigurationError, match=r"^Circuit\.failure_threshold: True is not allowed"):
            Circuit(True)


def test_what_it_was_told_is_not_changed():
    circuit = Circuit()
    with pytest.raises(AttributeError):
        circuit.failure_threshold = 1  # type: ignore[misc]
    assert circuit.failure_threshold == 5


def test_circuits_of_one_kind_hold_their_numbers_once():
    assert Circuit(3, 10.0)._settings is Circuit(3, 10.0)._settings
    assert Circuit(3, 10.0)._settings is not Circuit(3, 11.0)._settings


def test_circuits_of_one_kind_have_dice_and_verdicts_of_their_own():
    one = Circuit(1, 10.0, recovery_jitter=1.0, rand=lambda: 0.0, is_failure=lambda outcome: True)
    two = Circuit(1, 10.0, recovery_jitter=1.0, rand=lambda: 0.5, is_failure=lambda outcome: False)
    call(one, GOOD, 0.0)
    call(two, BAD, 0.0)
    assert (one.last_state, two.last_state) == (OPEN, CLOSED)
    two.force_open(0.0)
    assert (one.state_at(10.0), two.state_at(14.999), two.state_at(15.0)) == (HALF_OPEN, OPEN, HALF_OPEN)


def test_jitter_needs_dice():
    with pytest.raises(ConfigurationError) as caught:
        Circuit(recovery_jitter=0.1)
    expected = "Circuit.rand: None is not allowed; it is needed for recovery_jitter: random.random, or a fixed number"
    assert str(caught.value).startswith(expected)


def test_failures_in_a_row_do_not_open_what_has_a_window():
    with pytest.raises(ConfigurationError) as caught:
        Circuit(3, window=CallWindow(calls=10))
    expected = "Circuit.failure_threshold: 3 is not allowed; it is not given with a window: its rates decide"
    assert str(caught.value) == expected


def test_what_is_at_the_edge_is_allowed():
    circuit = Circuit(
        half_open_permits=2, success_threshold=2, recovery_factor=1, recovery_max=60, recovery_jitter=1, rand=lambda: 0
    )
    assert (circuit.success_threshold, circuit.recovery_max, circuit.recovery_jitter) == (2, 60, 1)


def test_the_least_that_is_allowed():
    circuit = Circuit(1, 1, half_open_permits=1, lease=0.001)
    assert (circuit.failure_threshold, circuit.recovery_timeout, circuit.lease) == (1, 1, 0.001)


def test_what_a_person_sees():
    circuit = Circuit(2)
    call(circuit, BAD, 0.0)
    permit = admitted(circuit, 0.0)
    assert repr(circuit) == "<Circuit CLOSED, 1 of 2 failures>"
    assert repr(permit) == "<Permit call, generation 0>"
    circuit.record(permit, BAD, 0.0)
    assert repr(permit) == "<Permit call, ended>"
    assert repr(circuit) == "<Circuit OPEN, last failure: 503 Service Unavailable>"
    permit = admitted(circuit, 60.0)
    assert repr(circuit) == "<Circuit HALF_OPEN, 0 of 1 probes succeeded, 1 out>"
    assert repr(permit) == "<Permit probe until 95, generation 2>"
    circuit.isolate()
    assert repr(circuit) == "<Circuit ISOLATED, last failure: it was isolated>"
    circuit.disable()
    assert repr(circuit) == "<Circuit DISABLED>"
    circuit = Circuit(window=CallWindow(calls=10))
    assert repr(circuit) == "<Circuit CLOSED, 0 of 0 calls failed>"
    call(circuit, BAD, 0.0)
    call(circuit, GOOD, 0.0)
    assert repr(circuit) == "<Circuit CLOSED, 1 of 2 calls failed>"


def test_the_exception_behind_a_failure_is_not_kept():
    circuit = Circuit(1)
    error = ConnectError("refused")
    gone = weakref.ref(error)
    call(circuit, error, 0.0)
    del error
    gc.collect()
    assert gone() is None


def test_a_hundred_thousand_are_small():
    # 60 MiB for 100,000 in a registry are 629 bytes for each, of which the key and its place take about 200.
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        circuits = [opened(float(n)) for n in range(1000)]
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (after - before) / len(circuits) < 300
