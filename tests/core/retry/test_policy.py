"""Which failures are tried again: the rules alone, outcome by outcome."""

from __future__ import annotations

import math
from http import HTTPMethod, HTTPStatus
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansio_http import (
    AddressRefusedError,
    AttemptTimeoutError,
    Body,
    CertificateError,
    CircuitBreakerOpenError,
    ConfigurationError,
    ConnectError,
    ConnectionLostError,
    ConnectTimeoutError,
    ExponentialBackoff,
    HTTPRequest,
    HTTPResponse,
    InvalidRequestError,
    PoolTimeoutError,
    ProtocolError,
    ReadTimeoutError,
    RedirectError,
    ResponseBodyError,
    ResponseDecodeError,
    ResponseTooLargeError,
    Retry,
    RetryPolicy,
    Stop,
    TLSError,
    TotalTimeoutError,
    WriteTimeoutError,
)

STEADY = ExponentialBackoff(base=2.0, cap=60.0, jitter="none")  # 2, 4, 8 ... seconds
DATE = "Mon, 01 Jan 2024 00:00:00 GMT"
DATE_AND_30 = "Mon, 01 Jan 2024 00:00:30 GMT"
WALL = 1704067200.0  # is DATE


def request(method: str = "GET", **options: Any) -> HTTPRequest:
    return HTTPRequest(method, "http://h/", **options)


def after(
    outcome: Any,
    wanted: HTTPRequest | None = None,
    *,
    retry: int = 0,
    sent: bool = True,
    left: float = math.inf,
    wall: float | None = None,
    rand: float = 0.5,
    **policy: Any,
) -> str:
    """What follows from an outcome, in words; a number stands for an answer of that status."""
    if isinstance(outcome, int):
        outcome = HTTPResponse(outcome)
    decided = RetryPolicy(**({"backoff": STEADY} | policy)).decide(
        wanted or request(),
        outcome,
        retry,
        sent=sent,
        left=left,
        rand=lambda: rand,
        wall=None if wall is None else lambda: wall,
    )
    if decided is None:
        return "return"
    return f"stop: {decided.reason}" if isinstance(decided, Stop) else f"{decided.reason}: {decided.delay:g} s"


def asking(retry_after: str | list[str], status: int = 503, **headers: str) -> HTTPResponse:
    values = [retry_after] if isinstance(retry_after, str) else retry_after
    return HTTPResponse(status, [("Retry-After", value) for value in values] + list(headers.items()))


# --- answers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_these_statuses_are_retried_by_default(status):
    assert after(status) == "status: 2 s"


@pytest.mark.parametrize(
    "status", [200, 201, 204, 206, 301, 304, 400, 401, 403, 404, 409, 410, 422, 425, 501, 505, 599]
)
def test_any_other_status_is_returned(status):
    assert after(status) == "return"


def test_the_list_of_statuses_is_the_users():
    assert after(404, statuses=[404]) == "status: 2 s"
    assert after(404, statuses=(HTTPStatus.NOT_FOUND,)) == "status: 2 s"
    assert after(503, statuses=[404]) == "return"
    assert after(503, statuses=[]) == "return"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE"])
def test_a_retryable_status_is_retried_for_every_method(method):
    """The server has answered: it has dealt with the request."""
    assert after(503, request(method)) == "status: 2 s"


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE"])
def test_head_options_and_trace_follow_get(method):
    assert after(503, request(method), methods={"GET"}) == "status: 2 s"
    assert after(503, request(method), methods={"POST", "PUT"}) == "return"


def test_a_method_may_be_named_without_get():
    assert after(503, request("HEAD"), methods={"HEAD"}) == "status: 2 s"
    assert after(503, request("GET"), methods={"HEAD"}) == "return"


@pytest.mark.parametrize("name", ["put", "Put", HTTPMethod.PUT])
def test_methods_may_be_named_in_any_way(name):
    assert after(503, request("PUT"), methods=[name]) == "status: 2 s"


def test_a_method_that_is_not_listed_is_never_retried():
    assert after(503, request("POST"), methods={"GET"}) == "return"
    assert after(ConnectError(), request("POST"), methods={"GET"}, sent=False) == "stop: not_retryable"


# --- transport failures ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [ConnectError, TLSError, ConnectionLostError, ProtocolError])
def test_a_transport_failure_is_retried(error):
    assert after(error()) == "transport: 2 s"


@pytest.mark.parametrize("error", [ConnectTimeoutError, ReadTimeoutError, WriteTimeoutError, AttemptTimeoutError])
def test_a_timeout_is_retried(error):
    assert after(error()) == "timeout: 2 s"


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"])
def test_after_a_byte_has_left_an_idempotent_method_is_retried(method):
    assert after(ConnectionLostError(), request(method)) == "transport: 2 s"


@pytest.mark.parametrize("method", ["POST", "PATCH"])
@pytest.mark.parametrize("error", [ConnectionLostError, ReadTimeoutError, AttemptTimeoutError, ProtocolError])
def test_after_a_byte_has_left_nothing_else_is(method, error):
    assert after(error(), request(method)) == "stop: not_idempotent"


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_before_a_byte_has_left_every_method_is(method):
    assert after(ConnectError(), request(method), sent=False) == "transport: 2 s"
    assert after(ConnectTimeoutError(), request(method), sent=False) == "timeout: 2 s"


@pytest.mark.parametrize(
    "vouched",
    [
        {"idempotent": True},
        {"headers": {"idempotency-KEY": "of the caller's own"}},
        {"headers": {"Idempotency-Key": "k"}, "idempotency_key": "k"},
    ],
)
def test_the_caller_can_vouch_for_a_request(vouched):
    assert after(ConnectionLostError(), request("POST", **vouched)) == "transport: 2 s"


@pytest.mark.parametrize(
    "error",
    [
        AddressRefusedError(),
        CertificateError(),
        PoolTimeoutError(),
        ResponseBodyError(),
        ResponseTooLargeError(),
        ResponseDecodeError("not JSON"),
        RedirectError("a loop"),
        InvalidRequestError(),
        CircuitBreakerOpenError("OPEN"),
        ValueError(),
        KeyboardInterrupt(),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("sent", [True, False])
def test_what_would_fail_again_is_never_retried(error, sent):
    assert after(error, sent=sent) == "stop: not_retryable"


def test_after_the_calls_own_timeout_nothing_follows():
    assert after(TotalTimeoutError()) == "stop: deadline"


# --- idempotency keys ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [409, 422])
def test_with_a_key_of_ours_409_and_422_are_not_retried_even_if_listed(status):
    assert after(status, request("POST", idempotency_key="auto"), statuses={status}) == "return"


@pytest.mark.parametrize("status", [409, 422])
@pytest.mark.parametrize("vouched", [{}, {"idempotency_key": "mine"}, {"headers": {"Idempotency-Key": "mine"}}])
def test_without_one_they_are_retried_if_listed(status, vouched):
    assert after(status, request("POST", **vouched), statuses={status}) == "status: 2 s"


# --- bodies ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", [503, ConnectionLostError(), ReadTimeoutError()])
def test_a_body_that_can_be_sent_once_is_not_sent_twice(outcome):
    assert after(outcome, request("PUT", body=Body(object()))) == "stop: not_replayable"


def test_a_body_of_which_nothing_was_sent_can_still_be_sent():
    assert after(ConnectError(), request("PUT", body=Body(object())), sent=False) == "transport: 2 s"


@pytest.mark.parametrize("replay", ["yes", "concurrent"])
@pytest.mark.parametrize("outcome", [503, ConnectionLostError()])
def test_any_other_body_is_sent_again(replay, outcome):
    assert after(outcome, request("PUT", body=Body(object(), replay=replay))) in ("status: 2 s", "transport: 2 s")


# --- how often -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", [503, ConnectError()])
def test_retries_counts_the_attempts_after_the_first(outcome):
    verdicts = [after(outcome, retry=retry, retries=2) for retry in range(4)]
    assert [verdict.partition(": ")[2] for verdict in verdicts] == ["2 s", "4 s", "attempts", "attempts"]


def test_zero_turns_retrying_off():
    assert after(503, retries=0) == "return"
    assert after(ConnectError(), retries=0, sent=False) == "stop: not_retryable"


def test_by_default_there_are_three_with_the_usual_waits():
    assert (RetryPolicy().retries, RetryPolicy().backoff) == (3, ExponentialBackoff())


# --- Retry-After -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_the_server_may_ask_for_a_longer_wait(status):
    assert after(asking("30", status)) == "retry_after: 30 s"


def test_it_may_ask_by_a_date_beside_its_own_date():
    assert after(asking(DATE_AND_30, Date=DATE)) == "retry_after: 30 s"
    assert after(asking(DATE_AND_30, Date=DATE), wall=WALL + 1e6) == "retry_after: 30 s"


def test_a_date_without_a_date_beside_it_is_measured_against_our_clock():
    assert after(asking(DATE_AND_30), wall=WALL + 10) == "retry_after: 20 s"
    assert after(asking(DATE_AND_30)) == "status: 2 s"  # we have none


def test_the_wait_is_never_shorter_than_the_backoff():
    assert after(asking("1")) == "status: 2 s"
    assert after(asking("2")) == "status: 2 s"
    assert after(asking("3")) == "retry_after: 3 s"
    assert after(asking("3"), retry=1) == "status: 4 s"
    assert after(asking("0")) == "status: 2 s"
    assert after(asking(DATE, Date=DATE_AND_30)) == "status: 2 s"  # a date that has passed


@pytest.mark.parametrize(
    "value",
    ["-1", "+1", "1.0", "1.5", "", " ", "1e400", "NaN", "inf", "0x10", "٣٠", "soon", "30, 60", "Mon, 32 Jan 2024"],
)
def test_what_is_neither_digits_nor_a_date_is_ignored(value):
    response = HTTPResponse(503)
    response.headers = response.headers.of_pairs([("Retry-After", value)])  # as it came, unchecked
    assert after(response, wall=WALL) == "status: 2 s"


def test_of_two_the_first_counts():
    assert after(asking(["30", "60"])) == "retry_after: 30 s"
    assert after(asking(["soon", "60"])) == "status: 2 s"


def test_a_status_that_is_not_retried_is_not_retried_because_it_asks():
    assert after(asking("30", 404)) == "return"
    assert after(asking("30", 200)) == "return"


def test_a_server_that_asks_for_too_much_is_not_asked_again():
    assert after(asking("120")) == "retry_after: 120 s"
    assert after(asking("121")) == "stop: retry_after"
    assert after(asking("11"), retry_after_max=10) == "stop: retry_after"
    assert after(asking("1"), retry_after_max=0) == "stop: retry_after"


@pytest.mark.parametrize("value", ["9999999999", "1" + "0" * 30, "9" * 5000])
def test_a_huge_number_is_too_much(value):
    assert after(asking(value)) == "stop: retry_after"


def test_a_date_ten_years_ahead_is_too_much():
    assert after(asking("Sun, 01 Jan 2034 00:00:00 GMT", Date=DATE)) == "stop: retry_after"


def test_a_server_that_asks_for_more_than_is_left_is_not_asked_again():
    assert after(asking("30"), left=30.5) == "retry_after: 30 s"
    assert after(asking("30"), left=30.0) == "stop: retry_after"
    assert after(asking("30"), left=3.0) == "stop: retry_after"


# --- what is left of the call ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", [503, ConnectError()])
def test_a_wait_that_cannot_end_in_time_is_not_begun(outcome):
    assert after(outcome, left=2.001).endswith("2 s")
    assert after(outcome, left=2.0) == "stop: deadline"
    assert after(outcome, left=0.0) == "stop: deadline"
    assert after(outcome, left=-1.0) == "stop: deadline"


def test_a_short_wait_that_was_asked_for_does_not_save_a_long_backoff():
    assert after(asking("1"), left=1.5) == "stop: deadline"


def test_without_a_backoff_there_is_time_until_the_very_end():
    none = ExponentialBackoff(base=0)
    assert after(503, left=0.001, backoff=none) == "status: 0 s"
    assert after(503, left=0.0, backoff=none) == "stop: deadline"


# --- everything at once ----------------------------------------------------------------------------------------------

METHODS = ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "POST", "PATCH"]
RETRYABLE_ERRORS = [ConnectError, ConnectTimeoutError, ConnectionLostError, ReadTimeoutError, ProtocolError, TLSError]
FINAL_ERRORS = [
    CertificateError,
    PoolTimeoutError,
    ResponseBodyError,
    ResponseTooLargeError,
    TotalTimeoutError,
    ValueError,
]


@given(data=st.data())
def test_the_rules_hold_together(data):
    """No wait is shorter than asked or longer than allowed, and nothing unsafe is repeated."""
    backoff = ExponentialBackoff(*data.draw(st.tuples(st.floats(0, 1e9), st.floats(0, 1e9))))
    policy = RetryPolicy(
        retries=data.draw(st.integers(0, 3)),
        backoff=backoff,
        methods=data.draw(st.sets(st.sampled_from(METHODS))),
        retry_after_max=data.draw(st.floats(0, 1e9) | st.just(math.inf)),
    )
    replay = data.draw(st.sampled_from([None, "concurrent", "yes", "once"]))
    wanted = request(
        data.draw(st.sampled_from(METHODS)),
        body=replay and Body(object(), replay=replay),
        idempotent=data.draw(st.booleans()),
    )
    asked = data.draw(st.none() | st.integers(0, 10**12))
    outcome: Any = data.draw(st.sampled_from([*range(400, 430), *range(500, 506), *RETRYABLE_ERRORS, *FINAL_ERRORS]))
    answered = isinstance(outcome, int)
    if answered:
        outcome = HTTPResponse(outcome, {} if asked is None else {"Retry-After": str(asked)})
    else:
        outcome, asked = outcome(), None
    sent = answered or data.draw(st.booleans())
    left = data.draw(st.floats(-1, 1e9) | st.just(math.inf))
    retry = data.draw(st.integers(0, 5))
    share = data.draw(st.floats(0, 1, exclude_max=True))

    verdict = policy.decide(wanted, outcome, retry, sent=sent, left=left, rand=lambda: share)

    if verdict is None:
        assert answered
        assert not (outcome.status_code in policy.statuses and wanted.method in policy.methods and policy.retries)
    elif isinstance(verdict, Stop):
        assert verdict.reason in {
            *("attempts", "deadline", "not_idempotent", "not_replayable", "not_retryable", "retry_after")
        }
        assert not (answered and outcome.status_code not in policy.statuses)
    else:
        assert verdict.reason in ({"status", "retry_after"} if answered else {"transport", "timeout"})
        assert retry < policy.retries and wanted.method in policy.methods
        assert type(outcome) not in FINAL_ERRORS
        assert 0 <= verdict.delay < left
        assert min(asked or 0, 2**31) <= verdict.delay <= max(backoff.cap, min(policy.retry_after_max, 2**31))
        assert answered or not sent or wanted.idempotent or wanted.method not in ("POST", "PATCH")
        assert not sent or replay != "once"


def test_the_same_policy_serves_any_number_of_calls():
    """It remembers nothing: an answer that asked for a wait has no effect on the next decision."""
    policy = RetryPolicy(backoff=STEADY)
    options: Any = {"sent": True, "left": math.inf, "rand": lambda: 0.5}
    first = policy.decide(request(), asking("30"), 0, **options)
    second = policy.decide(request(), HTTPResponse(503), 1, **options)
    assert isinstance(first, Retry) and first.delay == 30
    assert isinstance(second, Retry) and second.delay == 4


# --- building one ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("retries", -1),
        ("retries", 1.0),
        ("retries", True),
        ("retries", "3"),
        ("retries", None),
        ("statuses", [503, 399]),
        ("statuses", [600]),
        ("statuses", [200]),
        ("statuses", ["503"]),
        ("statuses", [503.0]),
        ("statuses", 503),
        ("statuses", None),
        ("statuses", "503"),
        ("methods", ["BREW"]),
        ("methods", ["GET", "CONNECT"]),
        ("methods", [7]),
        ("methods", "GET"),
        ("methods", None),
        ("retry_after_max", -1),
        ("retry_after_max", math.nan),
        ("retry_after_max", "120"),
        ("retry_after_max", None),
        ("on_exhausted", "ignore"),
        ("on_exhausted", None),
    ],
)
def test_a_value_out_of_its_range_is_refused_by_name(field, value):
    with pytest.raises(ConfigurationError, match=rf"^RetryPolicy\.{field}: .* is not allowed; (it|each) is"):
        RetryPolicy(**{field: value})


def test_the_users_collection_may_change_afterwards():
    statuses = [503]
    policy = RetryPolicy(statuses=statuses)
    statuses.append(404)
    assert policy.statuses == {503}


def test_a_server_may_be_believed_however_long_it_asks_for():
    assert after(asking("100000"), retry_after_max=math.inf) == "retry_after: 100000 s"


def test_a_stop_says_no_more_than_it_was_told():
    assert Stop("attempts").detail == ""


def test_verdicts_can_be_read():
    assert repr(Retry(1.5, "status")) == "Retry(delay=1.5, reason='status')"
    assert repr(Stop("attempts")) == "Stop('attempts')"


# --- a rule of the user's --------------------------------------------------------------------------------------------


def test_a_rule_goes_first():
    assert after(404, retry_if=lambda outcome, request: True) == "status: 2 s"
    assert after(200, retry_if=lambda outcome, request: True) == "status: 2 s"
    assert after(503, retry_if=lambda outcome, request: False) == "return"
    assert after(503, retry_if=lambda outcome, request: None) == "status: 2 s"
    assert after(404, retry_if=lambda outcome, request: None) == "return"
    assert after(ConnectError(), retry_if=lambda outcome, request: False) == "stop: not_retryable"
    assert after(ReadTimeoutError(), retry_if=lambda outcome, request: None) == "timeout: 2 s"


def test_a_rule_is_given_the_outcome_and_the_request():
    seen: list[Any] = []
    wanted = request("DELETE")
    answer = HTTPResponse(503)
    after(answer, wanted, retry_if=lambda *given: seen.append(given))
    assert seen == [(answer, wanted)]


def test_a_rule_is_given_the_error_where_there_was_no_answer():
    seen: list[object] = []
    error, wanted = ConnectError(), request()
    assert after(error, wanted, retry_if=lambda *both: seen.extend(both)) == "transport: 2 s"
    assert seen == [error, wanted]


def test_a_rule_may_name_a_method_that_is_not_listed():
    assert after(503, request("POST"), methods={"GET"}, retry_if=lambda outcome, request: True) == "status: 2 s"
    assert after(ConnectError(), request("POST"), methods=[], sent=False, retry_if=lambda *_: True) == "transport: 2 s"


def test_a_rule_vouches_for_nothing():
    assert after(ReadTimeoutError(), request("POST"), retry_if=lambda *_: True) == "stop: not_idempotent"
    assert after(ReadTimeoutError(), request("POST", idempotent=True), retry_if=lambda *_: True) == "timeout: 2 s"
    once = request("POST", body=Body(iter([b"abc"]), 3))
    assert after(503, once, retry_if=lambda *_: True) == "stop: not_replayable"


@pytest.mark.parametrize("error", [CertificateError, PoolTimeoutError, ResponseBodyError, ResponseTooLargeError])
def test_of_what_is_never_retried_no_rule_is_asked(error):
    def rule(outcome: Any, request: Any) -> bool:
        raise AssertionError("asked")

    assert after(error(), retry_if=rule) == "stop: not_retryable"
    assert after(TotalTimeoutError(), retry_if=rule) == "stop: deadline"
    assert after(InvalidRequestError(), retry_if=rule) == "stop: not_retryable"


def test_a_rule_is_not_asked_where_retrying_is_off():
    assert after(503, retries=0, retry_if=lambda *_: True) == "return"
    assert after(ConnectError(), retries=0, retry_if=lambda *_: True) == "stop: not_retryable"


@pytest.mark.parametrize("answer", [1, "yes", 0, []])
def test_a_rule_that_gives_something_else(answer):
    with pytest.raises(
        ConfigurationError, match=r"^RetryPolicy\.retry_if: gave back a (\w+); allowed is True, False or"
    ) as told:
        after(503, retry_if=lambda *_: answer)
    assert f"gave back a {type(answer).__name__};" in str(told.value)


# --- how long the server asks us to wait -----------------------------------------------------------------------------


def limited(value: str, status: int = 503, **headers: str) -> HTTPResponse:
    return HTTPResponse(status, {"RateLimit": value} | headers)


def test_of_a_spent_limit_the_reset_is_waited_for():
    assert after(limited('"default";r=0;t=30')) == "retry_after: 30 s"
    assert after(limited('"a";r=0;t=30, "b";r=0;t=50')) == "retry_after: 50 s"
    assert after(limited('"default";r=1;t=30')) == "status: 2 s"
    assert after(limited('"default";r=0;t=30;')) == "status: 2 s"
    assert after(limited('"default";r=0;t=121')) == "stop: retry_after"


def test_retry_after_wins_over_it():
    answer = HTTPResponse(429, {"RateLimit": '"default";r=0;t=30', "Retry-After": "5"})
    assert after(answer) == "retry_after: 5 s"


def test_a_clamped_wait_is_from_the_backoff_to_so_many_seconds_more():
    assert after(asking("5"), retry_after_clamp=5.0) == "retry_after: 5 s"
    assert after(asking("1"), retry_after_clamp=5.0) == "status: 2 s"
    assert after(asking("100000"), retry_after_clamp=5.0) == "retry_after: 7 s"
    assert after(asking("100000"), retry_after_clamp=0) == "status: 2 s"
    assert after(asking("100000"), retry_after_clamp=5.0, left=6.0) == "stop: retry_after"


def test_the_hints_that_the_policy_listens_to():
    answer = HTTPResponse(503, {"retry-after-ms": "2500"})
    assert after(answer) == "status: 2 s"
    assert after(answer, hints=["Retry-After-Ms"]) == "retry_after: 2.5 s"


def test_milliseconds_come_before_retry_after_and_a_reset_after_it():
    both = HTTPResponse(429, {"retry-after-ms": "2500", "Retry-After": "3", "x-ratelimit-reset": "40"})
    assert after(both, hints=["x-ratelimit-reset", "retry-after-ms"]) == "retry_after: 2.5 s"
    assert after(both, hints=["x-ratelimit-reset"]) == "retry_after: 3 s"
    only = HTTPResponse(429, {"x-ratelimit-reset": "40"})
    assert after(only, hints=["x-ratelimit-reset"]) == "retry_after: 40 s"


def test_a_reset_that_is_a_time_is_measured_against_our_clock_where_there_is_no_date():
    answer = HTTPResponse(429, {"x-ratelimit-reset": f"{WALL + 40:.0f}"})
    assert after(answer, hints=["x-ratelimit-reset"], wall=WALL) == "retry_after: 40 s"
    assert after(answer, hints=["x-ratelimit-reset"]) == "status: 2 s"


def test_after_a_429_the_wait_may_be_another():
    policy: dict[str, Any] = {"throttled_backoff": ExponentialBackoff(10.0, jitter="none")}
    assert after(429, **policy) == "status: 10 s"
    assert after(503, **policy) == "status: 2 s"
    assert after(429, retry=1, **policy) == "status: 20 s"
    assert after(ConnectError(), **policy) == "transport: 2 s"
    assert after(429, rand=0.25, throttled_backoff=ExponentialBackoff(10.0, jitter="full")) == "status: 2.5 s"


def test_a_backoff_that_remembers_is_given_its_memory():
    policy = RetryPolicy(10, ExponentialBackoff(1.0, 100.0, "decorrelated"))
    memory, found = None, []
    for retry in range(3):
        decided = policy.decide(
            request(), HTTPResponse(503), retry, sent=True, left=math.inf, rand=lambda: 1.0, memory=memory
        )
        assert isinstance(decided, Retry)
        memory = decided.memory
        found.append(decided.delay)
    assert found == [3, 9, 27]


def test_whether_chance_is_needed():
    assert RetryPolicy().jittered
    assert not RetryPolicy(backoff=STEADY).jittered
    assert RetryPolicy(backoff=STEADY, throttled_backoff=ExponentialBackoff()).jittered


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ({"retry_if": 5}, r"^RetryPolicy\.retry_if: 5 is not allowed; it is a function"),
        ({"retry_after_clamp": -1}, r"^RetryPolicy\.retry_after_clamp: -1 is not allowed; it is seconds"),
        ({"retry_after_clamp": "5"}, r"^RetryPolicy\.retry_after_clamp: '5' is not allowed"),
        ({"backoff": None}, r"^RetryPolicy\.backoff: None is not allowed; it is an ExponentialBackoff"),
        ({"throttled_backoff": 3}, r"^RetryPolicy\.throttled_backoff: 3 is not allowed"),
        ({"throttled_backoff": ExponentialBackoff(jitter="smooth")}, r"^RetryPolicy\.throttled_backoff: its jitter"),
        (
            {"throttled_backoff": ExponentialBackoff(jitter="decorrelated")},
            r"^RetryPolicy\.throttled_backoff: its jitter",
        ),
        ({"hints": "retry-after-ms"}, r"^RetryPolicy\.hints: 'retry-after-ms' is not allowed; it is a set"),
        ({"hints": ["retry after"]}, r"^RetryPolicy\.hints: 'retry after' is not the name of a header field"),
    ],
)
def test_the_other_fields_are_checked(policy, message):
    with pytest.raises(ConfigurationError, match=message):
        RetryPolicy(**policy)


def test_what_is_at_the_edge_is_allowed():
    policy = RetryPolicy(statuses=[400, 599], on_exhausted="return")
    assert (policy.statuses, policy.on_exhausted) == ({400, 599}, "return")
