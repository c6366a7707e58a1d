"""One call from start to outcome: attempts and what lies between them, what is raised, what is returned, and when."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansio_http import (
    Attempt,
    AttemptTimeoutError,
    Body,
    BodyEnded,
    Call,
    CertificateError,
    ClientClosedError,
    Concurrency,
    ConnectError,
    ConnectionLostError,
    ConnectTimeoutError,
    DriverError,
    Ended,
    ExponentialBackoff,
    HTTPClientError,
    HTTPRequest,
    HTTPResponse,
    InvalidRequestError,
    Policies,
    PoolTimeoutError,
    RateLimitError,
    ReadTimeoutError,
    ResponseTooLargeError,
    RetryExhaustedError,
    RetryPolicy,
    Send,
    TotalTimeoutError,
    Woke,
)
from sansio_http.testing import Reply, SimulatedCall, Simulator, script

STEADY = ExponentialBackoff(base=1.0, cap=60.0, jitter="none")  # 1, 2, 4 ... seconds
RETRY = RetryPolicy(retries=2, backoff=STEADY)
URL = "http://h/x"


def unsent(error: type[Any]) -> Reply:
    """The send fails before a byte of it has left."""

    def make(send: Send) -> BaseException:
        send.progress.head_sent = False
        return send.error(error, "scripted")

    return Reply(error=make)


def run(
    *replies: Reply,
    method: str = "GET",
    url: str = URL,
    request: HTTPRequest | None = None,
    stream: bool = False,
    late: float = 0.0,
    now: float = 0.0,
    policies: Any = None,
    retry: RetryPolicy | None = RETRY,
    **options: Any,
) -> SimulatedCall:
    """One call against these replies, the last one for ever. ``options`` are the request's."""
    simulator = Simulator(script(*replies), now=now, late=lambda: late)
    wanted = request or HTTPRequest(method, url, **options)
    call = simulator.call(wanted, Policies(retry=retry, **(policies or {})), stream=stream)
    simulator.run()
    return call


def error(call: SimulatedCall, kind: type[Any]) -> Any:
    """What the call raised."""
    assert type(call.outcome) is kind, call.outcome
    return call.outcome


# --- returned --------------------------------------------------------------------------------------------------------


def test_an_answer_is_returned_as_it_came():
    call = run(Reply(200, {"X": "y"}, b"hello", after=0.25), now=7.0)
    response = call.response
    assert (response.status_code, response.headers["X"], response.content) == (200, "y", b"hello")
    assert response.elapsed == 0.25 and call.ended_at == 7.25


@pytest.mark.parametrize("status", [204, 301, 304, 400, 401, 404, 501])
def test_a_status_that_is_not_retried_is_an_answer(status):
    call = run(Reply(status))
    assert call.response.status_code == status and len(call.sends) == 1


@pytest.mark.parametrize("retry", [None, RetryPolicy(0, STEADY), RetryPolicy(3, STEADY, methods={"POST"})])
def test_where_retries_are_off_every_status_is_an_answer(retry):
    assert run(Reply(503), retry=retry).response.status_code == 503
    assert run(Reply(429, {"Retry-After": "9"}), retry=retry).response.status_code == 429


def test_a_failure_is_tried_again_until_it_succeeds():
    call = run(Reply(503, after=0.5), Reply(error=ConnectionLostError, after=0.5), Reply(200, after=0.5))
    assert call.response.is_success
    assert call.ended_at == 0.5 + 1 + 0.5 + 2 + 0.5
    assert [send.attempt for send in call.sends] == [1, 2, 3]


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"])
def test_a_retryable_status_is_tried_again_with_any_method(method):
    call = run(Reply(503), Reply(200), method=method)
    assert call.response.is_success and [send.request.method for send in call.sends] == [method, method]


def test_an_unsafe_request_that_never_left_is_tried_again():
    call = run(unsent(ConnectError), unsent(ConnectTimeoutError), Reply(201), method="POST")
    assert call.response.status_code == 201


@pytest.mark.parametrize(
    "vouched", [{"idempotent": True}, {"idempotency_key": "k"}, {"headers": {"Idempotency-Key": "k"}}]
)
def test_an_unsafe_request_that_the_caller_vouched_for_is_tried_again(vouched):
    call = run(Reply(error=ReadTimeoutError), Reply(201), method="POST", **vouched)
    assert call.response.status_code == 201


@pytest.mark.parametrize("status", [503, 429])
def test_an_exhausted_answer_may_be_wanted_as_it_is(status):
    call = run(Reply(status), retry=RetryPolicy(1, STEADY, on_exhausted="return"))
    assert call.response.status_code == status
    assert [attempt.reason for attempt in call.response.attempts] == ["status", "attempts"]


# --- raised ----------------------------------------------------------------------------------------------------------


def test_after_the_last_attempt_an_error_holds_the_answer():
    call = run(Reply(500), Reply(502), Reply(503, content=b"no"))
    raised = error(call, RetryExhaustedError)
    assert (raised.reason, raised.status_code, raised.last_error, raised.retry_after) == ("attempts", 503, None, None)
    assert raised.last_response.content == b"no"
    assert raised.__cause__ is None
    assert str(raised) == f"GET {URL}: gave up after 3 attempts (attempts); last: 503 Service Unavailable"


def test_a_429_has_an_error_of_its_own():
    raised = error(run(Reply(429, {"Retry-After": "5"})), RateLimitError)
    assert (raised.status_code, raised.response.status_code, raised.retry_after, raised.local) == (429, 429, 5.0, False)
    assert str(raised) == f"GET {URL}: gave up after 3 attempts (attempts); last: 429 Too Many Requests"


def test_after_the_last_attempt_an_error_holds_the_error():
    raised = error(run(Reply(503), Reply(503), Reply(error=ConnectionLostError)), RetryExhaustedError)
    assert (raised.reason, raised.status_code, raised.last_response) == ("attempts", None, None)
    assert type(raised.last_error) is ConnectionLostError
    assert raised.__cause__ is raised.last_error
    assert str(raised).startswith(
        f"GET {URL}: gave up after 3 attempts (attempts); last: ConnectionLostError: scripted"
    )


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (lambda: run(Reply(error=ConnectionLostError), method="POST"), ConnectionLostError),
        (lambda: run(Reply(error=ReadTimeoutError), method="PATCH"), ReadTimeoutError),
        (lambda: run(Reply(error=CertificateError)), CertificateError),
        (lambda: run(Reply(error=ResponseTooLargeError)), ResponseTooLargeError),
        (lambda: run(Reply(error=PoolTimeoutError)), PoolTimeoutError),
        (lambda: run(Reply(error=ConnectError), retry=None), ConnectError),
        (lambda: run(Reply(error=ConnectError), retry=RetryPolicy(0, STEADY)), ConnectError),
        (lambda: run(Reply(error=ConnectError), retry=RetryPolicy(3, STEADY, methods={"PUT"})), ConnectError),
        (lambda: run(Reply(error=ConnectError), timeout=0.5), ConnectError),
        (lambda: run(Reply(error=ConnectionLostError), method="PUT", body=Body(object())), ConnectionLostError),
    ],
)
def test_a_transport_error_that_was_never_retried_raises_itself(call, kind):
    call = call()
    raised = error(call, kind)
    assert [attempt.number for attempt in raised.attempts] == [1] and len(call.sends) == 1


def test_an_error_that_no_retry_helps_raises_itself_after_retries_too():
    raised = error(run(Reply(503), Reply(error=CertificateError)), CertificateError)
    assert [attempt.status_code for attempt in raised.attempts] == [503, None]


def test_what_is_not_about_http_is_raised_as_it_is():
    bug = ValueError("a bug of the transport's")
    call = run(Reply(503), Reply(error=lambda send: bug))
    assert call.outcome is bug and len(call.sends) == 2


@pytest.mark.parametrize("kind", [KeyboardInterrupt, GeneratorExit])
def test_even_what_is_no_exception_is_an_outcome(kind):
    assert type(run(Reply(error=lambda send: kind())).outcome) is kind


def test_the_messages_show_no_secret():
    raised = error(run(Reply(503), url="http://h/x?key=s3cr3t"), RetryExhaustedError)
    assert "http://h/x?key=***" in str(raised) and "s3cr3t" not in str(raised)


# --- why no attempt follows ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [503, 429])
@pytest.mark.parametrize(
    ("reason", "headers", "options", "sends"),
    [
        ("attempts", {}, {}, 3),
        ("retry_after", {"Retry-After": "9999999999"}, {}, 1),
        ("retry_after", {"Retry-After": "60"}, {"timeout": 30.0}, 1),
        ("deadline", {}, {"timeout": 2.5}, 2),
        ("not_replayable", {}, {"method": "POST", "body": Body(object())}, 1),
    ],
)
def test_an_answer_that_is_not_tried_again_is_raised_with_the_reason(status, reason, headers, options, sends):
    call = run(Reply(status, headers), **options)
    assert len(call.sends) == sends
    raised = error(call, RateLimitError if status == 429 else RetryExhaustedError)
    assert raised.attempts[-1].reason == reason
    assert raised.attempts[-1].delay is None
    if status == 503:
        assert raised.reason == reason


def test_the_wait_that_was_too_long_is_on_the_error():
    assert error(run(Reply(503, {"Retry-After": "600"})), RetryExhaustedError).retry_after == 600
    assert error(run(Reply(429, {"Retry-After": "600"})), RateLimitError).retry_after == 600
    date = {"Retry-After": "Mon, 01 Jan 2024 01:00:00 GMT"}
    wall = {"wall": lambda: 1704067200.0}  # midnight
    assert error(run(Reply(503, date), policies=wall), RetryExhaustedError).retry_after == 3600


@pytest.mark.parametrize(
    ("reason", "replies", "options"),
    [
        ("not_idempotent", [Reply(503), Reply(error=ReadTimeoutError)], {"method": "POST"}),
        ("deadline", [Reply(503), Reply(error=ConnectError)], {"timeout": 2.5}),
        ("deadline", [Reply(503), Reply(after=60)], {"timeout": 2.5}),
        ("attempts", [Reply(error=ConnectError)], {}),
    ],
)
def test_an_error_after_retries_is_raised_with_the_reason(reason, replies, options):
    raised = error(run(*replies, **options), RetryExhaustedError)
    assert (raised.reason, raised.attempts[-1].reason) == (reason, reason)
    assert raised.__cause__ is raised.last_error is not None


# --- the history -----------------------------------------------------------------------------------------------------


def test_every_try_is_told_with_when_how_long_what_and_why():
    call = run(
        Reply(429, {"Retry-After": "5"}, after=0.5),
        Reply(error=ReadTimeoutError, after=1.0),
        Reply(200, after=0.25),
        now=100.0,
    )
    assert call.response.attempts == (
        Attempt(1, 100.0, 0.5, 1, 429, None, "retry_after", 5.0),
        Attempt(2, 105.5, 1.0, 1, None, f"ReadTimeoutError: scripted (GET {URL})", "timeout", 2.0),
        Attempt(3, 108.5, 0.25, 1, 200, None, None, None),
    )
    assert call.response.elapsed == 8.75


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(503), "status"),
        (Reply(503, {"Retry-After": "0"}), "status"),
        (Reply(503, {"Retry-After": "9"}), "retry_after"),
        (Reply(error=ConnectError), "transport"),
        (Reply(error=ConnectTimeoutError), "timeout"),
    ],
)
def test_each_retry_has_its_reason(reply, reason):
    assert run(reply, Reply(200)).response.attempts[0].reason == reason


@pytest.mark.parametrize("replies", [[Reply(503)], [Reply(429)], [Reply(error=ConnectError)], [Reply(503), Reply(200)]])
def test_every_outcome_has_the_history(replies):
    outcome: Any = run(*replies).outcome
    assert [attempt.number for attempt in outcome.attempts] == list(range(1, len(outcome.attempts) + 1))
    assert len(outcome.attempts) == (2 if len(replies) == 2 else 3)


def test_an_error_of_somebody_else_is_told_by_its_class_alone():
    class Bug(HTTPClientError): ...

    raised = error(run(Reply(error=lambda send: Bug("what"))), Bug)
    assert raised.attempts[0].error == "Bug: what"
    call = run(Reply(503), Reply(error=lambda send: ValueError("s3cr3t")))
    assert call.call.attempts[-1].error == "ValueError"


def test_the_history_can_be_read_while_the_call_goes_on():
    call = Call(HTTPRequest("GET", URL), Policies(retry=RETRY))
    (send,) = call.start(0.0).send
    history = [call.attempts]
    call.handle(Ended(send.id, HTTPResponse(503)), 1.0)
    history.append(call.attempts)
    assert [[attempt.status_code for attempt in attempts] for attempts in history] == [[], [503]]


# --- one decision does not colour the next ---------------------------------------------------------------------------


def test_what_an_earlier_answer_asked_for_does_not_delay_the_next_retry():
    call = run(Reply(429, {"Retry-After": "30"}), Reply(503), Reply(200))
    assert [attempt.delay for attempt in call.response.attempts] == [30.0, 2.0, None]


def test_nor_is_it_on_the_error_of_a_later_one():
    raised = error(run(Reply(429, {"Retry-After": "30"}), Reply(503)), RetryExhaustedError)
    assert raised.retry_after is None
    raised = error(run(Reply(429, {"Retry-After": "30"}), Reply(error=ConnectError)), RetryExhaustedError)
    assert (raised.retry_after, raised.last_response, raised.status_code) == (None, None, None)


def test_the_backoff_grows_with_each_retry_and_no_call_with_anothers():
    policies = Policies(retry=RETRY)
    simulator = Simulator(script(Reply(503)))
    calls = [simulator.call(HTTPRequest("GET", URL), policies) for _ in range(2)]
    simulator.run()
    for call in calls:
        assert [attempt.delay for attempt in error(call, RetryExhaustedError).attempts] == [1.0, 2.0, None]


def test_jitter_comes_from_the_dice_of_the_bundle():
    rolls = iter([0.25, 0.5])
    retry = RetryPolicy(2, ExponentialBackoff(base=8.0))
    call = run(Reply(503), Reply(503), Reply(200), retry=retry, policies={"rand": lambda: next(rolls)})
    assert [attempt.delay for attempt in call.response.attempts] == [2.0, 8.0, None]


# --- the call's own copy of the request ------------------------------------------------------------------------------


def test_params_are_merged_into_the_url_once():
    request = HTTPRequest("GET", "http://h/x?a=1", params={"b": [2, 3]})
    call = run(Reply(503), Reply(200), request=request)
    assert [send.request.url for send in call.sends] == ["http://h/x?a=1&b=2&b=3"] * 2
    assert (request.url, request.params) == ("http://h/x?a=1", {"b": [2, 3]})


def test_a_key_of_ours_is_made_once_per_call_and_sent_from_the_first_send_on():
    keys = iter([b"a" * 16, b"b" * 16])

    def entropy(size: int) -> bytes:
        assert size == 16
        return next(keys)

    request = HTTPRequest("POST", URL, idempotency_key="auto")
    calls = [
        run(Reply(503), Reply(error=ReadTimeoutError), Reply(201), request=request, policies={"entropy": entropy})
        for _ in range(2)
    ]
    sent = [[send.request.headers["Idempotency-Key"] for send in call.sends] for call in calls]
    assert sent == [[b"a".hex() * 16] * 3, [b"b".hex() * 16] * 3]
    assert "Idempotency-Key" not in request.headers


@pytest.mark.parametrize("status", [409, 422])
def test_with_a_key_of_ours_a_conflict_is_an_answer_even_if_listed(status):
    retry = RetryPolicy(2, STEADY, statuses={status})
    options: Any = {"method": "POST", "idempotency_key": "auto", "policies": {"entropy": bytes}, "retry": retry}
    assert run(Reply(status), **options).response.status_code == status
    options |= {"idempotency_key": "of the caller's own"}
    assert len(run(Reply(status), Reply(200), **options).sends) == 2


def test_a_key_of_the_callers_is_sent_as_it_is():
    (send,) = run(Reply(201), method="POST", idempotency_key="mine").sends
    assert send.request.headers["Idempotency-Key"] == "mine"


def test_by_default_there_is_no_key():
    (send,) = run(Reply(201), method="POST").sends
    assert "Idempotency-Key" not in send.request.headers


def test_a_header_of_the_callers_is_not_replaced_by_a_key_of_ours():
    (send,) = run(
        Reply(201),
        method="POST",
        headers={"Idempotency-Key": "mine"},
        idempotency_key="auto",
        policies={"entropy": bytes},
    ).sends
    assert send.request.headers["Idempotency-Key"] == "mine"


def test_what_the_caller_does_to_its_request_afterwards_changes_nothing():
    request = HTTPRequest("GET", URL, {"X": "before"})
    call = Call(request, Policies(retry=RETRY))
    request.headers["X"] = "after"
    request.method = "DELETE"
    (send,) = call.start(0.0).send
    assert isinstance(send, Send)
    assert (send.request.method, send.request.headers["X"]) == ("GET", "before")


def test_a_request_that_is_the_calls_own_is_not_copied_and_what_goes_out_is():
    request = HTTPRequest("GET", "http://h/x", params={"a": 1})
    call = Call(request, Policies.none(), owned=True)
    (order,) = call.start(0.0).send
    assert isinstance(order, Send) and order.request is not request
    assert order.request.url == request.url == "http://h/x?a=1"
    call.close(1.0)


def test_each_attempt_sends_a_copy_of_its_own():
    first, second = run(Reply(503), Reply(200)).sends
    assert first.request is not second.request


def test_the_answer_knows_what_was_sent():
    call = run(Reply(503), Reply(200))
    assert call.response.request is call.sends[-1].request


@pytest.mark.parametrize(("field", "value"), [("method", "BREW"), ("timeout", -1), ("body", "text"), ("url", None)])
def test_a_request_that_was_spoiled_is_refused_before_anything_is_sent(field, value):
    request = HTTPRequest("GET", URL)
    setattr(request, field, value)
    with pytest.raises(InvalidRequestError, match=rf"^{field}: "):
        Call(request, Policies())


@pytest.mark.parametrize("params", [{"a": object()}, "a=1"])
def test_params_that_cannot_be_sent_are_refused_before_anything_is_sent(params):
    with pytest.raises(InvalidRequestError, match=r"^params"):
        Call(HTTPRequest("GET", URL, params=params), Policies())


# --- deadlines -------------------------------------------------------------------------------------------------------


def test_a_send_is_told_the_calls_deadline():
    (send,) = run(Reply(200), timeout=5.0, now=100.0).sends
    assert send.deadline == 105.0


def test_without_a_timeout_there_is_no_deadline():
    (send,) = run(Reply(200, after=1e6)).sends
    assert send.deadline is None


def test_a_timeout_in_flight_is_the_calls_own():
    call = run(Reply(200, after=60), timeout=5.0)
    raised = error(call, TotalTimeoutError)
    assert call.ended_at == 5.0
    assert type(raised.__cause__) is AttemptTimeoutError
    assert [attempt.reason for attempt in raised.attempts] == ["deadline"]


def test_a_backoff_that_cannot_end_in_time_is_not_begun():
    call = run(Reply(503), timeout=0.9)
    assert error(call, RetryExhaustedError).reason == "deadline" and call.ended_at == 0.0


def test_a_wait_that_was_asked_for_and_cannot_end_in_time_is_not_begun():
    call = run(Reply(503, {"Retry-After": "10"}), timeout=9.0)
    assert error(call, RetryExhaustedError).reason == "retry_after" and call.ended_at == 0.0


def test_all_attempts_and_waits_share_the_calls_time():
    call = run(Reply(503, after=1.0), timeout=5.5)  # sent at 0, 2 and 5
    assert [send.deadline for send in call.sends] == [5.5] * 3
    raised = error(call, RetryExhaustedError)
    assert call.ended_at == 5.5 and raised.reason == "deadline"
    assert type(raised.last_error) is TotalTimeoutError


def test_who_wakes_too_late_sends_nothing_more():
    call = run(Reply(503), timeout=5.0, late=10.0)
    assert error(call, RetryExhaustedError).reason == "deadline"
    assert len(call.sends) == 1 and call.ended_at == 11.0


def test_who_wakes_too_late_after_an_error_raises_it():
    call = run(Reply(error=ConnectError), timeout=5.0, late=10.0)
    error(call, ConnectError)
    assert len(call.sends) == 1


def test_a_wait_for_a_slot_ends_with_the_calls_time():
    slots = Concurrency(1)
    slots.take(0.0)
    call = run(Reply(200), timeout=5.0, policies={"slots": slots})
    raised = error(call, TotalTimeoutError)
    assert (raised.phase, call.ended_at, raised.attempts) == ("queue", 5.0, ())


def test_a_wait_for_a_slot_by_an_attempt_after_the_first_ends_with_the_last_answer():
    slots = Concurrency(1)
    simulator = Simulator(script(Reply(503), Reply(200, after=60)))
    call = simulator.call(HTTPRequest("GET", URL, timeout=5.0), Policies(retry=RETRY, slots=slots))
    simulator.call(HTTPRequest("GET", URL), Policies(slots=slots), at=0.5)
    simulator.run()
    raised = error(call, RetryExhaustedError)
    assert (raised.reason, raised.status_code, call.ended_at) == ("deadline", 503, 5.0)


@pytest.mark.parametrize(("kind", "status"), [(RetryExhaustedError, 503), (RateLimitError, 429)])
def test_so_does_a_slot_that_does_not_come_in_time(kind, status):
    slots = Concurrency(1)
    simulator = Simulator(script(Reply(status), Reply(200, after=60)))
    call = simulator.call(HTTPRequest("GET", URL), Policies(retry=RETRY, slots=slots, pool_timeout=2.0))
    simulator.call(HTTPRequest("GET", URL), Policies(slots=slots), at=0.5)
    simulator.run()
    assert error(call, kind).status_code == status and call.ended_at == 3.0
    if kind is RetryExhaustedError:
        assert call.outcome.reason == "limiter"  # type: ignore[union-attr]


def test_an_attempt_that_never_went_out_is_not_said_to_have_followed():
    """Attempt.reason: why it was retried, or why no retry followed; Attempt.delay: None where none followed."""
    attempts: tuple[Attempt, ...] = error(run(Reply(503), timeout=5.0, late=10.0), RetryExhaustedError).attempts
    assert [(attempt.reason, attempt.delay) for attempt in attempts] == [("deadline", None)]


def test_a_stream_is_bounded_to_its_head():
    call = run(Reply(200, after=1.0, chunks=[(60.0, b"a"), (60.0, b"b")]), timeout=5.0, stream=True)
    assert call.response.status_code == 200
    assert (call.content, call.body_error, call.ended_at) == (b"ab", None, 1.0)


@given(
    replies=st.lists(
        st.builds(Reply, st.sampled_from([200, 404, 429, 503]), after=st.sampled_from([0.0, 0.5, 3.0]))
        | st.builds(Reply, headers=st.sampled_from([{"Retry-After": "1"}, {"Retry-After": "99"}]), status=st.just(503))
        | st.builds(Reply, error=st.sampled_from([ConnectError, ConnectionLostError, CertificateError])),
        min_size=1,
        max_size=6,
    ),
    timeout=st.sampled_from([None, 0.5, 2.0, 7.0]),
    attempt_timeout=st.sampled_from([None, 1.0]),
    method=st.sampled_from(["GET", "POST"]),
    stream=st.booleans(),
    late=st.sampled_from([0.0, 0.0, 4.0]),
)
def test_whatever_happens_a_call_keeps_its_bounds(replies, timeout, attempt_timeout, method, stream, late):
    call = run(
        *replies,
        method=method,
        timeout=timeout,
        stream=stream,
        late=late,
        policies={"attempt_timeout": attempt_timeout},
    )
    assert call.outcome is not None and call.ended_at is not None
    assert call.ended_at <= (math.inf if timeout is None else timeout + late)
    assert 1 <= len(call.sends) <= 3
    attempts = call.call.attempts
    assert [attempt.number for attempt in attempts] == [send.attempt for send in call.sends]
    if isinstance(call.outcome, HTTPResponse):
        assert call.outcome.status_code in (200, 404)
    else:
        assert isinstance(call.outcome, HTTPClientError)
    if method == "POST":  # not again, once a byte may have left, unless the server has answered
        assert all(attempt.status_code for attempt in attempts[:-1])


# --- one attempt's time ----------------------------------------------------------------------------------------------


def test_an_attempt_that_takes_too_long_is_tried_again():
    call = run(Reply(after=60), Reply(200), policies={"attempt_timeout": 2.0})
    assert call.response.is_success and call.ended_at == 3.0
    assert (call.response.attempts[0].reason, call.response.attempts[0].elapsed) == ("timeout", 2.0)


def test_unless_it_may_not_be_sent_twice():
    call = run(Reply(after=60), method="POST", policies={"attempt_timeout": 2.0})
    error(call, AttemptTimeoutError)


def test_each_attempt_has_its_own_time_within_the_calls():
    call = run(Reply(after=60), timeout=6.0, policies={"attempt_timeout": 2.0})
    assert [send.deadline for send in call.sends] == [2.0, 5.0]  # no third: its wait would end at 7
    assert error(call, RetryExhaustedError).reason == "deadline" and call.ended_at == 5.0


def test_the_last_attempt_has_what_is_left_of_the_call():
    call = run(Reply(after=60), timeout=4.0, policies={"attempt_timeout": 2.0})
    assert [send.deadline for send in call.sends] == [2.0, 4.0]
    raised = error(call, RetryExhaustedError)
    assert type(raised.last_error) is TotalTimeoutError


def test_where_both_end_at_once_it_was_the_call_that_ran_out_of_time():
    error(run(Reply(after=60), timeout=2.0, policies={"attempt_timeout": 2.0}), TotalTimeoutError)


def test_an_attempt_timeout_longer_than_the_calls_changes_nothing():
    (send,) = run(Reply(200), timeout=2.0, policies={"attempt_timeout": 5.0}).sends
    assert send.deadline == 2.0


# --- streams ---------------------------------------------------------------------------------------------------------


class Opened:
    """An open body."""

    def __init__(self) -> None:
        self.discarded = False

    def discard(self) -> None:
        self.discarded = True


def streamed(slots: Concurrency) -> tuple[Call, int, HTTPResponse]:
    """A call whose answer was handed over with its body open."""
    call = Call(HTTPRequest("GET", URL), Policies(slots=slots), stream=True)
    (send,) = call.start(0.0).send
    assert isinstance(send, Send) and send.stream
    response = HTTPResponse(200, body=Opened())
    assert call.handle(Ended(send.id, response), 1.0).done is response
    return call, send.id, response


def test_the_slot_of_a_stream_is_kept_until_its_body_has_ended():
    slots = Concurrency(1)
    call, id, response = streamed(slots)
    assert slots.in_use == 1
    step = call.handle(BodyEnded(id, None, 10), 2.0)
    assert slots.in_use == 0
    assert step.done is response and not step.send and step.wake_at is None


def test_the_next_in_line_is_woken_when_a_body_has_ended():
    slots = Concurrency(1)
    call, id, _ = streamed(slots)
    other = Call(HTTPRequest("GET", URL), Policies(slots=slots))
    other.start(1.0)
    assert call.handle(BodyEnded(id), 2.0).nudge == (other.waiter,)
    assert len(other.handle(Woke(), 2.0).send) == 1


def test_a_body_that_failed_frees_the_slot_as_well():
    slots = Concurrency(1)
    call, id, _ = streamed(slots)
    call.handle(BodyEnded(id, ConnectionLostError()), 2.0)
    assert slots.in_use == 0


def test_closing_a_stream_frees_the_slot():
    slots = Concurrency(1)
    call, id, response = streamed(slots)
    step = call.close(2.0)
    assert slots.in_use == 0 and not step.abort
    assert call.handle(BodyEnded(id), 3.0).done is response  # late, and changes nothing


def test_the_end_of_another_body_frees_nothing():
    slots = Concurrency(1)
    call, id, _ = streamed(slots)
    call.handle(BodyEnded(id + 1), 2.0)
    assert slots.in_use == 1


def test_the_answer_of_a_stream_that_is_no_2xx_is_read_first():
    call = run(Reply(404, chunks=[(1.0, b"not "), (1.0, b"found")]), stream=True)
    assert call.response.content == b"not found" and call.ended_at == 2.0 and call.content == b""


def test_a_stream_is_tried_again_until_its_head():
    call = run(
        Reply(503, chunks=[(1.0, b"no")]), Reply(error=ConnectionLostError), Reply(chunks=[(1.0, b"yes")]), stream=True
    )
    assert call.content == b"yes" and len(call.sends) == 3
    assert [send.stream for send in call.sends] == [True] * 3


def test_a_body_that_fails_after_its_head_is_the_readers_affair():
    call = run(Reply(200, chunks=[(1.0, b"ye")], fails=ConnectionLostError), stream=True)
    assert call.response.status_code == 200 and len(call.sends) == 1
    assert call.content == b"ye" and type(call.body_error) is ConnectionLostError


def test_a_body_that_fails_before_it_was_handed_over_is_an_attempt_that_failed():
    call = run(Reply(200, chunks=[(1.0, b"ye")], fails=ConnectionLostError), Reply(200, content=b"yes"))
    assert call.response.content == b"yes" and len(call.sends) == 2


def test_a_call_that_is_not_a_stream_says_so():
    (send,) = run(Reply(200)).sends
    assert not send.stream and send.via == "api"


# --- the driver's mistakes -------------------------------------------------------------------------------------------


def test_a_call_starts_once():
    call = Call(HTTPRequest("GET", URL), Policies())
    call.start(0.0)
    with pytest.raises(DriverError, match=r"^Call\.start: the call was started before$"):
        call.start(1.0)


def test_a_call_starts_before_it_is_told_anything():
    with pytest.raises(DriverError, match=r"^Call\.handle: the call was not started$"):
        Call(HTTPRequest("GET", URL), Policies()).handle(Woke(), 0.0)


@pytest.mark.parametrize("outcome", [None, 200, b"hello", HTTPResponse])
def test_a_send_ends_in_a_response_or_an_exception(outcome):
    call = Call(HTTPRequest("GET", URL), Policies())
    (send,) = call.start(0.0).send
    with pytest.raises(DriverError, match=r"^Ended: the outcome of a Send is a response or an exception, not "):
        call.handle(Ended(send.id, outcome), 1.0)
    answer = HTTPResponse(200)
    assert call.handle(Ended(send.id, answer), 1.0).done is answer  # nothing was lost


@pytest.mark.parametrize("event", [None, "woke", HTTPResponse(200)])
def test_what_is_no_event_is_refused(event):
    call = Call(HTTPRequest("GET", URL), Policies())
    call.start(0.0)
    with pytest.raises(DriverError):
        call.handle(event, 1.0)


# --- closing ---------------------------------------------------------------------------------------------------------


def test_closing_before_the_outcome_is_one():
    call = Call(HTTPRequest("GET", URL), Policies())
    (send,) = call.start(0.0).send
    step = call.close(1.0)
    assert step.abort == (send.id,) and step.done is None
    assert type(call.handle(Woke(), 2.0).done) is ClientClosedError


def test_a_retry_that_waits_is_forgotten():
    call = Call(HTTPRequest("GET", URL), Policies(retry=RETRY))
    (send,) = call.start(0.0).send
    assert call.handle(Ended(send.id, HTTPResponse(503)), 0.0).wake_at == 1.0
    call.close(0.5)
    step = call.handle(Woke(), 1.0)
    assert not step.send and step.wake_at is None


def test_a_call_that_is_closed_before_it_was_started_sends_nothing():
    call = Call(HTTPRequest("GET", URL), Policies())
    call.close(0.0)
    step = call.start(1.0)
    assert not step.send and type(step.done) is ClientClosedError


# --- a rule of the user's, and what a call remembers -----------------------------------------------------------------


def test_a_rule_may_want_a_good_answer_again():
    def not_yet(outcome: Any, request: Any) -> bool | None:
        return True if isinstance(outcome, HTTPResponse) and outcome.content == b"pending" else None

    retry = RetryPolicy(3, STEADY, retry_if=not_yet)
    call = run(Reply(200, content=b"pending"), Reply(200, content=b"pending"), Reply(200, content=b"done"), retry=retry)
    assert call.response.content == b"done" and call.ended_at == 3
    exhausted = error(run(Reply(200, content=b"pending"), retry=retry), RetryExhaustedError)
    assert (exhausted.reason, exhausted.status_code) == ("attempts", 200)


def test_of_a_stream_the_rule_sees_the_head_and_what_it_does_not_want_is_thrown_away():
    retry = RetryPolicy(3, STEADY, retry_if=lambda outcome, request: "x-again" in getattr(outcome, "headers", ()))
    replies = Reply(200, {"X-Again": "1"}, chunks=[(1, b"no")]), Reply(200, chunks=[(1, b"yes")])
    slots = Concurrency(1)
    call = run(*replies, retry=retry, stream=True, policies={"slots": slots})
    assert call.content == b"yes" and slots.in_use == 0


def test_what_a_rule_raises_is_the_outcome():
    def rule(outcome: Any, request: Any) -> bool:
        raise LookupError("of the user's")

    assert isinstance(run(Reply(200), retry=RetryPolicy(3, STEADY, retry_if=rule)).outcome, LookupError)


def test_a_jitter_that_looks_back_does_so_within_its_call():
    retry = RetryPolicy(5, ExponentialBackoff(1.0, 100.0, "decorrelated"))
    simulator = Simulator(script(Reply(503)))
    calls = [simulator.call(HTTPRequest("GET", URL), Policies(retry=retry, rand=lambda: 1.0)) for _ in range(2)]
    simulator.run()
    for call in calls:
        attempts = error(call, RetryExhaustedError).attempts
        assert [attempt.delay for attempt in attempts] == [3, 9, 27, 81, 100, None]


def test_an_error_tells_what_the_server_asked_for_in_whatever_way():
    exhausted = error(run(Reply(503, {"RateLimit": '"a";r=0;t=500'})), RetryExhaustedError)
    assert (exhausted.reason, exhausted.retry_after) == ("retry_after", 500)
    limited = error(
        run(Reply(429, {"x-ratelimit-reset": "500"}), retry=RetryPolicy(2, STEADY, hints=["x-ratelimit-reset"])),
        RateLimitError,
    )
    assert limited.retry_after == 500
