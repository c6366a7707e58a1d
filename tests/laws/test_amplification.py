"""How much load retries add: N of them where each send fails with probability p, with a budget and without."""

from __future__ import annotations

import random
from functools import cache

import pytest

from sansio_http import ExponentialBackoff, HTTPRequest, Policies, QuotaBudget, RetryBudget, RetryPolicy
from sansio_http.testing import Reply, Simulator

GET = HTTPRequest("GET", "http://h/")


def amplified(failing: float, retries: int, budget: RetryBudget | None, calls: int) -> tuple[float, float]:
    """Sends per call, and the part of the calls that succeed: one call a second, to a server that fails at random."""
    dice = random.Random(f"{failing} {retries}")
    sends = 0

    def server(send: object) -> Reply:
        nonlocal sends
        sends += 1
        return Reply(500 if dice.random() < failing else 200)

    simulator = Simulator(server)
    backoff = ExponentialBackoff(0.01, jitter="none")
    policies = Policies(retry=RetryPolicy(retries, backoff), retry_budget=budget)
    for second in range(calls):
        simulator.call(GET, policies, at=float(second), listen=False)
    simulator.run()
    good = sum(call.outcome is not None and not isinstance(call.outcome, BaseException) for call in simulator.calls)
    return sends / calls, good / calls


@pytest.mark.parametrize("retries", [1, 3])
@pytest.mark.parametrize("failing", [0.1, 0.5, 0.9])
def test_without_a_budget_load_and_success_are_a_geometric_series(failing, retries):
    load, success = amplified(failing, retries, None, 800)
    none_helps = failing ** (retries + 1)
    assert load == pytest.approx((1 - none_helps) / (1 - failing), rel=0.06)
    assert success == pytest.approx(1 - none_helps, abs=0.06)


@cache
def with_budget(failing: float) -> float:
    load, _ = amplified(failing, 3, QuotaBudget(), 5000 if failing == 1.0 else 1500)
    return load


def test_without_a_budget_an_outage_is_four_times_the_load():
    load, success = amplified(1.0, 3, None, 300)
    assert (load, success) == (4.0, 0.0)


def test_with_the_budget_an_outage_is_no_more_than_the_load():
    assert with_budget(1.0) == pytest.approx(1.0, abs=0.0075)


@pytest.mark.parametrize("failing", [0.1, 0.2, 0.3, 0.5, 0.8])
def test_with_the_budget_it_stays_below_one_and_a_half(failing):
    assert with_budget(failing) < 1.5


def test_with_the_budget_the_load_rises_with_the_failures_at_first_and_then_folds():
    """While retries help they are free; from about one failure in four on they cost more than successes give back."""
    assert 1.05 < with_budget(0.1) < with_budget(0.2)
    assert with_budget(0.2) > with_budget(0.3) > with_budget(0.5) > with_budget(0.8)
