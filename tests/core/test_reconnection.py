"""Reconnection: after the server's time, bounded while nothing comes, and free where something does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansio_http import (
    ConstantBackoff,
    ExponentialBackoff,
    QuotaBudget,
    Reconnection,
    Retry,
    RetryBudget,
    RetryPolicy,
    Stop,
)

PLAIN = RetryPolicy(backoff=ConstantBackoff(1.0, "none"))


def delay(verdict: Retry | Stop) -> float:
    assert isinstance(verdict, Retry)
    return verdict.delay


def reason(verdict: Retry | Stop) -> str:
    assert isinstance(verdict, Stop)
    return verdict.reason


def test_the_wait_is_the_servers_time_or_three_seconds_and_a_backoff() -> None:
    doubling = Reconnection(RetryPolicy(backoff=ExponentialBackoff(1.0)), rand=lambda: 0.5)
    assert [delay(doubling.ended(asked, 0.0)) for asked in (None, 0.0, 10.0)] == [3.5, 1.0, 12.0]
    remembering = Reconnection(RetryPolicy(backoff=ExponentialBackoff(1.0, jitter="decorrelated")), rand=lambda: 0.5)
    assert [delay(remembering.ended(0.0, 0.0)) for _ in range(2)] == [2.0, 3.5]


def test_what_brings_no_event_is_bounded_by_the_number_of_retries() -> None:
    reconnection = Reconnection(PLAIN)
    for _ in range(3):
        reconnection.opened(0.0)
        assert delay(reconnection.ended(None, 1.0)) == 4.0
    reconnection.opened(0.0)
    assert reason(reconnection.ended(None, 1.0)) == "attempts"


@pytest.mark.parametrize("event", [True, False], ids=["event", "lasting"])
def test_a_good_connection_begins_the_count_anew_and_gives_back_what_it_cost(event: bool) -> None:
    budget = QuotaBudget(28)
    reconnection = Reconnection(PLAIN, budget)
    for now in range(0, 1000, 100):
        reconnection.opened(now)
        if event:
            reconnection.arrived(now)
            reconnection.arrived(now)
            assert budget.tokens == 28
        assert delay(reconnection.ended(None, now + (1 if event else 30))) == 4.0
        assert budget.tokens == 14
    assert budget.retries == 10
    reconnection.opened(1000)
    assert delay(reconnection.ended(None, 1029.9)) == 4.0  # neither: this one was paid from what is left
    assert budget.tokens == 0


def test_it_is_paid_from_the_budget() -> None:
    budget = QuotaBudget(14)
    reconnection = Reconnection(PLAIN, budget)
    delay(reconnection.ended(None, 0.0))
    verdict = reconnection.ended(None, 0.0)
    assert reason(verdict) == "budget" and isinstance(verdict, Stop) and "0 of 14 tokens" in verdict.detail


def test_a_reconnection_that_is_not_made_is_not_paid_for() -> None:
    budget = QuotaBudget(14)
    reconnection = Reconnection(PLAIN, budget)
    reconnection.left(0.0)
    delay(reconnection.ended(None, 0.0))
    reconnection.left(0.0)
    reconnection.left(0.0)
    assert (budget.tokens, budget.retries) == (14, 0)
    Reconnection(PLAIN).left(0.0)


def test_the_budget_is_told_of_connections_that_brought_nothing() -> None:
    class Told(RetryBudget):
        __slots__ = ("seen",)

        def __init__(self) -> None:
            super().__init__()
            self.seen: list[int] = []

        def failed(self, retry: int, now: float) -> None:
            self.seen.append(retry)

    budget = Told()
    reconnection = Reconnection(PLAIN, budget)
    for came in (False, False, True, False):
        reconnection.opened(0.0)
        if came:
            reconnection.arrived(0.0)
        reconnection.ended(None, 0.0)
    assert budget.seen == [0, 1, 1]


@pytest.mark.parametrize("asked", [120.1, 10**12])
def test_a_server_that_asks_for_too_long_a_wait_is_not_asked_again(asked: float) -> None:
    budget = QuotaBudget(500)
    assert reason(Reconnection(PLAIN, budget).ended(asked, 0.0)) == "retry_after"
    assert budget.tokens == 500
    assert delay(Reconnection(PLAIN).ended(120.0, 0.0)) == 121.0


def test_no_retries_no_reconnections() -> None:
    assert reason(Reconnection(RetryPolicy(retries=0)).ended(None, 0.0)) == "attempts"


@given(st.lists(st.booleans(), max_size=60), st.integers(0, 5), st.integers(0, 100))
def test_the_number_of_connections_that_bring_nothing_is_bounded(
    events: list[bool], retries: int, capacity: int
) -> None:
    """A naive model: a purse, what was taken from it last, and how many brought nothing in a row."""
    budget = QuotaBudget(capacity)
    reconnection = Reconnection(RetryPolicy(retries=retries, backoff=ConstantBackoff(0.0)), budget)
    purse, taken, row = capacity, 0, 0
    for event in events:
        reconnection.opened(0.0)
        if event:
            reconnection.arrived(0.0)
            purse, taken, row = purse + taken, 0, 0
        verdict = reconnection.ended(0.0, 0.0)
        assert isinstance(verdict, Retry) == (row < retries and purse >= 14)
        if isinstance(verdict, Stop):
            break
        purse, taken, row = purse - 14, 14, row + 1
        assert budget.tokens == purse
