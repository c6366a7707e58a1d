"""What counts against a server, and what is said about it."""

import pytest

from sansio_http.circuit_breaker import Circuit, Permit, Rejected, is_failure
from sansio_http.exceptions import (
    AddressRefusedError,
    AttemptTimeoutError,
    CertificateError,
    ClientClosedError,
    ConfigurationError,
    ConnectError,
    ConnectionLostError,
    ConnectTimeoutError,
    HTTPRequestError,
    HTTPResponseError,
    InvalidRequestError,
    PoolTimeoutError,
    ProtocolError,
    RateLimitError,
    ReadTimeoutError,
    RedirectError,
    ResponseBodyError,
    ResponseDecodeError,
    ResponseTooLargeError,
    TLSError,
    TotalTimeoutError,
    WriteTimeoutError,
)
from sansio_http.models import HTTPResponse


class Cancelled(BaseException):
    """As event loops have them."""


@pytest.mark.parametrize("status", [500, 501, 502, 503, 504, 599])
def test_a_5xx_is_a_failure(status):
    assert is_failure(HTTPResponse(status)) is True


@pytest.mark.parametrize("status", [101, 200, 204, 301, 304, 400, 401, 404, 408, 429, 499])
def test_any_other_answer_is_a_success(status):
    assert is_failure(HTTPResponse(status)) is False


@pytest.mark.parametrize(
    "kind",
    [
        ConnectError,
        TLSError,
        CertificateError,
        ConnectTimeoutError,
        ReadTimeoutError,
        WriteTimeoutError,
        AttemptTimeoutError,
        TotalTimeoutError,
        ConnectionLostError,
        ProtocolError,
        ResponseBodyError,
        HTTPRequestError,
    ],
)
@pytest.mark.parametrize("phase", [None, "connect", "send", "head", "body"])
def test_no_complete_response_is_a_failure(kind, phase):
    assert is_failure(kind("gone", phase=phase)) is True


@pytest.mark.parametrize(
    "error",
    [
        AddressRefusedError("not public", phase="connect"),
        PoolTimeoutError("no connection came free"),
        AttemptTimeoutError("never sent", phase="queue"),
        TotalTimeoutError("never sent", phase="queue"),
        ResponseTooLargeError("too large", phase="body"),
        ResponseDecodeError("not JSON"),
        InvalidRequestError("no such method"),
        ConfigurationError("timeout"),
        ClientClosedError("closed"),
        RedirectError("a loop"),
        HTTPResponseError(503, "from a hook"),
        RateLimitError(None, "our own limiter", local=True),
        RuntimeError("a hook of the user's"),
        TimeoutError("a timeout of the user's"),
        Cancelled(),
        KeyboardInterrupt(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_says_nothing_about_the_server_is_neutral(error):
    assert is_failure(error) is None


def last_failure(outcome):
    """What a circuit tells of a failure."""
    circuit = Circuit(1, is_failure=lambda outcome: True)
    permit = circuit.admit(0.0)
    assert isinstance(permit, Permit)
    circuit.record(permit, outcome, 0.0)
    rejected = circuit.peek(0.0)
    assert isinstance(rejected, Rejected)
    return rejected.last_failure


@pytest.mark.parametrize(
    ("outcome", "line"),
    [
        (HTTPResponse(503), "503 Service Unavailable"),
        (HTTPResponse(599), "599"),
        (ConnectError("refused"), "ConnectError: refused"),
        (
            ReadTimeoutError("nothing came", method="GET", url="https://api.example/a", phase="head"),
            "ReadTimeoutError: nothing came (GET https://api.example/a, phase head)",
        ),
        (InvalidRequestError(), "InvalidRequestError"),
        (ProtocolError("two\r\n lines"), "ProtocolError: two lines"),
    ],
)
def test_a_failure_is_told_in_one_line(outcome, line):
    assert last_failure(outcome) == line


def test_a_failure_of_others_is_told_by_its_class_alone():
    assert last_failure(ValueError("token=s3cret")) == "ValueError"


def test_a_failure_is_told_without_the_secrets_of_a_url():
    error = ConnectError(
        "no route to https://me:s3cret@api.example/a?key=s3cret,s3cret", url="https://api.example/?k=s3cret"
    )
    assert last_failure(error) == "ConnectError: no route to https://api.example/a (https://api.example/"


def test_a_failure_is_told_briefly():
    assert last_failure(ConnectError("x" * 1000)) == "ConnectError: " + "x" * 186
