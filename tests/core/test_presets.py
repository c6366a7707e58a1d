"""The bundles that have a name."""

from __future__ import annotations

import random

import pytest

from sansio_http import (
    Bearer,
    CircuitBreakerOpenError,
    Concurrency,
    ExponentialBackoff,
    HTTPRequest,
    Policies,
    RetryExhaustedError,
    RetryPolicy,
)
from sansio_http.testing import Reply, SimulatedCall, Simulator, script

GET = HTTPRequest("GET", "http://h/x", timeout=600.0)
NAMES = ["none", "standard", "aggressive", "careful", "patient", "fail_fast"]


def run(name: str, *replies: Reply, **parts) -> SimulatedCall:
    simulator = Simulator(script(*replies))
    call = simulator.call(GET, getattr(Policies, name)(**{"rand": lambda: 0.5} | parts))
    simulator.run()
    return call


@pytest.mark.parametrize(("name", "sends"), list(zip(NAMES, [1, 4, 6, 2, 11, 2], strict=True)))
def test_how_often_each_tries(name, sends):
    call = run(name, Reply(503))
    assert len(call.sends) == sends
    assert isinstance(call.outcome, RetryExhaustedError) or name == "none"


@pytest.mark.parametrize("name", NAMES)
def test_a_good_answer_is_believed_by_all(name):
    assert len(run(name, Reply(200)).sends) == 1


@pytest.mark.parametrize(("name", "seconds"), [("aggressive", 10.0), ("patient", 60.0), ("fail_fast", 2.0)])
def test_how_long_an_attempt_may_take(name, seconds):
    assert run(name, Reply(200)).sends[0].deadline == seconds


@pytest.mark.parametrize(
    ("name", "limit"), [("standard", 100), ("aggressive", 200), ("careful", 10), ("patient", 20), ("fail_fast", 100)]
)
def test_how_many_may_be_in_flight(name, limit):
    policies = getattr(Policies, name)()
    assert policies.slots.limit == limit


@pytest.mark.parametrize(
    ("name", "failures", "seconds"), [("careful", 3, 60.0), ("fail_fast", 10, 10.0), ("aggressive", 20, 15.0)]
)
def test_what_opens_the_circuit(name, failures, seconds):
    policies = getattr(Policies, name)(retry=None)
    simulator = Simulator(lambda send: Reply(500))
    calls = [simulator.call(GET, policies, at=float(number) / 100) for number in range(failures + 1)]
    simulator.run()
    assert [len(call.sends) for call in calls] == [1] * failures + [0]
    error = calls[-1].outcome
    assert isinstance(error, CircuitBreakerOpenError)
    assert error.retry_after == pytest.approx(seconds - 0.01)


def test_the_careful_ones_break_grows():
    circuit = Policies.careful().circuit
    assert circuit.recovery_factor == 2.0


@pytest.mark.parametrize("name", ["none", "standard", "patient"])
def test_who_has_no_circuit(name):
    assert getattr(Policies, name)().circuit is None


def test_who_waits_for_how_long_a_retry_after():
    for name, seconds in (("standard", 120), ("patient", 3600), ("fail_fast", 1)):
        policies = getattr(Policies, name)()
        assert policies.retry.retry_after_max == seconds


def test_a_part_takes_the_place_of_the_presets_own():
    slots, retry = Concurrency(1), RetryPolicy(retries=1, backoff=ExponentialBackoff(jitter="none"))
    policies = Policies.standard(slots=slots, retry=retry, auth=Bearer("t"), rand=random.random)
    assert (policies.slots, policies.retry, policies.rand) == (slots, retry, random.random)
    with pytest.raises(TypeError):
        Policies.standard(retries=1)


@pytest.mark.parametrize("name", NAMES[1:])
def test_two_of_a_name_share_nothing_that_has_a_state(name):
    one, other = getattr(Policies, name)(), getattr(Policies, name)()
    assert one.slots is not other.slots
    assert one.circuit is None or one.circuit is not other.circuit


def test_the_standard_is_what_the_defaults_say():
    policies = Policies.standard()
    assert policies.retry == RetryPolicy()
    assert (policies.limiter, policies.redirects, policies.hedging) == (None, None, None)
    assert (policies.attempt_timeout, policies.pool_timeout) == (None, None)
