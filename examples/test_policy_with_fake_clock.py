"""How to test one's own policies: no network, no event loop, and not one second spent waiting.

Time is a number that the test moves, or that the Simulator moves from one event to the next; chance is a function that
the test gives. So a test asks for exact values, and an hour is free. Try ``pytest`` on this file.
"""

from sansio_http import (
    Circuit,
    CircuitBreakerOpenError,
    ConnectError,
    ExponentialBackoff,
    HTTPRequest,
    HTTPResponse,
    Permit,
    Policies,
    RetryExhaustedError,
    RetryPolicy,
    TokenBucket,
    TotalTimeoutError,
)
from sansio_http.testing import ManualClock, Reply, Simulator, script
from sansio_http_anyio import CircuitBreaker

REQUEST = HTTPRequest("GET", "https://api.example.com/users", timeout=30.0)


def test_waits_double_and_are_jittered() -> None:
    policies = Policies(retry=RetryPolicy(backoff=ExponentialBackoff(base=1.0)), rand=lambda: 0.5)
    simulator = Simulator(script(Reply(503), Reply(error=ConnectError), Reply(200, after=0.25)))
    call = simulator.call(REQUEST, policies)
    assert simulator.run() == 1.75  # half of 1 s and half of 2 s in backoff, then a quarter on the wire
    attempts = call.response.attempts
    assert [attempt.started for attempt in attempts] == [0.0, 0.5, 1.5]
    assert [attempt.reason for attempt in attempts] == ["status", "transport", None]


def test_what_the_server_asks_for_goes_before_the_backoff_unless_there_is_no_time_for_it() -> None:
    policies = Policies(retry=RetryPolicy(), rand=lambda: 0.5)
    simulator = Simulator(script(Reply(503, {"Retry-After": "7"}), Reply(503, {"Retry-After": "60"})))
    call = simulator.call(REQUEST, policies)
    assert simulator.run() == 7.0  # the second wait would end after the timeout, so it is not begun
    assert isinstance(call.outcome, RetryExhaustedError)
    assert call.outcome.reason == "retry_after"


def test_a_server_that_hangs_costs_the_timeout_and_no_more() -> None:
    simulator = Simulator(script(Reply(200, after=3600.0)))
    call = simulator.call(REQUEST, Policies())
    assert simulator.run() == REQUEST.timeout
    assert isinstance(call.outcome, TotalTimeoutError)


def test_the_circuit_opens_and_heals() -> None:
    circuit = Circuit(failure_threshold=2, recovery_timeout=60.0)
    simulator = Simulator(script(Reply(500), Reply(500), Reply(200)))
    calls = [simulator.call(REQUEST, Policies(circuit=circuit), at=at) for at in (0.0, 1.0, 2.0, 60.9, 61.0)]
    simulator.run()
    assert [len(call.sends) for call in calls] == [1, 1, 0, 0, 1]  # 60 s long nothing went out
    refused = calls[2].outcome
    assert isinstance(refused, CircuitBreakerOpenError)
    assert refused.retry_after == 59.0
    assert isinstance(calls[4].outcome, HTTPResponse)
    assert circuit.last_state == "CLOSED"


def test_the_limiter_spaces_what_comes_at_once() -> None:
    policies = Policies(limiter=TokenBucket(rate=2, burst=3))
    simulator = Simulator(script(Reply(200)))
    calls = [simulator.call(REQUEST, policies) for _ in range(6)]
    simulator.run()
    assert [call.response.attempts[0].started for call in calls] == [0.0, 0.0, 0.0, 0.5, 1.0, 1.5]


def test_a_policy_can_be_asked_without_any_call() -> None:
    clock = ManualClock()
    breaker = CircuitBreaker(failure_threshold=1, recovery_timeout=60.0, clock=clock)
    permit = breaker.admit(clock())
    assert isinstance(permit, Permit)
    breaker.record(permit, HTTPResponse(500), clock())
    assert breaker.state == "OPEN"
    clock.advance(60.0)
    assert breaker.state == "HALF_OPEN"
