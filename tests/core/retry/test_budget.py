"""What retries are paid from: each budget by its own rules, and as a call spends it."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansio_http import (
    ConfigurationError,
    ConnectError,
    ExponentialBackoff,
    HTTPRequest,
    HTTPResponse,
    PercentBudget,
    Policies,
    QuotaBudget,
    RateLimitError,
    RetryBudget,
    RetryExhaustedError,
    RetryPolicy,
    ThrottlingBudget,
)
from sansio_http.testing import Reply, SimulatedCall, Simulator, script

GET = HTTPRequest("GET", "http://h/x")
RETRY = RetryPolicy(retries=3, backoff=ExponentialBackoff(base=1.0, jitter="none"))


def call(*replies: Reply, budget: RetryBudget, retry: RetryPolicy = RETRY) -> SimulatedCall:
    simulator = Simulator(script(*replies))
    made = simulator.call(GET, Policies(retry=retry, retry_budget=budget))
    simulator.run()
    return made


class Watched(QuotaBudget):
    """Notes what is left after each thing that happens to it."""

    __slots__ = ("seen",)

    def __init__(self, capacity: float) -> None:
        super().__init__(capacity)
        self.seen: list[float] = []

    def spend(self, throttled: bool, now: float) -> float | None:
        cost = super().spend(throttled, now)
        self.seen.append(self.tokens)
        return cost

    def succeeded(self, cost: float | None, now: float) -> None:
        super().succeeded(cost, now)
        self.seen.append(self.tokens)


# --- the quota of the AWS SDKs ---------------------------------------------------------------------------------------

AWS = ExponentialBackoff(0.05, 20.0)


@pytest.mark.parametrize(
    ("answers", "most", "capacity", "delays", "quota", "options"),
    [
        ([500, 500, 200], 3, 500, [0.05, 0.1], [486, 472, 486], {}),
        ([502, 502, 502], 3, 500, [0.05, 0.1], [486, 472], {}),
        ([500, 502], 5, 14, [0.05], [0, 0], {}),
        ([500], 3, 0, [], [0], {}),
        ([500, 502], 5, 20, [0.05], [6, 6], {}),
        ([500, 502, 200], 5, 30, [0.05, 0.1], [16, 2, 16], {}),
        ([429, 200], 3, 500, [1.0], [495, 500], {}),
        ([500] * 5, 5, 500, [0.05, 0.1, 0.2, 0.2], [486, 472, 458, 444], {"backoff": ExponentialBackoff(0.05, 0.2)}),
        ([500] * 4, 4, 500, [0.025, 0.05, 0.1], [486, 472, 458], {"backoff": ExponentialBackoff(0.025, 20.0)}),
    ],
)
def test_the_retries_of_the_aws_sdks(answers, most, capacity, delays, quota, options):
    """Chance takes its maximum; after throttling the base is a second.

    They tell the quota after every step; where a call stops for another reason than the budget it is not asked.

    Source: botocore test_standard_retry_v2_1.py @0e6e240, smithy-rs strategy/standard.rs @56ee88c, smithy-python
    functional/test_retries.py @6924bc5, which agree.
    """
    budget = Watched(capacity)
    retry = RetryPolicy(most - 1, **{"backoff": AWS, "throttled_backoff": ExponentialBackoff(1.0, 20.0)} | options)
    simulator = Simulator(script(*(Reply(status) for status in answers)))
    made = simulator.call(GET, Policies(retry=retry, retry_budget=budget, rand=lambda: 1.0))
    simulator.run()
    attempts = made.outcome.attempts  # type: ignore[union-attr]
    assert [attempt.delay for attempt in attempts if attempt.delay is not None] == pytest.approx(delays)
    assert budget.seen == quota
    assert len(made.sends) == len(delays) + 1


def test_two_calls_of_the_aws_sdks_share_the_quota():
    """Source: as above, "500,502,200 then 500,200" with a capacity of 30."""
    budget = Watched(30)
    call(Reply(500), Reply(502), Reply(200), budget=budget)
    assert budget.seen == [16, 2, 16]
    call(Reply(500), Reply(200), budget=budget)
    assert budget.seen[3:] == [2, 16]


@pytest.mark.parametrize(
    ("asked", "delay"), [("1500", 1.5), ("0", 0.05), ("10000", 5.05), ("invalid", 0.05), ("-100", 0.05)]
)
def test_what_a_server_asks_the_aws_sdks_to_wait(asked, delay):
    """Source: as above: the server's wait counts from the backoff up to five seconds more."""
    retry = RetryPolicy(backoff=AWS, retry_after_clamp=5.0, hints=["x-amz-retry-after"])
    budget = Watched(500)
    simulator = Simulator(script(Reply(500, {"x-amz-retry-after": asked}), Reply(200)))
    made = simulator.call(GET, Policies(retry=retry, retry_budget=budget, rand=lambda: 1.0))
    simulator.run()
    assert made.response.attempts[0].delay == pytest.approx(delay)
    assert budget.seen == [486, 500]


@pytest.mark.parametrize(("milliseconds", "delay"), [("3000", 3.0), ("10", 0.05)])
def test_a_server_s_wait_between_the_bounds(milliseconds, delay):
    """Source: as above."""
    retry = RetryPolicy(backoff=AWS, retry_after_clamp=5.0, hints=["X-Amz-Retry-After"])
    simulator = Simulator(script(Reply(500, {"x-amz-retry-after": milliseconds}), Reply(200)))
    made = simulator.call(GET, Policies(retry=retry, rand=lambda: 1.0))
    simulator.run()
    assert made.response.attempts[0].delay == pytest.approx(delay)


def test_it_starts_full():
    budget = QuotaBudget()
    assert (budget.tokens, budget.capacity, budget.retries) == (500, 500, 0)


def test_a_success_at_once_gives_one_back_and_never_more_than_there_was():
    budget = QuotaBudget(20)
    assert budget.spend(False, 0.0) == 14
    budget.succeeded(None, 0.0)
    assert budget.tokens == 7
    budget.succeeded(14, 0.0)
    budget.succeeded(14, 0.0)
    assert budget.tokens == 20


def test_a_failure_gives_nothing():
    budget = Watched(500)
    call(Reply(500), budget=budget)
    assert budget.seen == [486, 472, 458]


def test_any_answer_of_a_server_in_good_health_is_a_success():
    for status, tokens in ((200, 487), (301, 487), (404, 487), (501, 486), (503, 486)):
        budget = QuotaBudget()
        budget.spend(False, 0.0)
        call(Reply(status), budget=budget, retry=RetryPolicy(0, RETRY.backoff))
        assert budget.tokens == tokens, status


def test_a_429_that_is_not_retried_is_none():
    budget = QuotaBudget()
    budget.spend(False, 0.0)
    call(Reply(429), budget=budget, retry=RetryPolicy(0, RETRY.backoff))
    assert budget.tokens == 486


def test_an_error_that_nothing_follows_is_none():
    budget = Watched(500)
    call(Reply(error=lambda send: ValueError("of the user's")), budget=budget)
    assert budget.seen == []


# --- the stop --------------------------------------------------------------------------------------------------------


def test_an_empty_budget_stops_a_call_and_its_error_says_how_many_retries_were_spent():
    budget = QuotaBudget(30)
    first = call(Reply(503), budget=budget)
    assert isinstance(first.outcome, RetryExhaustedError)
    assert first.outcome.reason == "budget" and first.outcome.attempts[-1].reason == "budget"
    assert str(first.outcome) == (
        "GET http://h/x: gave up after 3 attempts (budget: 2 retries were spent, 2 of 30 tokens are left);"
        " last: 503 Service Unavailable"
    )
    second = call(Reply(429), budget=QuotaBudget(0))
    assert isinstance(second.outcome, RateLimitError)
    assert "(budget: 0 retries were spent, 0 of 0 tokens are left)" in str(second.outcome)


def test_an_error_that_the_budget_did_not_let_be_retried_raises_itself():
    made = call(Reply(error=ConnectError), budget=QuotaBudget(0))
    assert isinstance(made.outcome, ConnectError) and made.outcome.attempts[0].reason == "budget"


def test_a_stop_for_another_reason_spends_nothing():
    budget = Watched(500)
    call(Reply(503, {"Retry-After": "1000"}), budget=budget)
    assert budget.seen == []


def test_all_that_share_a_budget_stop_together():
    budget = QuotaBudget(14 * 10)
    simulator = Simulator(script(Reply(503)))
    for number in range(50):
        simulator.call(GET, Policies(retry=RETRY, retry_budget=budget), at=float(number))
    simulator.run()
    assert sum(len(made.sends) for made in simulator.calls) == 50 + 10
    assert budget.retries == 10


# --- gRPC's throttling -----------------------------------------------------------------------------------------------


def test_the_retry_throttling_of_grpc():
    """Source: grpc-go test/retry_test.go TestRetryThrottling @4793ad0; the tokens are by the rule."""
    budget = ThrottlingBudget(10, ratio=0.5)
    retry = RetryPolicy(3, ExponentialBackoff(0.0), statuses={503})
    good = {0, 3, 6, 10, 11, 12, 13, 14, 16, 18}
    count = -1

    def server(send: Any) -> Reply:
        nonlocal count
        count += 1
        return Reply(200 if count in good else 503)

    rows = []
    for _ in range(12):
        simulator = Simulator(server)
        made = simulator.call(GET, Policies(retry=retry, retry_budget=budget, rand=lambda: 0.0))
        simulator.run()
        rows.append((isinstance(made.outcome, HTTPResponse), count, budget.tokens))
    assert rows == [
        (True, 0, 10),
        (True, 3, 8.5),
        (True, 6, 7),
        (False, 8, 5),
        (False, 9, 4),
        (True, 10, 4.5),
        (True, 11, 5),
        (True, 12, 5.5),
        (True, 13, 6),
        (True, 14, 6.5),
        (True, 16, 6),
        (False, 17, 5),
    ]


def test_failures_do_not_take_what_is_not_there():
    budget = ThrottlingBudget(2, ratio=1)
    for _ in range(5):
        budget.failed(0, 0.0)
    assert budget.tokens == 0 and budget.spend(False, 0.0) is None
    assert budget.describe() == "0 retries were spent, 0 of 2 tokens are left"
    budget.succeeded(None, 0.0)
    assert budget.tokens == 1 and budget.spend(False, 0.0) is None
    budget.succeeded(None, 0.0)
    assert budget.spend(False, 0.0) == 0 and budget.retries == 1
    budget.succeeded(None, 0.0)
    assert budget.tokens == 2


# --- a part of the calls ---------------------------------------------------------------------------------------------


def spent(budget: RetryBudget, now: float, most: int = 1000) -> int:
    """How many retries it allows now."""
    return next(count for count in range(most) if budget.spend(False, now) is None)


def test_a_fifth_of_the_calls_may_be_retried():
    budget = PercentBudget(0.2, floor=0)
    for _ in range(50):
        budget.succeeded(None, 0.0)
    for _ in range(50):
        budget.failed(0, 0.0)
    assert spent(budget, 0.0) == 20
    assert budget.describe() == "20 retries were spent on 100 calls within 10 s"


def test_a_call_counts_once():
    budget = PercentBudget(1.0, floor=0)
    budget.failed(0, 0.0)
    budget.failed(1, 0.0)
    budget.succeeded(0.0, 0.0)
    assert spent(budget, 0.0) == 1


def test_the_floor_is_there_for_who_calls_little():
    assert spent(PercentBudget(), 0.0) == 100
    assert spent(PercentBudget(0, floor=0.5, window=4.0), 0.0) == 2


def test_what_is_older_than_the_window_is_forgotten():
    budget = PercentBudget(1.0, floor=0, window=10.0)
    for second in range(5):
        budget.succeeded(None, float(second))
    assert spent(budget, 9.9) == 5
    assert spent(budget, 10.1) == 0  # a call has left the window, and its retry has not
    assert spent(budget, 25.0) == 0
    budget.succeeded(None, 25.0)
    assert spent(budget, 25.0) == 1


def test_another_clock_empties_nothing_for_ever():
    budget = PercentBudget(0, floor=0.1, window=10.0)
    assert spent(budget, 1e6) == 1
    assert spent(budget, 5.0) == 0
    assert spent(budget, 16.0) == 1


@given(
    st.lists(st.tuples(st.floats(0, 3), st.sampled_from(["good", "bad", "retry"])), max_size=60),
    st.floats(0, 1),
    st.floats(0, 2),
)
def test_it_never_allows_more_than_its_part(events, ratio, floor):
    """Against a list of all that happened: at every retry those of the window are within its bound."""
    budget = PercentBudget(ratio, floor=floor, window=10.0)
    now = 0.0
    calls: list[float] = []
    retries: list[float] = []
    for step, what in events:
        now += step
        if what == "good":
            budget.succeeded(None, now)
            calls.append(now)
        elif what == "bad":
            budget.failed(0, now)
            calls.append(now)
        else:
            tenth = math.floor(now / 10.0 * 10)

            def within(times, tenth=tenth):
                return sum(math.floor(time / 10.0 * 10) > tenth - 10 for time in times)

            allowed = budget.spend(False, now) is not None
            assert allowed == (within(retries) + 1 <= floor * 10.0 + ratio * within(calls))
            if allowed:
                retries.append(now)


def test_a_call_counts_until_its_tenth_is_ten_tenths_ago():
    budget = PercentBudget(1.0, floor=0.0, window=10.0)
    budget.succeeded(None, 0.5)
    assert budget.describe() == "0 retries were spent on 1 calls within 10 s"
    budget.succeeded(None, 9.5)
    assert budget.describe() == "0 retries were spent on 2 calls within 10 s"
    budget.succeeded(None, 10.0)
    assert budget.describe() == "0 retries were spent on 2 calls within 10 s"
    budget.succeeded(None, 19.0)
    assert budget.describe() == "0 retries were spent on 2 calls within 10 s"


def test_the_defaults_of_the_others():
    throttling = ThrottlingBudget()
    assert throttling.describe() == "0 retries were spent, 10 of 10 tokens are left"
    throttling.failed(0, 0.0)
    throttling.succeeded(None, 0.0)
    assert throttling.describe() == "0 retries were spent, 9.1 of 10 tokens are left"
    percent = PercentBudget()
    for _ in range(1000):
        percent.succeeded(None, 0.0)
    assert sum(percent.spend(False, 0.0) is not None for _ in range(1000)) == 300  # 10 a second, and a fifth
    assert percent.spend(False, 9.999) is None
    assert percent.spend(False, 10.0) == 0.0  # the calls are forgotten, and the retries


# --- your own, and all of them ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("budget", [RetryBudget(), QuotaBudget(14), ThrottlingBudget(), PercentBudget(0, floor=0.1)])
def test_what_was_not_used_is_given_back(budget):
    for _ in range(3):
        cost = budget.spend(False, 0.0)
        assert cost is not None and budget.retries == 1
        budget.refund(cost, 0.0)
        assert budget.retries == 0
    assert budget.describe().startswith("0 retries were spent")


def test_one_of_your_own():
    class Twice(RetryBudget):
        def spend(self, throttled: bool, now: float) -> float | None:
            return super().spend(throttled, now) if self.retries < 2 else None

    made = call(Reply(503), budget=Twice())
    assert len(made.sends) == 3
    assert "(budget: 2 retries were spent)" in str(made.outcome)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: QuotaBudget(-1), r"^QuotaBudget\.capacity: -1 is not allowed; it is a finite number, 0 or more"),
        (lambda: QuotaBudget("x"), r"^QuotaBudget\.capacity: 'x' is not allowed"),  # type: ignore[arg-type]
        (lambda: QuotaBudget(cost=0), r"^QuotaBudget\.cost: 0 is not allowed; it is a finite number, above 0"),
        (lambda: QuotaBudget(throttled_cost=math.inf), r"^QuotaBudget\.throttled_cost: inf is not allowed"),
        (lambda: ThrottlingBudget(0), r"^ThrottlingBudget\.capacity: 0 is not allowed"),
        (lambda: ThrottlingBudget(ratio=0), r"^ThrottlingBudget\.ratio: 0 is not allowed"),
        (lambda: PercentBudget(-0.1), r"^PercentBudget\.ratio: -0.1 is not allowed"),
        (lambda: PercentBudget(floor=math.nan), r"^PercentBudget\.floor: nan is not allowed"),
        (lambda: PercentBudget(window=0), r"^PercentBudget\.window: 0 is not allowed"),
        (lambda: Policies(retry_budget=500), r"^Policies\.retry_budget: int is not allowed; it is RetryBudget"),  # type: ignore[arg-type]
    ],
)
def test_what_is_out_of_range(make, message):
    with pytest.raises(ConfigurationError, match=message):
        make()
