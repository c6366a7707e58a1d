"""A call's story for a person."""

from __future__ import annotations

from typing import Any

from sansio_http import (
    Bearer,
    ConnectionLostError,
    ExponentialBackoff,
    FixedHedging,
    HTTPClientError,
    HTTPRequest,
    HTTPResponse,
    Policies,
    QuotaBudget,
    RetryPolicy,
)
from sansio_http.testing import Reply, SimulatedCall, Simulator, script

SECRET = "s3cr3t"
GET = HTTPRequest("GET", f"http://h/x?key={SECRET}")
RETRY = RetryPolicy(backoff=ExponentialBackoff(2.0, jitter="none"))


def run(*replies: Reply, retry: RetryPolicy | None = RETRY, **policies: Any) -> SimulatedCall:
    simulator = Simulator(script(*replies), now=1000.0)
    call = simulator.call(GET, Policies(retry=retry, **policies))
    simulator.run()
    return call


def test_a_response_tells_how_it_came_about():
    call = run(
        Reply(503, after=0.25),
        Reply(429, {"Retry-After": "7"}, after=0.5),
        Reply(error=ConnectionLostError, after=0.125),
        Reply(200, after=0.0625),
        auth=Bearer(SECRET),
    )
    assert call.response.describe() == (
        "GET http://h/x?key=***: 200 OK in 17.938 s\n"
        "  1. at 0.000 s, 0.250 s long: 503; the next one 2.000 s later (status, its status may pass)\n"
        "  2. at 2.250 s, 0.500 s long: 429; the next one 7.000 s later (retry_after, the server named the wait)\n"
        "  3. at 9.750 s, 0.125 s long: ConnectionLostError: scripted (GET http://h/x?key=***);"
        " the next one 8.000 s later (transport, the connection failed)\n"
        "  4. at 17.875 s, 0.062 s long: 200"
    )


def test_an_error_tells_why_nothing_followed():
    outcome = run(Reply(503), retry_budget=QuotaBudget(14)).outcome
    assert isinstance(outcome, HTTPClientError)
    assert outcome.describe() == (
        "RetryExhaustedError: GET http://h/x?key=***: gave up after 2 attempts (budget: 1 retries were spent, 0 of 14"
        " tokens are left); last: 503 Service Unavailable\n"
        "  1. at 0.000 s, 0.000 s long: 503; the next one 2.000 s later (status, its status may pass)\n"
        "  2. at 2.000 s, 0.000 s long: 503; no other follows (budget, the retry budget is spent)"
    )


def test_several_sends_of_one_attempt_are_told():
    call = run(Reply(200, after=5.0), Reply(200, after=1.0), hedging=FixedHedging(2.0))
    assert call.response.describe().endswith("1. at 0.000 s, 3.000 s long (2 sends): 200")


def test_where_nothing_was_sent_there_is_little_to_tell():
    assert HTTPResponse(404).describe() == "404 Not Found\n  nothing was sent"
    assert HTTPResponse(599).describe() == "599\n  nothing was sent"
    assert HTTPClientError("no").describe() == "HTTPClientError: no\n  nothing was sent"


def test_a_reason_that_is_not_ours_is_told_as_it_is():
    response = run(Reply(503), Reply(200)).response
    response.attempts = (response.attempts[0]._replace(reason="whim"),)
    assert response.describe().endswith("503; the next one 2.000 s later (whim)")


def test_no_secret_is_in_it():
    for reply in (Reply(503), Reply(error=ConnectionLostError), Reply(200)):
        outcome = run(reply, auth=Bearer(SECRET)).outcome
        assert isinstance(outcome, HTTPResponse | HTTPClientError)
        assert SECRET not in outcome.describe()
