"""The table that says what a bundle will do."""

from __future__ import annotations

import pytest

from sansio_http import (
    AIMD,
    GCRA,
    AdaptiveRate,
    CallWindow,
    Circuit,
    Combined,
    Concurrency,
    ConstantBackoff,
    ExponentialBackoff,
    Hedging,
    Keyed,
    Limiter,
    LinearBackoff,
    Policies,
    QuotaBudget,
    RedirectPolicy,
    RetryBudget,
    RetryPolicy,
    ServerQuota,
    SlidingCounter,
    SlidingWindow,
    Throttle,
    TokenBucket,
    by_origin,
)


def told(policies: Policies) -> dict[str, str]:
    """The table by its first column."""
    lines = policies.table().splitlines()
    width = len(lines[0]) - len(lines[0].partition(" ")[2].lstrip())
    return {line[:width].strip(): line[width:] for line in lines}


def test_of_nothing_it_says_so():
    assert Policies.none().table().splitlines() == [
        "retry       never: the first answer or error is the last",
        "circuit     none",
        "rate limit  none",
        "in flight   as many as there are",
        "redirects   returned as they are",
        "hedging     none",
        "attempt     what is left of the call",
        "queue       what is left of the call",
    ]


def test_of_the_standard_it_says_what_the_defaults_are():
    assert Policies.standard().table().splitlines()[:7] == [
        "retry         up to 3 more attempts",
        "  statuses    408, 429, 500, 502, 503, 504, for DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT, TRACE",
        "  failures    of the transport, and timeouts: of these methods, where it is safe to send twice",
        "  wait        a random part of 1, 2, 4 s, 60 at most",
        "  asked       never sooner than Retry-After says; if it says more than 120 s, no retry",
        "  in the end  an error that holds the last answer",
        "circuit       none",
    ]
    assert told(Policies.standard())["in flight"] == "100 at most; the others queue"


def test_to_print_a_bundle_is_to_print_its_table():
    policies = Policies.careful()
    assert str(policies) == policies.table()


@pytest.mark.parametrize(
    ("retry", "about", "line"),
    [
        (RetryPolicy(retries=1), "retry", "up to 1 more attempt"),
        (RetryPolicy(retries=1), "wait", "a random part of 1 s, 60 at most"),
        (RetryPolicy(retries=9), "wait", "a random part of 1, 2, 4, ... s, 60 at most"),
        (
            RetryPolicy(backoff=ExponentialBackoff(base=0.5, cap=1.5, jitter="none")),
            "wait",
            "0.5, 1, 1.5 s, 1.5 at most",
        ),
        (RetryPolicy(statuses={503}, methods={"PUT", "DELETE"}), "statuses", "503, for DELETE, PUT"),
        (RetryPolicy(on_exhausted="return"), "in the end", "the last answer"),
        (RetryPolicy(backoff=ConstantBackoff(2.0)), "wait", "a random part of 2, 2, 2 s"),
        (RetryPolicy(backoff=LinearBackoff(2.0, jitter="none")), "wait", "2, 4, 6 s, 60 at most"),
        (
            RetryPolicy(backoff=ConstantBackoff(2.0, "equal")),
            "wait",
            "ConstantBackoff(base=2.0, jitter='equal', spread=0.25)",
        ),
    ],
)
def test_retries(retry, about, line):
    assert told(Policies(retry=retry))[about] == line


@pytest.mark.parametrize(
    ("circuit", "line"),
    [
        (Circuit(), "opens after 5 failures in a row, for 60 s; then a probe decides"),
        (
            Circuit(1, 2.5, half_open_permits=3, success_threshold=2),
            "opens after 1 failure in a row, for 2.5 s; then 2 of 3 probes must succeed",
        ),
        (
            Circuit(window=CallWindow(seconds=30.0), recovery_factor=2.0, recovery_jitter=0.25, rand=lambda: 0.0),
            "opens when of the calls of the last 30 s 50 % failed, from 20 on, for 60 s, each time 2 times as long,"
            " 600 s at most, and up to 25% more by chance; then a probe decides",
        ),
        (
            Keyed(lambda: Circuit(2), by_origin, max_keys=10),
            "for each key, 10 at most: opens after 2 failures in a row, for 60 s; then a probe decides",
        ),
    ],
)
def test_circuits(circuit, line):
    assert told(Policies(circuit=circuit))["circuit"] == line


class Own(Limiter):
    """A law of the user's: there is always room."""

    def _ready_at(self, ahead: float, tokens: float, time: float) -> float:
        return time

    def _take(self, tokens: float, time: float) -> None: ...
    def _untake(self, tokens: float, time: float) -> None: ...
    def _is_full(self, time: float) -> bool:
        return True

    def __repr__(self) -> str:
        return "<Own>"


@pytest.mark.parametrize(
    ("limiter", "line"),
    [
        (TokenBucket(10, 20), "10 a second, 20 at once; the others queue"),
        (SlidingWindow(100, 60), "100 in any 60 s; the others queue"),
        (
            Keyed(lambda: TokenBucket(1, 2), by_origin),
            "for each key, 10000 at most: 1 a second, 2 at once; the others queue",
        ),
        (GCRA(1, 2), "1 a second, 2 at once; the others queue"),
        (SlidingCounter(100, 60), "about 100 in any 60 s; the others queue"),
        (Concurrency(5), "5 at most; the others queue"),
        (AIMD(), "20 at most, for now: 20 to 200, as AIMD learns; the others queue"),
        (AdaptiveRate(), "as often as the server lets them, 0.5 a second at least; the others queue"),
        (Throttle(float), "2 times what the server accepts; the others are rejected, by chance"),
        (ServerQuota(), "what the server says that it allows; the others queue"),
        (
            Combined(TokenBucket(1, 2), Concurrency(5)),
            "1 a second, 2 at once; the others queue; and 5 at most; the others queue",
        ),
        (
            [Keyed(ServerQuota, by_origin), Concurrency(5)],
            "for each key, 10000 at most: what the server says that it allows; the others queue; and 5 at most;"
            " the others queue",
        ),
        (Own(1, None), "<Own>"),
    ],
)
def test_rate_limits(limiter, line):
    assert told(Policies(limiter=limiter))["rate limit"] == line


class Sometimes(Hedging):
    def next_at(self, first: float, extra: int) -> float | None:
        return None

    def __repr__(self) -> str:
        return "<Sometimes>"


def test_all_else():
    policies = Policies(
        slots=Concurrency(3),
        redirects=RedirectPolicy(5),
        hedging=Sometimes(),
        attempt_timeout=2.5,
        pool_timeout=0,
    )
    lines = told(policies)
    assert lines["in flight"] == "3 at most; the others queue"
    assert lines["redirects"] == "followed, 5 at most"
    assert lines["hedging"] == "<Sometimes>"
    assert (lines["attempt"], lines["queue"]) == ("2.5 s", "0 s")


def test_the_budget():
    assert told(Policies.standard())["budget"] == "500 tokens, which all retries are paid from"
    assert told(Policies(retry_budget=QuotaBudget(20)))["budget"].startswith("20 tokens")
    assert "RetryBudget" in told(Policies(retry_budget=RetryBudget()))["budget"]
