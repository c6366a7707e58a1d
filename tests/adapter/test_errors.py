"""Each failure has its class, says how far it came, and gives away no secret."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from sansio_http_anyio import (
    AsyncHTTPClient,
    AttemptTimeoutError,
    CertificateError,
    CircuitBreaker,
    ClientConfig,
    ConnectError,
    ConnectionLostError,
    ConnectTimeoutError,
    HTTPRequestError,
    HTTPTimeoutError,
    PoolTimeoutError,
    ProtocolError,
    ReadTimeoutError,
    ResponseTooLargeError,
    RetryExhaustedError,
    TLSError,
    TotalTimeoutError,
    WriteTimeoutError,
)
from tests.adapter.raw_server import SELF_SIGNED, raw_server, speaking_tls
from tests.fixtures.mock_server import MockServer, Reply

pytestmark = pytest.mark.anyio


async def failure(url: str, method: str = "GET", data: Any = None, **settings: Any) -> HTTPRequestError:
    """How a request of a client with these settings fails."""
    async with AsyncHTTPClient(url, ClientConfig(retry_attempts=0, **settings)) as client:
        with pytest.raises(HTTPRequestError) as caught:
            await client.request(method, "/x", data=data)
        error = caught.value
    assert (error.method, error.url) == (method, f"{url}/x")
    assert len(error.attempts) <= 1
    return error


def told(error: HTTPRequestError) -> tuple[type, str | None, bool, bool]:
    return type(error), error.phase, error.head_sent, error.body_started


# Six timeouts, six errors


async def test_the_total(server: MockServer) -> None:
    server.on("/x", Reply.hang())
    error = await failure(server.url, timeout=0.25)
    assert told(error) == (TotalTimeoutError, "head", True, False)
    assert isinstance(error, HTTPTimeoutError) and isinstance(error, TimeoutError)
    assert str(error) == f"the call's time ran out (GET {server.url}/x, phase head)"


async def test_the_total_in_the_body(server: MockServer) -> None:
    server.on("/x", Reply(body=bytes(1000), cut=500, then="hang"))
    assert told(await failure(server.url, timeout=0.25)) == (TotalTimeoutError, "body", True, True)
    assert server.open_connections == 0


async def test_the_attempt(server: MockServer) -> None:
    server.on("/x", Reply.hang())
    assert told(await failure(server.url, attempt_timeout=0.25)) == (AttemptTimeoutError, "head", True, False)


async def test_connecting(server: MockServer) -> None:
    server.hang_accept()
    assert told(await failure(server.url, connect_timeout=0.25)) == (ConnectTimeoutError, "connect", False, False)
    assert told(await failure(server.url, timeout=0.25)) == (TotalTimeoutError, "connect", False, False)


async def test_connecting_includes_tls(server: MockServer) -> None:
    """The mock server waits for the end of a head that never comes."""
    url = f"https://127.0.0.1:{server.port}"
    assert told(await failure(url, connect_timeout=0.25)) == (ConnectTimeoutError, "connect", False, False)


async def test_reading(server: MockServer) -> None:
    server.on("/x", Reply.hang())
    assert told(await failure(server.url, read_timeout=0.25)) == (ReadTimeoutError, "head", True, False)
    server.on("/x", Reply(body=bytes(100), cut=50, then="hang"))
    assert told(await failure(server.url, read_timeout=0.25)) == (ReadTimeoutError, "body", True, True)
    assert server.open_connections == 0


async def test_writing(server: MockServer) -> None:
    server.on("/x", Reply(raw=(), early=1, then="hang"))
    error = await failure(server.url, "POST", bytes(20_000_000), write_timeout=0.25)
    assert told(error) == (WriteTimeoutError, "send", True, False)


async def test_waiting_for_a_slot(server: MockServer, eventually: Any) -> None:
    server.on("/hang", Reply.hang())
    client = AsyncHTTPClient(server.url, ClientConfig(max_connections=1, pool_timeout=0.02))
    async with client, anyio.create_task_group() as tasks:
        tasks.start_soon(client.get, "/hang")
        await eventually(lambda: server.count() == 1)
        with pytest.raises(PoolTimeoutError, match="1 requests in flight") as caught:
            await client.get("/json")
        tasks.cancel_scope.cancel()
    assert told(caught.value) == (PoolTimeoutError, "queue", False, False)
    assert server.count() == 1


async def test_timeouts_of_get_are_retried_and_of_post_are_not(server: MockServer) -> None:
    server.on("/x", Reply.hang(), Reply(json=1))
    config = ClientConfig(attempt_timeout=0.4, retry_backoff_factor=0.001)
    async with AsyncHTTPClient(server.url, config) as client:
        response = await client.get("/x")
        assert [attempt.reason for attempt in response.attempts] == ["timeout", None]
        server.on("/x", Reply.hang())
        with pytest.raises(AttemptTimeoutError) as caught:
            await client.post("/x")
    assert caught.value.attempts[0].reason == "not_idempotent"
    assert server.count("GET /x") == 2 and server.count("POST /x") == 1


# No connection


async def test_refused(server: MockServer) -> None:
    server.refuse()
    error = await failure(server.url)
    assert told(error) == (ConnectError, "connect", False, False)
    assert str(error).startswith("no connection: Connection refused (GET")
    assert isinstance(error.__cause__, OSError)


async def test_what_went_wrong_before_is_not_the_reason(server: MockServer) -> None:
    """A caller may try us where something else has failed: Python makes that the context of whatever we raise."""
    server.on("/x", Reply.reset())
    try:
        raise FileNotFoundError(2, "No such file or directory")
    except OSError:
        lost = await failure(server.url)
        server.refuse()
        refused = await failure(server.url)
    assert "Connection reset by peer" in str(lost) and "Connection refused" in str(refused)


async def test_a_name_with_several_addresses(server: MockServer) -> None:
    server.refuse()
    error = await failure(f"http://localhost:{server.port}")
    assert told(error) == (ConnectError, "connect", False, False)
    assert "no connection: " in str(error)


async def test_a_name_that_does_not_resolve() -> None:
    error = await failure("http://no-such-name.invalid")
    assert told(error) == (ConnectError, "connect", False, False)
    assert str(error).startswith("no connection: ")


async def test_no_connection_is_retried_whatever_the_method(server: MockServer) -> None:
    server.refuse()
    async with AsyncHTTPClient(server.url, ClientConfig(retry_backoff_factor=0.001)) as client:
        with pytest.raises(RetryExhaustedError) as caught:
            await client.post("/x", json={})
    assert len(caught.value.attempts) == 4 and isinstance(caught.value.last_error, ConnectError)


# TLS


RESET_ON_CLOSE = (socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.parametrize(
    ("play", "message"),
    [
        (lambda sock: (sock.recv(1), sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")), "wrong version number"),
        (lambda sock: sock.recv(65536), "unexpected eof while reading"),
        (lambda sock: (sock.recv(1), sock.setsockopt(*RESET_ON_CLOSE)), "Connection reset by peer"),
    ],
)
async def test_no_tls_where_it_is_expected(play: Callable[[socket.socket], None], message: str) -> None:
    with raw_server(play) as port:
        error = await failure(f"https://127.0.0.1:{port}")
    assert told(error) == (TLSError, "connect", False, False)
    assert str(error).startswith(f"no TLS: {message} (GET")


async def test_a_certificate_that_nobody_signed() -> None:
    with raw_server(speaking_tls()) as port:
        error = await failure(f"https://127.0.0.1:{port}")
        assert told(error) == (CertificateError, "connect", False, False)
        assert "certificate refused: self" in str(error)
        config = ClientConfig(retry_backoff_factor=0.001)
        async with AsyncHTTPClient(f"https://127.0.0.1:{port}", config) as client:
            with pytest.raises(CertificateError) as caught:
                await client.get("/")
        assert len(caught.value.attempts) == 1


async def test_the_end_of_a_kept_tls_connection() -> None:
    def ending(sock: socket.socket) -> None:
        for _ in range(2):
            sock.recv(65536)
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        sock.recv(65536)

    with raw_server(speaking_tls(ending)) as port:
        config = ClientConfig(verify_ssl=SELF_SIGNED, retry_attempts=0)
        async with AsyncHTTPClient(f"https://127.0.0.1:{port}", config) as client:
            for _ in range(2):
                assert (await client.get("/")).content == b"ok"
            with pytest.raises(ConnectionLostError) as caught:
                await client.post("/")
    assert caught.value.reused and caught.value.head_sent


async def test_something_that_is_no_tls_after_the_handshake() -> None:
    def garbling(sock: Any) -> None:
        sock.recv(65536)
        with socket.socket(fileno=sock.detach()) as plain:
            plain.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))

    with raw_server(speaking_tls(garbling)) as port:
        error = await failure(f"https://127.0.0.1:{port}", verify_ssl=SELF_SIGNED)
    assert type(error) is ConnectionLostError and error.head_sent
    assert "the connection was lost: " in str(error)


# No answer, or none that can be understood


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (Reply.eof(), (ConnectionLostError, "head", True, False)),
        (Reply.reset(), (ConnectionLostError, "head", True, False)),
        # Half a head is a byte of the response, and more than one.
        (Reply(raw=(b"HTTP/1.1 200 OK\r\nContent-Le",)), (ConnectionLostError, "head", True, True)),
        (Reply(raw=(b"HTTP/1.1 200 OK\r\nContent-Le",), then="reset"), (ConnectionLostError, "head", True, True)),
        (Reply(body=bytes(10), cut=5), (ConnectionLostError, "body", True, True)),
        (Reply(body=bytes(10), cut=5, then="reset"), (ConnectionLostError, "body", True, True)),
        (Reply(body=[b"abc"], chunked=True, cut=4), (ConnectionLostError, "body", True, True)),
        (Reply.garbage(), (ProtocolError, "head", True, True)),
        (Reply(raw=(b"HTTP/1.1 200 OK\r\nbad header\r\n\r\n",)), (ProtocolError, "head", True, True)),
        (
            Reply(raw=(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",)),
            (ProtocolError, "body", True, True),
        ),
        (Reply(headers={"X": "x" * 200_000}), (ResponseTooLargeError, "head", True, True)),
    ],
)
async def test_no_answer(reply: Reply, expected: tuple[Any, ...], server: MockServer, eventually: Any) -> None:
    server.on("/x", reply)
    async with AsyncHTTPClient(server.url, ClientConfig(retry_attempts=0)) as client:
        with pytest.raises(HTTPRequestError) as caught:
            await client.get("/x")
        assert told(caught.value) == expected
        await eventually(lambda: server.open_connections == 0)
        assert (await client.get("/json")).is_success


async def test_what_the_breaker_makes_of_it(server: MockServer) -> None:
    server.on("/x", Reply.garbage())
    breaker = CircuitBreaker(failure_threshold=2)
    config = ClientConfig(retry_attempts=0)
    async with AsyncHTTPClient(server.url, config, circuit_breaker=breaker) as client:
        for _ in range(2):
            with pytest.raises(ProtocolError):
                await client.get("/x")
    assert breaker.state == "OPEN"
