"""What one send takes of the policies that calls share, in which order, and that all of it is given back."""

from __future__ import annotations

import random
from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansio_http import (
    Call,
    Circuit,
    CircuitBreakerOpenError,
    CircuitState,
    Concurrency,
    ConnectError,
    ConnectionLostError,
    Ended,
    ExponentialBackoff,
    Hedging,
    HTTPRequest,
    HTTPResponse,
    Keyed,
    Limiter,
    Permit,
    Policies,
    PoolTimeoutError,
    RateLimitError,
    RedirectPolicy,
    Rejected,
    RetryExhaustedError,
    RetryPolicy,
    Send,
    SlidingWindow,
    TokenBucket,
    TotalTimeoutError,
    Woke,
    origin,
)
from sansio_http.testing import Reply, Server, SimulatedCall, Simulator, script

GET = HTTPRequest("GET", "http://h/x")
RETRY = RetryPolicy(retries=2, backoff=ExponentialBackoff(base=2.0, jitter="none"))


def get(timeout: float | None = None) -> HTTPRequest:
    return HTTPRequest("GET", "http://h/x", timeout=timeout)


def run(*replies: Reply, timeout: float | None = None, at: float = 0.0, **policies: Any) -> SimulatedCall:
    """One call against these replies, started at ``at``."""
    simulator = Simulator(script(*replies), now=at)
    call = simulator.call(get(timeout), Policies(**policies))
    simulator.run()
    return call


def several(
    count: int, server: Server | Reply, *, timeout: float | None = None, ties: Any = "first", **policies: Any
) -> tuple[Simulator, list[SimulatedCall]]:
    """So many calls with one bundle, planned for 0."""
    simulator = Simulator(script(server) if isinstance(server, Reply) else server, ties=ties)
    bundle = Policies(**policies)
    return simulator, [simulator.call(get(timeout), bundle) for _ in range(count)]


def opened(at: float = 0.0, **options: Any) -> Circuit:
    """A circuit that opened at ``at``."""
    circuit = Circuit(failure_threshold=1, **options)
    permit = circuit.admit(at)
    assert isinstance(permit, Permit)
    circuit.record(permit, HTTPResponse(503), at)
    return circuit


def ended(call: SimulatedCall, kind: type[Any]) -> Any:
    assert type(call.outcome) is kind, call.outcome
    return call.outcome


# --- the circuit comes first -----------------------------------------------------------------------------------------


def test_while_the_circuit_is_open_nothing_is_sent_and_nothing_taken():
    limiter, slots = TokenBucket(1, 1), Concurrency(1)
    asked: list[HTTPRequest] = []
    circuit = opened(recovery_timeout=60.0)
    call = run(
        Reply(200),
        at=20.0,
        circuit=circuit,
        limiter=limiter,
        slots=slots,
        ask_auth=asked.append,
        retry=RETRY,
        auth=None,
    )
    error = ended(call, CircuitBreakerOpenError)
    assert (error.state, error.retry_after, error.last_failure) == ("OPEN", 40.0, "503 Service Unavailable")
    assert error.attempts == () and not call.sends and not asked and call.ended_at == 20.0
    assert (limiter.available(20.0), slots.in_use) == (1, 0)


def test_while_all_probes_are_out_the_rest_is_refused_at_once():
    simulator = Simulator(script(Reply(200, after=3.0)), now=60.0)
    policies = Policies(circuit=opened())
    probe, refused = simulator.call(GET, policies), simulator.call(GET, policies, at=61.0)
    simulator.run()
    assert probe.response.is_success
    error = ended(refused, CircuitBreakerOpenError)
    assert (error.state, error.retry_after, refused.ended_at) == ("HALF_OPEN", 34.0, 61.0)


def test_a_probe_that_succeeds_closes_it():
    circuit = opened()
    assert run(Reply(200), at=60.0, circuit=circuit).response.is_success
    assert circuit.last_state is CircuitState.CLOSED


def test_a_probe_that_fails_opens_it_again():
    circuit = opened()
    run(Reply(503), at=60.0, circuit=circuit)
    assert circuit.state_at(60.0) is CircuitState.OPEN
    assert circuit.state_at(120.0) is CircuitState.HALF_OPEN


@pytest.mark.parametrize(
    ("timeout", "attempt_timeout", "lease"),
    [(None, None, 35.0), (10.0, None, 15.0), (None, 2.0, 7.0), (10.0, 2.0, 7.0), (2.0, 10.0, 7.0)],
)
def test_a_probe_has_its_lease_from_the_sends_deadline(timeout, attempt_timeout, lease):
    circuit = opened()
    call = Call(get(timeout), Policies(circuit=circuit, attempt_timeout=attempt_timeout))
    assert call.start(60.0).send
    rejected = circuit.peek(60.0)
    assert isinstance(rejected, Rejected) and rejected.retry_at == 60.0 + lease


def test_a_probe_that_had_to_wait_has_its_lease_from_when_it_goes_out():
    circuit, limiter = opened(), TokenBucket(rate=0.5, burst=1)
    limiter.take(60.0)
    call = Call(get(10.0), Policies(circuit=circuit, limiter=limiter))
    assert call.start(60.0).wake_at == 62.0
    assert circuit.peek(60.0) is None  # no probe is held through a wait
    assert call.handle(Woke(), 62.0).send
    rejected = circuit.peek(62.0)
    assert isinstance(rejected, Rejected) and rejected.retry_at == 70.0 + 5.0


def probing(circuit: Circuit) -> tuple[Call, int]:
    """A call whose probe is out since 60, with a lease until 95."""
    call = Call(GET, Policies(circuit=circuit))
    (send,) = call.start(60.0).send
    return call, send.id


def test_a_probe_whose_lease_has_ended_is_lost_and_its_answer_late():
    circuit = opened()
    call, id = probing(circuit)
    assert circuit.state_at(95.1) is CircuitState.OPEN
    assert circuit.state_at(155.0) is CircuitState.HALF_OPEN
    assert call.handle(Ended(id, HTTPResponse(200)), 155.0).done is not None
    assert circuit.state_at(155.0) is CircuitState.HALF_OPEN  # not closed by it


def test_an_answer_at_the_very_end_of_the_lease_is_in_time():
    circuit = opened()
    call, id = probing(circuit)
    call.handle(Ended(id, HTTPResponse(200)), 95.0)
    assert circuit.state_at(95.0) is CircuitState.CLOSED


def test_a_probe_whose_caller_went_away_is_free_for_another():
    circuit = opened()
    call, _ = probing(circuit)
    call.close(61.0)
    assert circuit.last_state is CircuitState.HALF_OPEN and circuit.permits_out == 0
    assert run(Reply(200), at=61.0, circuit=circuit).response.is_success


@pytest.mark.parametrize("status", [200, 500])
def test_an_answer_from_before_the_circuit_changed_is_dropped(status):
    """It was sent while CLOSED, and comes while a probe is out."""
    circuit = Circuit(failure_threshold=1, recovery_timeout=10.0)
    simulator = Simulator(script(Reply(status, after=12.0), Reply(503), Reply(200, after=5.0)))
    policies = Policies(circuit=circuit)
    for at in (0.0, 1.0, 11.0):
        simulator.call(GET, policies, at=at)
    simulator.run(until=12.0)
    assert circuit.state_at(12.0) is CircuitState.HALF_OPEN and circuit.permits_out == 1
    simulator.run()
    assert circuit.state_at(16.0) is CircuitState.CLOSED


@pytest.mark.parametrize(
    ("reply", "failures"),
    [
        (Reply(500), 1),
        (Reply(error=ConnectError), 1),
        (Reply(error=ConnectionLostError), 1),
        (Reply(200), 0),
        (Reply(404), 0),
        (Reply(429), 0),
        (Reply(error=lambda send: ValueError()), 0),
    ],
)
def test_each_send_tells_the_circuit_how_it_ended(reply, failures):
    circuit = Circuit()
    run(reply, circuit=circuit)
    assert (circuit.failures, circuit.permits_out) == (failures, 0)


def test_a_timeout_of_the_call_on_the_wire_is_a_failure_and_one_in_a_queue_is_not():
    circuit, slots = Circuit(), Concurrency(1)
    simulator, calls = several(2, Reply(after=60.0), timeout=5.0, circuit=circuit, slots=slots)
    simulator.run()
    assert [type(call.outcome) for call in calls] == [TotalTimeoutError] * 2
    assert circuit.failures == 1


def test_it_opens_while_somebody_waits_for_a_token():
    """Who waits finds out when he is woken, and gives his place back."""
    circuit, limiter = Circuit(failure_threshold=1), TokenBucket(rate=0.2, burst=1)
    simulator, (first, waiting) = several(2, Reply(503), circuit=circuit, limiter=limiter)
    simulator.run()
    assert len(first.sends) == 1
    error = ended(waiting, CircuitBreakerOpenError)
    assert (waiting.ended_at, error.retry_after) == (5.0, 55.0)
    assert limiter.waiting == 0 and limiter.available(5.0) == 1


def test_it_opens_while_somebody_waits_for_a_slot():
    circuit, slots = Circuit(failure_threshold=1), Concurrency(1)
    simulator, (_, second, third) = several(3, Reply(503, after=0.5), circuit=circuit, slots=slots)
    simulator.run()
    for waiting in (second, third):
        ended(waiting, CircuitBreakerOpenError)
        assert waiting.ended_at == 0.5  # each gives the next his turn
    assert slots.waiting == slots.in_use == 0


# --- the circuit and retries -----------------------------------------------------------------------------------------


def test_a_backoff_that_would_end_before_the_circuit_lets_anything_through_is_not_begun():
    circuit = Circuit(failure_threshold=2, recovery_timeout=60.0)
    call = run(Reply(503), circuit=circuit, retry=RETRY)
    error = ended(call, RetryExhaustedError)
    assert (error.reason, error.status_code, call.ended_at) == ("circuit_open", 503, 2.0)
    assert [attempt.reason for attempt in error.attempts] == ["status", "circuit_open"]


@pytest.mark.parametrize("recovery", [1.0, 2.0])
def test_one_that_ends_when_it_does_is(recovery):
    circuit = Circuit(failure_threshold=1, recovery_timeout=recovery)
    call = run(Reply(503), Reply(200), circuit=circuit, retry=RETRY)
    assert call.response.is_success and call.ended_at == 2.0
    assert circuit.last_state is CircuitState.CLOSED


def test_the_wait_that_the_server_asked_for_may_be_long_enough():
    circuit = Circuit(failure_threshold=1, recovery_timeout=30.0)
    call = run(Reply(503, {"Retry-After": "30"}), Reply(200), circuit=circuit, retry=RETRY)
    assert call.response.is_success and call.ended_at == 30.0


@pytest.mark.parametrize(
    ("reply", "kind"),
    [(Reply(503), RetryExhaustedError), (Reply(429), RateLimitError), (Reply(error=ConnectError), ConnectError)],
)
def test_it_is_opened_by_others_during_a_backoff(reply, kind):
    circuit = Circuit(failure_threshold=3)
    simulator = Simulator(script(reply, Reply(503)))
    call = simulator.call(GET, Policies(circuit=circuit, retry=RETRY))
    for _ in range(3):
        simulator.call(GET, Policies(circuit=circuit), at=1.0)
    simulator.run()
    error = ended(call, kind)
    assert len(call.sends) == 1 and call.ended_at == 2.0
    if kind is RetryExhaustedError:
        assert error.reason == "circuit_open"
    if kind is RateLimitError:
        assert not error.local


def test_after_errors_the_reason_is_on_the_error():
    circuit = Circuit(failure_threshold=2)
    error = ended(run(Reply(error=ConnectError), circuit=circuit, retry=RETRY), RetryExhaustedError)
    assert (error.reason, type(error.last_error)) == ("circuit_open", ConnectError)


# --- a permit that is refused after the claim ------------------------------------------------------------------------


class Fickle(Circuit):
    """It would admit, when it is looked at; and does not, when it is asked."""

    def admit(self, now: float, lease: float | None = None) -> Permit | Rejected:
        return Rejected(CircuitState.HALF_OPEN, None, None)


@pytest.mark.parametrize("limiter", [TokenBucket(0.001, 3), SlidingWindow(3, 1000.0), None])
def test_it_undoes_the_claim_exactly(limiter):
    slots = Concurrency(1)
    for _ in range(10):
        error = ended(run(Reply(200), circuit=Fickle(), limiter=limiter, slots=slots), CircuitBreakerOpenError)
        assert (error.state, error.retry_after) == ("HALF_OPEN", None)
        assert slots.in_use == 0
    simulator, calls = several(3, Reply(200), limiter=limiter)
    simulator.run(until=0.0)
    assert all(call.response.is_success for call in calls)  # all three tokens are there


@pytest.mark.parametrize("listen", [False, True])
def test_it_undoes_a_claim_from_the_queue_and_wakes_the_next(listen):
    limiter = TokenBucket(rate=0.5, burst=1)
    limiter.take(0.0)
    fickle = Call(GET, Policies(circuit=Fickle(), limiter=limiter), listen=listen)
    behind = Call(GET, Policies(limiter=limiter))
    assert (fickle.start(0.0).wake_at, behind.start(0.0).wake_at) == (2.0, 4.0)
    step = fickle.handle(Woke(), 2.0)
    assert isinstance(step.done, CircuitBreakerOpenError)
    assert step.nudge == (behind.waiter,)
    assert behind.handle(Woke(), 2.0).send


# --- the limiter -----------------------------------------------------------------------------------------------------


def test_sends_wait_for_their_tokens_in_the_order_in_which_they_came():
    simulator, calls = several(4, Reply(200), limiter=TokenBucket(rate=2.0, burst=2))
    simulator.run()
    assert [call.ended_at for call in calls] == [0.0, 0.0, 0.5, 1.0]


def test_each_attempt_takes_a_token():
    limiter = TokenBucket(rate=0.001, burst=5)
    run(Reply(503), limiter=limiter, retry=RETRY)
    assert limiter.available(6.0) == pytest.approx(2.0, abs=0.01)


def test_a_token_that_was_spent_is_spent_whatever_becomes_of_the_send():
    limiter = TokenBucket(rate=0.001, burst=5)
    for reply in (Reply(200), Reply(503), Reply(error=ConnectError)):
        run(reply, limiter=limiter)
    call = Call(GET, Policies(limiter=limiter))
    call.start(0.0)
    call.close(0.0)
    assert limiter.available(0.0) == 1.0


def test_a_wait_for_a_token_that_cannot_end_in_time_is_not_begun():
    limiter = TokenBucket(rate=0.1, burst=1)
    simulator, (_, refused) = several(2, Reply(200), timeout=9.0, limiter=limiter)
    simulator.run()
    error = ended(refused, RateLimitError)
    assert (error.local, error.status_code, error.response, error.retry_after) == (True, None, None, 10.0)
    assert refused.ended_at == 0.0 and error.attempts == ()
    assert str(error) == "the client's own rate limiter has no place in time; try again in 10 s"
    assert limiter.waiting == 0


def test_nor_one_that_the_limiter_itself_finds_too_long():
    simulator, (_, refused) = several(2, Reply(200), limiter=TokenBucket(rate=0.1, burst=1, max_wait=9.0))
    simulator.run()
    assert ended(refused, RateLimitError).retry_after == 10.0


def test_for_an_attempt_after_the_first_it_is_the_reason_why_none_follows():
    limiter = TokenBucket(rate=0.1, burst=1)
    error = ended(run(Reply(503), timeout=9.0, limiter=limiter, retry=RETRY), RetryExhaustedError)
    assert (error.reason, error.status_code) == ("limiter", 503)
    limiter = TokenBucket(rate=0.1, burst=1)
    error = ended(run(Reply(429), timeout=9.0, limiter=limiter, retry=RETRY), RateLimitError)
    assert (error.local, error.status_code) == (False, 429)


@pytest.mark.parametrize("kind", [ConnectError, ConnectionLostError])
def test_and_an_error_that_was_to_be_tried_again_is_raised_itself(kind):
    limiter = TokenBucket(rate=0.1, burst=1)
    ended(run(Reply(error=kind), timeout=9.0, limiter=limiter, retry=RETRY), kind)


def test_who_is_woken_too_late_runs_out_of_time():
    limiter = TokenBucket(rate=0.5, burst=1)
    simulator = Simulator(script(Reply(200)), late=lambda: 10.0)
    calls = [simulator.call(get(5.0), Policies(limiter=limiter)) for _ in range(2)]
    simulator.run()
    assert ended(calls[1], TotalTimeoutError).phase == "queue" and calls[1].ended_at == 12.0
    assert limiter.waiting == 0


def test_who_wakes_before_the_head_at_the_same_instant_is_not_refused():
    """Two tokens come at 1, for two calls that have until 1.5, and the second in line is the first to wake."""
    simulator, calls = several(4, Reply(200), timeout=1.5, ties="last", limiter=SlidingWindow(2, 1.0))
    simulator.run()
    assert [type(call.outcome) for call in calls] == [HTTPResponse] * 4


def test_who_waits_behind_a_head_that_waits_for_a_slot_is_not_refused_by_the_limiter():
    """There are tokens for a thousand a second, and a slot for one call after the other."""
    simulator, calls = several(
        4, Reply(200, after=0.1), timeout=0.9, limiter=TokenBucket(1000, 1000), slots=Concurrency(1)
    )
    simulator.run()
    assert [call.ended_at for call in calls] == pytest.approx([0.1, 0.2, 0.3, 0.4])


class Gate(Limiter):
    """A law that nobody can tell the time of: tokens are there once it is open."""

    def __init__(self) -> None:
        super().__init__(10, None)
        self.open = False

    def _ready_at(self, ahead: float, tokens: float, time: float) -> float:
        return time if self.open else inf

    def _take(self, tokens: float, time: float) -> None: ...
    def _untake(self, tokens: float, time: float) -> None: ...
    def _is_full(self, time: float) -> bool:
        return True


def test_a_wait_of_unknown_length_is_looked_at_each_second():
    gate = Gate()
    call = Call(GET, Policies(limiter=gate))
    assert call.start(0.0).wake_at == 1.0
    assert call.handle(Woke(), 1.0).wake_at == 2.0
    gate.open = True
    assert call.handle(Woke(), 2.0).send
    assert gate.waiting == 0


def test_and_ends_with_the_calls_time():
    call = run(Reply(200), timeout=2.5, limiter=Gate())
    assert call.ended_at == 2.5
    ended(call, TotalTimeoutError)


def test_each_key_has_its_own_limiter():
    limiters: Keyed[str, Limiter] = Keyed(lambda: TokenBucket(0.001, 1), lambda request: origin(request.url))
    simulator = Simulator(script(Reply(200)))
    calls = [
        simulator.call(HTTPRequest("GET", f"http://{host}/", timeout=1.0), Policies(limiter=limiters))
        for host in ("a", "b", "a")
    ]
    simulator.run()
    assert [type(call.outcome) for call in calls] == [HTTPResponse, HTTPResponse, RateLimitError]


def test_each_key_has_its_own_circuit():
    circuits = Keyed(lambda: Circuit(failure_threshold=1), lambda request: origin(request.url))
    simulator = Simulator(script(Reply(503), Reply(200)))
    calls = [
        simulator.call(HTTPRequest("GET", f"http://{host}/"), Policies(circuit=circuits), at=at)
        for at, host in enumerate("aba")
    ]
    simulator.run()
    assert [type(call.outcome) for call in calls] == [HTTPResponse, HTTPResponse, CircuitBreakerOpenError]


# --- the slot --------------------------------------------------------------------------------------------------------


def test_so_many_are_in_flight_and_the_others_wait_in_the_order_in_which_they_came():
    slots = Concurrency(2)
    simulator, calls = several(5, Reply(200, after=1.0), slots=slots)
    simulator.run(until=0.5)
    assert (slots.in_use, slots.waiting) == (2, 3)
    simulator.run()
    assert [call.ended_at for call in calls] == [1.0, 1.0, 2.0, 2.0, 3.0]


@pytest.mark.parametrize("reply", [Reply(200, after=1.0), Reply(503, after=1.0), Reply(error=ConnectError, after=1.0)])
def test_the_slot_is_free_when_the_send_has_ended_however(reply):
    slots = Concurrency(1)
    simulator, calls = several(2, reply, slots=slots)
    simulator.run()
    assert [call.ended_at for call in calls] == [1.0, 2.0]
    assert slots.in_use == 0


def test_a_backoff_holds_no_slot():
    slots = Concurrency(1)
    simulator = Simulator(script(Reply(503), Reply(200, after=1.5)))
    waits = simulator.call(GET, Policies(slots=slots, retry=RETRY))
    other = simulator.call(GET, Policies(slots=slots))
    simulator.run()
    assert (other.ended_at, waits.ended_at) == (1.5, 3.5)


def test_it_is_looked_at_each_second_in_case_a_nudge_was_lost():
    slots = Concurrency(1)
    slot = slots.take(0.0)
    assert slot is not None
    call = Call(GET, Policies(slots=slots))
    assert call.start(0.0).wake_at == 1.0
    slots.release(slot, "ok", 0.5)  # and nobody tells
    assert call.handle(Woke(), 1.0).send


def test_who_joins_the_line_behind_nobody_who_comes_does_not_wait():
    """The head slept through its turn: whoever joins passes it, and finds a slot for which nobody would wake him."""
    slots = Concurrency(1)
    busy, late, new = (Call(GET, Policies(slots=slots)) for _ in range(3))
    (send,) = busy.start(0.0).send
    late.start(0.0)
    assert busy.handle(Ended(send.id, HTTPResponse(200)), 1.0).nudge == (late.waiter,)
    assert new.start(3.0).send
    assert not late.handle(Woke(), 3.0).send


def test_the_first_in_line_is_woken_and_nobody_else():
    slots = Concurrency(1)
    first, second, third = (Call(GET, Policies(slots=slots)) for _ in range(3))
    (send,) = first.start(0.0).send
    second.start(0.0)
    third.start(0.0)
    assert first.handle(Ended(send.id, HTTPResponse(200)), 0.5).nudge == (second.waiter,)
    assert not third.handle(Woke(), 0.5).send
    assert second.handle(Woke(), 0.5).send


def test_who_leaves_the_line_wakes_the_next_if_it_is_his_turn():
    slots = Concurrency(1)
    calls = [Call(GET, Policies(slots=slots)) for _ in range(4)]
    (send,) = calls[0].start(0.0).send
    for call in calls[1:]:
        call.start(0.0)
    assert calls[2].close(0.1).nudge == ()  # from the middle
    assert calls[0].handle(Ended(send.id, HTTPResponse(200)), 0.5).nudge == (calls[1].waiter,)
    assert calls[1].close(0.5).nudge == (calls[3].waiter,)  # from the head, just as its turn had come
    assert calls[3].handle(Woke(), 0.5).send


def test_pool_timeout_bounds_the_wait():
    slots = Concurrency(1)
    simulator, (_, waiting) = several(2, Reply(200, after=60.0), slots=slots, pool_timeout=2.5)
    simulator.run()
    error = ended(waiting, PoolTimeoutError)
    assert (waiting.ended_at, error.phase, error.head_sent, error.attempts) == (2.5, "queue", False, ())
    assert str(error).startswith("no connection came free in 2.5 s: 1 requests in flight, 1 waiting")
    assert slots.waiting == 0


def test_a_pool_timeout_of_zero_never_waits():
    slots = Concurrency(1)
    simulator, (first, second) = several(2, Reply(200, after=1.0), slots=slots, pool_timeout=0)
    simulator.run()
    assert first.response.is_success
    assert second.ended_at == 0.0
    ended(second, PoolTimeoutError)


def test_slots_that_let_nobody_wait_never_wait_either():
    slots = Concurrency(1, max_wait=0)
    simulator, (first, second) = several(2, Reply(200, after=1.0), slots=slots)
    simulator.run()
    assert first.response.is_success
    assert isinstance(second.outcome, PoolTimeoutError) and second.ended_at == 0.0
    assert slots.in_use == slots.waiting == 0


def test_it_does_not_bound_the_wait_for_a_token():
    limiter, slots = TokenBucket(rate=0.1, burst=1), Concurrency(1)
    simulator, calls = several(2, Reply(200), limiter=limiter, slots=slots, pool_timeout=0)
    simulator.run()
    assert [call.ended_at for call in calls] == [0.0, 10.0]


def test_a_wait_that_pool_timeout_ended_is_not_tried_again():
    simulator, (_, waiting) = several(2, Reply(200, after=60.0), slots=Concurrency(1), pool_timeout=1.0, retry=RETRY)
    simulator.run()
    assert waiting.ended_at == 1.0 and not waiting.sends
    ended(waiting, PoolTimeoutError)


def test_who_is_late_and_finds_a_slot_free_takes_it():
    slots = Concurrency(1)
    slot = slots.take(0.0)
    assert slot is not None
    call = Call(GET, Policies(slots=slots, pool_timeout=0.5))
    assert call.start(0.0).wake_at == 0.5
    slots.release(slot, "ok", 0.4)
    assert call.handle(Woke(), 3.0).send


def test_the_calls_time_may_be_shorter():
    simulator, (_, waiting) = several(2, Reply(200, after=60.0), timeout=0.25, slots=Concurrency(1), pool_timeout=5.0)
    simulator.run()
    assert waiting.ended_at == 0.25
    ended(waiting, TotalTimeoutError)


# --- both at once ----------------------------------------------------------------------------------------------------


def test_while_no_slot_is_free_no_token_is_taken():
    limiter, slots = TokenBucket(rate=0.001, burst=5), Concurrency(1)
    simulator, _ = several(3, Reply(200, after=60.0), limiter=limiter, slots=slots)
    simulator.run(until=0.5)
    assert limiter.available(0.5) == pytest.approx(4.0, abs=0.01)
    assert (slots.in_use, slots.waiting, limiter.waiting) == (1, 1, 2)  # one line, and only its head in the other


def test_while_there_is_no_token_no_slot_is_held():
    limiter, slots = TokenBucket(rate=0.1, burst=1), Concurrency(1)
    simulator, calls = several(2, Reply(200), limiter=limiter, slots=slots)
    unlimited = simulator.call(GET, Policies(slots=slots), at=1.0)
    simulator.run()
    assert unlimited.ended_at == 1.0
    assert [call.ended_at for call in calls] == [0.0, 10.0]


def test_the_head_of_the_limiters_line_goes_out_as_soon_as_a_slot_is_free():
    limiter, slots = TokenBucket(rate=1.0, burst=2), Concurrency(1)
    simulator, calls = several(4, Reply(200, after=1.75), limiter=limiter, slots=slots)
    simulator.run()
    assert [call.ended_at for call in calls] == [1.75, 3.5, 5.25, 7.0]


def test_who_gets_a_slot_but_no_token_gives_the_slot_back():
    """It waits in both lines; by the time a slot comes, somebody without need of one has taken the token."""
    limiter, slots = TokenBucket(rate=0.5, burst=1), Concurrency(1)
    slot = slots.take(0.0)
    assert slot is not None
    call = Call(GET, Policies(limiter=limiter, slots=slots))
    assert call.start(0.0).wake_at == 1.0  # the head of both, waiting for the slot
    passing = Call(GET, Policies(limiter=limiter))
    assert passing.start(1.5).send  # a head that is late is passed
    assert slots.release(slot, "ok", 1.5) is call.waiter
    step = call.handle(Woke(), 1.5)
    assert not step.send and step.wake_at == 3.5
    assert (slots.in_use, slots.waiting) == (0, 0)
    assert call.handle(Woke(), 3.5).send


def test_who_has_no_token_any_more_leaves_the_line_for_a_slot():
    limiter, slots = TokenBucket(rate=0.5, burst=1), Concurrency(1)
    slot = slots.take(0.0)
    assert slot is not None
    call, behind = Call(GET, Policies(limiter=limiter, slots=slots)), Call(GET, Policies(slots=slots))
    call.start(0.0)
    behind.start(0.0)
    assert slots.waiting == 2
    assert Call(GET, Policies(limiter=limiter)).start(1.5).send
    step = call.handle(Woke(), 1.5)
    assert not step.send and step.wake_at == 3.5
    assert slots.waiting == 1
    assert slots.release(slot, "ok", 2.0) is behind.waiter


def test_it_comes_back_to_that_line_with_its_token():
    limiter, slots = TokenBucket(rate=0.5, burst=1), Concurrency(1)
    slot = slots.take(0.0)
    assert slot is not None
    call = Call(GET, Policies(limiter=limiter, slots=slots, pool_timeout=2.0))
    call.start(0.0)
    Call(GET, Policies(limiter=limiter)).start(1.5)
    assert call.handle(Woke(), 1.5).wake_at == 3.5
    assert call.handle(Woke(), 3.5).wake_at == 4.5
    assert slots.waiting == 1
    assert slots.release(slot, "ok", 4.0) is call.waiter
    assert call.handle(Woke(), 4.0).send


# --- whoever leaves, and whenever ------------------------------------------------------------------------------------


def shared() -> dict[str, Any]:
    return {
        "limiter": TokenBucket(rate=2.0, burst=2),
        "slots": Concurrency(2),
        "circuit": Circuit(failure_threshold=2, recovery_timeout=3.0),
    }


def nothing_is_held(policies: dict[str, Any]) -> bool:
    limiter, slots, circuit = policies["limiter"], policies["slots"], policies["circuit"]
    return limiter.waiting == slots.waiting == slots.in_use == circuit.permits_out == 0


@pytest.mark.parametrize("ties", ["first", "last"])
@pytest.mark.parametrize("cancel_at", [0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.25, 2.5])
@pytest.mark.parametrize("position", range(5))
def test_a_caller_that_goes_away_at_any_moment_leaves_nothing_behind_and_delays_nobody(position, cancel_at, ties):
    """Two in flight, one at the head of both lines, two behind it. The moments tie with answers and tokens."""

    def arrivals(leaver: int | None) -> dict[int, float | None]:
        policies = shared()
        simulator = Simulator(script(Reply(200, after=0.5)), ties=ties)
        for index in range(5):
            simulator.call(GET, Policies(**policies), cancel_at=cancel_at if index == leaver else None)
        simulator.run()
        assert nothing_is_held(policies)
        return {call.number: call.ended_at for call in simulator.calls if call.number != leaver}

    undisturbed = arrivals(None)
    for number, ended_at in arrivals(position).items():
        assert ended_at is not None and undisturbed[number] is not None
        assert ended_at <= undisturbed[number]  # type: ignore[operator]


class Hook:
    def process_request(self, request: HTTPRequest) -> None: ...
    def process_response(self, response: HTTPResponse, request: HTTPRequest) -> None: ...


class Hedge(Hedging):
    def next_at(self, first: float, extra: int) -> float | None:
        return first + 0.25 if extra < 1 else None


def dead(send: Send) -> BaseException:
    """The kept connection was closed before the server saw the request."""
    send.progress.reused = True
    return send.error(ConnectionLostError, "closed")


@given(data=st.data())
def test_when_all_is_over_nothing_is_held_and_the_next_call_gets_through(data):
    """Any calls, any answers, any callers that go away, everything in steps of a quarter, so that it ties."""
    ticks = st.integers(0, 12).map(lambda tick: tick / 4)
    policies = shared()
    dice = random.Random(data.draw(st.integers(0, 2**32)))
    replies = data.draw(
        st.lists(
            st.builds(
                Reply,
                st.sampled_from([200, 200, 302, 503]),
                st.just({"Location": "/y"}),
                after=ticks,
                chunks=st.lists(st.tuples(ticks, st.just(b"x")), max_size=2),
                error=st.sampled_from([None, None, None, ConnectError, ConnectionLostError, dead]),
            ),
            min_size=1,
            max_size=8,
        )
    )
    simulator = Simulator(script(*replies), ties=dice.random, late=lambda: dice.choice([0.0, 0.0, 0.25, 2.0]))
    bundles = [
        Policies(**policies),
        Policies(**policies, retry=RETRY),
        Policies(**policies, retry=RETRY, pool_timeout=0.5, attempt_timeout=1.0),
        Policies(**policies, retry=RETRY, redirects=RedirectPolicy(), hooks=(Hook(),), hedging=Hedge()),
        Policies(limiter=policies["limiter"]),
    ]
    for _ in range(data.draw(st.integers(1, 8))):
        simulator.call(
            get(data.draw(st.sampled_from([None, 0.5, 2.0, 10.0]))),
            data.draw(st.sampled_from(bundles)),
            at=data.draw(ticks),
            stream=data.draw(st.booleans()),
            cancel_at=data.draw(st.none() | ticks),
        )
    simulator.run()
    assert nothing_is_held(policies)
    assert all(call.outcome is not None or call.cancelled for call in simulator.calls)
    healthy = Simulator(script(Reply(200)), now=simulator.now + 60.0)
    after = healthy.call(GET, bundles[0])
    healthy.run(until=healthy.now)
    assert after.response.is_success
