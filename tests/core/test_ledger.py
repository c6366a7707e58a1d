"""What the rows of one call share: its ids, whom it wakes, and errors about a request that never went out."""

from __future__ import annotations

from typing import Any

from sansio_http import (
    Ask,
    AttemptTimeoutError,
    Call,
    Concurrency,
    ConnectionLostError,
    Ended,
    ExponentialBackoff,
    Hedging,
    HTTPRequest,
    HTTPResponse,
    Policies,
    PoolTimeoutError,
    ReadTimeoutError,
    RedirectPolicy,
    RetryPolicy,
    Send,
    TokenBucket,
    TotalTimeoutError,
    Woke,
)
from sansio_http.testing import Reply, Simulator, script

SECRET = "s3cr3t"
STEADY = ExponentialBackoff(base=2.0, jitter="none")


class Hook:
    def process_request(self, request: HTTPRequest) -> None: ...
    def process_response(self, response: HTTPResponse, request: HTTPRequest) -> None: ...


class Hedge(Hedging):
    def next_at(self, first: float, extra: int) -> float | None:
        return first + 1.0 if extra < 1 else None


def test_no_id_is_used_twice_by_sends_and_asks_of_any_attempt():
    """The simulator refuses a second one, too; here are enough of them to meet."""
    policies = Policies(
        retry=RetryPolicy(5, STEADY), hooks=(Hook(),), redirects=RedirectPolicy(), hedging=Hedge(), ask_auth=lambda r: r
    )
    simulator = Simulator(script(Reply(302, {"Location": "/y"}, after=2.0), Reply(503, after=2.0)))
    call = simulator.call(HTTPRequest("GET", "http://h/x"), policies)
    simulator.run()
    assert len(call.sends) > 6
    assert len(call.ids) > 4 * len(call.sends) / 2
    assert max(call.ids) == len(call.ids)


def test_one_waiter_stands_for_the_call_in_every_queue():
    limiter, slots = TokenBucket(rate=10.0, burst=1), Concurrency(1)
    policies = Policies(limiter=limiter, slots=slots)
    first = Call(HTTPRequest("GET", "http://h/"), policies)
    (send,) = first.start(0.0).send
    second = Call(HTTPRequest("GET", "http://h/"), policies)
    assert second.start(0.0).wake_at is not None
    assert second.handle(Woke(), 0.1).send == ()  # the token is there, the slot is not
    assert first.handle(Ended(send.id, HTTPResponse(200)), 0.5).nudge == (second.waiter,)


def test_a_nudge_is_told_once():
    slots = Concurrency(1)
    first, second = (Call(HTTPRequest("GET", "http://h/"), Policies(slots=slots)) for _ in range(2))
    (send,) = first.start(0.0).send
    second.start(0.0)
    assert first.handle(Ended(send.id, HTTPResponse(200)), 0.5).nudge == (second.waiter,)
    assert first.handle(Woke(), 0.5).nudge == ()
    assert first.close(0.5).nudge == ()


def queued(timeout: float | None = None, **policies: Any) -> Any:
    """How a call ends that never gets the one slot there is."""
    slots = Concurrency(1)
    slots.take(0.0)
    simulator = Simulator(script(Reply()))
    request = HTTPRequest("POST", f"https://h/x?key={SECRET}", timeout=timeout)
    call = simulator.call(request, Policies(slots=slots, **policies))
    simulator.run()
    assert not call.sends
    return call.outcome


def test_an_error_about_a_request_in_a_queue_says_that_nothing_was_sent():
    for error, kind in (
        (queued(timeout=3.0), TotalTimeoutError),
        (queued(pool_timeout=3.0), PoolTimeoutError),
    ):
        assert type(error) is kind
        assert (error.method, error.url) == ("POST", "https://h/x?key=***")
        assert (error.phase, error.head_sent, error.body_started, error.reused) == ("queue", False, False, False)
        assert error.__cause__ is None


def test_an_error_about_a_send_has_the_progress_of_its_cause():
    def late(send: Send) -> AttemptTimeoutError:
        progress = send.progress
        progress.phase, progress.head_sent, progress.body_started, progress.reused = "body", True, True, True
        return send.error(AttemptTimeoutError, "late")

    simulator = Simulator(script(Reply(error=late, after=3.0)))
    call = simulator.call(HTTPRequest("POST", f"https://h/x?key={SECRET}", timeout=3.0), Policies())
    simulator.run()
    error: Any = call.outcome
    assert type(error) is TotalTimeoutError
    assert (error.method, error.url) == ("POST", "https://h/x?key=***")
    assert (error.phase, error.head_sent, error.body_started, error.reused) == ("body", True, True, True)
    assert type(error.__cause__) is AttemptTimeoutError


def test_sends_are_counted_by_attempt():
    def stale(send: Send) -> ConnectionLostError:
        send.progress.reused = True
        return send.error(ConnectionLostError, "closed")

    replies = [
        Reply(302, {"Location": "/y"}),
        Reply(error=stale),
        Reply(503),
        Reply(error=ReadTimeoutError),
        Reply(200),
    ]
    simulator = Simulator(script(*replies))
    policies = Policies(retry=RetryPolicy(backoff=STEADY), redirects=RedirectPolicy())
    call = simulator.call(HTTPRequest("GET", "http://h/x"), policies)
    simulator.run()
    assert [attempt.sends for attempt in call.response.attempts] == [3, 1, 1]
    assert len(call.sends) == 5


def test_an_ask_ends_with_the_call():
    call = Call(HTTPRequest("GET", "http://h/", timeout=3.0), Policies(hooks=(Hook(),)))
    (ask,) = call.start(10.0).send
    assert isinstance(ask, Ask) and ask.deadline == 13.0
