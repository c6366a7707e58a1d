"""The tree of errors: who is whose child, what each carries, and that none carries a secret."""

from __future__ import annotations

import copy
import pickle

import pytest

from sansio_http import exceptions
from sansio_http.exceptions import (
    AddressRefusedError,
    AttemptTimeoutError,
    AuthenticationError,
    CertificateError,
    ChecksumError,
    CircuitBreakerOpenError,
    ClientClosedError,
    ConfigurationError,
    ConnectError,
    ConnectionLostError,
    ConnectTimeoutError,
    DriverError,
    FileError,
    HTTPClientError,
    HTTPRequestError,
    HTTPResponseError,
    HTTPTimeoutError,
    InvalidRequestError,
    PaginationError,
    PoolTimeoutError,
    ProtocolError,
    RateLimitError,
    ReadTimeoutError,
    RedirectError,
    ResponseBodyError,
    ResponseDecodeError,
    ResponseTooLargeError,
    ResponseValidationError,
    RetryExhaustedError,
    TLSError,
    TokenError,
    TotalTimeoutError,
    WriteTimeoutError,
    one_line,
)
from sansio_http.models import Attempt, HTTPRequest, HTTPResponse

SECRET = "s3cr3t"

PARENTS = {
    HTTPClientError: (Exception,),
    ConfigurationError: (HTTPClientError, ValueError),
    InvalidRequestError: (HTTPClientError, ValueError),
    ClientClosedError: (HTTPClientError, RuntimeError),
    DriverError: (HTTPClientError, RuntimeError),
    HTTPRequestError: (HTTPClientError,),
    ConnectError: (HTTPRequestError,),
    AddressRefusedError: (ConnectError,),
    TLSError: (ConnectError,),
    CertificateError: (TLSError,),
    ConnectionLostError: (HTTPRequestError,),
    ProtocolError: (HTTPRequestError,),
    HTTPTimeoutError: (HTTPRequestError, TimeoutError),
    ConnectTimeoutError: (HTTPTimeoutError,),
    PoolTimeoutError: (HTTPTimeoutError,),
    ReadTimeoutError: (HTTPTimeoutError,),
    WriteTimeoutError: (HTTPTimeoutError,),
    AttemptTimeoutError: (HTTPTimeoutError,),
    TotalTimeoutError: (HTTPTimeoutError,),
    HTTPResponseError: (HTTPClientError,),
    RateLimitError: (HTTPResponseError,),
    RetryExhaustedError: (HTTPClientError,),
    CircuitBreakerOpenError: (HTTPClientError,),
    RedirectError: (HTTPClientError,),
    ResponseBodyError: (HTTPRequestError,),
    ResponseDecodeError: (HTTPClientError, ValueError),
    ResponseTooLargeError: (HTTPRequestError,),
    ResponseValidationError: (HTTPClientError, ValueError),
    AuthenticationError: (HTTPClientError,),
    TokenError: (AuthenticationError,),
    ChecksumError: (HTTPClientError, ValueError),
    FileError: (HTTPClientError, OSError),
    PaginationError: (HTTPClientError,),
}


def test_the_tree():
    ours = {kind for kind in vars(exceptions).values() if isinstance(kind, type) and issubclass(kind, Exception)}
    assert ours == set(PARENTS)
    assert {kind: kind.__bases__ for kind in ours} == PARENTS


REQUEST_ERRORS = [kind for kind in PARENTS if issubclass(kind, HTTPRequestError)]


@pytest.mark.parametrize("kind", REQUEST_ERRORS)
def test_a_request_error_says_how_far_the_exchange_had_come(kind):
    error = kind(
        "it broke", method="GET", url="https://h/", phase="head", head_sent=True, body_started=True, reused=True
    )
    assert (error.method, error.url, error.phase) == ("GET", "https://h/", "head")
    assert (error.head_sent, error.body_started, error.reused) == (True, True, True)
    assert str(error) == "it broke (GET https://h/, phase head)"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({}, "ConnectError"),
        ({"message": "refused"}, "refused"),
        ({"message": "refused", "method": "GET"}, "refused (GET)"),
        ({"message": "refused", "phase": "connect"}, "refused (phase connect)"),
        ({"url": "https://h/"}, "ConnectError (https://h/)"),
    ],
)
def test_a_request_error_leaves_out_what_it_does_not_know(arguments, text):
    error = ConnectError(**arguments)
    assert str(error) == text
    assert (error.head_sent, error.body_started, error.reused) == (False, False, False)


def test_a_response_error():
    response = HTTPResponse(503)
    error = HTTPResponseError(503, "503 Service Unavailable", response)
    assert (error.status_code, error.message, error.response) == (503, str(error), response)
    bare = HTTPResponseError()
    assert (bare.status_code, bare.message, bare.response) == (None, "", None)


def test_an_answer_of_another_type():
    response = HTTPResponse(200)
    error = ResponseValidationError("[0].id: not a number", response, (("[0].id", "not a number"),))
    assert (error.status_code, error.response, error.problems) == (200, response, (("[0].id", "not a number"),))
    assert str(error) == "[0].id: not a number"


def test_a_rate_limit_of_the_server_and_our_own():
    assert (RateLimitError().status_code, RateLimitError().local) == (429, False)
    error = RateLimitError(None, "the limiter refused", retry_after=1.5, local=True)
    assert (error.status_code, error.response, error.retry_after, error.local) == (None, None, 1.5, True)


def test_exhausted_retries_after_a_response():
    response = HTTPResponse(503)
    error = RetryExhaustedError("gave up", reason="attempts", last_response=response, retry_after=3)
    assert (error.reason, error.last_response, error.status_code, error.retry_after) == ("attempts", response, 503, 3)
    assert error.last_error is None and error.__cause__ is None


def test_exhausted_retries_after_an_error():
    cause = ConnectError("refused")
    error = RetryExhaustedError("gave up", reason="deadline", last_error=cause)
    assert error.__cause__ is error.last_error is cause
    assert error.status_code is None and error.last_response is None


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({}, "circuit breaker is OPEN"),
        ({"retry_after": 2.5}, "circuit breaker is OPEN; try again in 2.5 s"),
        ({"last_failure": "ConnectError: refused"}, "circuit breaker is OPEN (last failure: ConnectError: refused)"),
    ],
)
def test_an_open_circuit(arguments, text):
    error = CircuitBreakerOpenError("OPEN", **arguments)
    assert str(error) == text
    assert (error.state, error.retry_after) == ("OPEN", arguments.get("retry_after"))
    assert error.last_failure == arguments.get("last_failure")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ConnectError("refused"), "ConnectError: refused"),
        (ConfigurationError("a\nb"), "ConfigurationError: a"),
        (HTTPClientError(), "HTTPClientError"),
        (ValueError(SECRET), "ValueError"),  # not ours: who knows what it says
    ],
)
def test_one_line(error, text):
    assert one_line(error) == text


def guarded_response():
    """An answer whose request has a secret wherever one fits."""
    response = HTTPResponse(503, {"Set-Cookie": "***"})
    url = f"https://user:{SECRET}@h/?key={SECRET}#{SECRET}"
    response.request = HTTPRequest("POST", url, {"X-Key": SECRET}, {"key": SECRET}, SECRET.encode())
    return response


ATTEMPTS = (
    Attempt(1, 0.0, 0.1, 1, 503, None, "status", 1.0),
    Attempt(2, 1.1, 0.1, 1, None, "ConnectError", None, None),
)

OTHERWISE_MADE = (
    ChecksumError,
    HTTPResponseError,
    RateLimitError,
    ResponseValidationError,
    RetryExhaustedError,
    TokenError,
    PaginationError,
)
ERRORS = [
    *(kind("message") for kind in PARENTS if kind not in OTHERWISE_MADE),
    *(kind("message", method="GET", url="https://h/", phase="send", reused=True) for kind in REQUEST_ERRORS),
    HTTPResponseError(503, "message", guarded_response()),
    RateLimitError(429, "message", guarded_response(), retry_after=3, local=True),
    RetryExhaustedError(
        "message",
        reason="attempts",
        last_response=guarded_response(),
        last_error=ReadTimeoutError("slow", phase="head"),
    ),
    CircuitBreakerOpenError("OPEN", retry_after=1.0, last_failure="ConnectError"),
    RedirectError("message", guarded_response()),
    ResponseDecodeError("message", guarded_response()),
    ResponseValidationError("message", guarded_response(), (("[0].id", "not a number"),)),
    TokenError("message", reason="refused", status_code=401, error="invalid_client", retry_after=3),
    ChecksumError("message", expected="aa", actual="bb"),
    FileError(28, "file: /big cannot be written: no space"),
    PaginationError("message", reason="loop", response=guarded_response()),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("clone", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy], ids=["pickle", "copy"])
def test_a_clone_says_the_same(error, clone):
    error.attempts = ATTEMPTS
    other = clone(error)
    assert type(other) is type(error)
    assert (str(other), repr(other), other.args, other.attempts) == (str(error), repr(error), error.args, ATTEMPTS)
    assert vars(other).keys() == vars(error).keys()
    for name in ("method", "url", "phase", "reused", "status_code", "retry_after", "local", "reason", "state"):
        assert getattr(other, name, None) == getattr(error, name, None)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_none_shows_or_takes_along_a_secret(error):
    shown = [str(error), repr(error), repr(vars(error)), one_line(error)]
    assert not any(SECRET in text for text in shown)
    assert SECRET.encode() not in pickle.dumps(error)


def test_a_file_error_is_one_of_the_systems_with_its_number():
    error = FileError(28, "file: /big cannot be written: no space")
    assert (error.errno, str(error)) == (28, "[Errno 28] file: /big cannot be written: no space")
    assert pickle.loads(pickle.dumps(error)).errno == 28


def test_without_a_call_there_were_no_attempts():
    assert HTTPClientError("message").attempts == ()
