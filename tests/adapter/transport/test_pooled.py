"""The transport on connections of our own: which connection a request gets, and what becomes of it."""

from __future__ import annotations

import gc
import random
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from sansio_http import Body, HTTPRequest, HTTPResponse, Send
from sansio_http_anyio import (
    AddressRefusedError,
    AsyncHTTPClient,
    AttemptTimeoutError,
    ClientClosedError,
    ClientConfig,
    ConnectError,
    ConnectionLostError,
    InvalidRequestError,
    PooledTransport,
    PoolTimeoutError,
    ProtocolError,
    ReadTimeoutError,
    ResponseBodyError,
    ResponseTooLargeError,
    WriteTimeoutError,
)
from sansio_http_anyio.sources import Source
from tests.adapter.raw_server import SELF_SIGNED, answering, raw_server
from tests.fixtures.mock_server import MockServer, Reply

pytestmark = pytest.mark.anyio

Eventually = Callable[[Callable[[], object]], Any]


def order(url: str, *, method: str = "GET", stream: bool = False, deadline: float | None = None, **parts: Any) -> Send:
    return Send(1, 1, HTTPRequest(method, url, **parts), deadline, stream)


async def sent(transport: PooledTransport, url: str, **parts: Any) -> Any:
    ended = await transport.send(order(url, **parts))
    assert ended.id == 1
    return ended.outcome


@pytest.fixture
async def transport() -> AsyncIterator[PooledTransport]:
    transport = PooledTransport(ClientConfig(max_connections=3))
    yield transport
    await transport.aclose()


# Connections


async def test_a_request_and_its_progress(server: MockServer, transport: PooledTransport) -> None:
    for reused in (False, True):
        send = order(f"{server.url}/json?a=1")
        response = (await transport.send(send)).outcome
        assert isinstance(response, HTTPResponse)
        assert (response.status_code, response.json_data, response.body) == (200, {"hello": "world"}, None)
        progress = send.progress
        assert (progress.phase, progress.head_sent, progress.body_started) == ("body", True, True)
        assert progress.reused is reused
    assert server.connections == 1
    assert server.requests[0].target == "/json?a=1"


async def test_a_kept_connection_that_the_server_closed_is_replaced(
    server: MockServer, transport: PooledTransport
) -> None:
    server.on("/bye", Reply(then="close"))
    assert (await sent(transport, f"{server.url}/bye")).status_code == 200
    await anyio.sleep(0.1)  # its goodbye comes
    send = order(f"{server.url}/json")
    response = (await transport.send(send)).outcome
    assert isinstance(response, HTTPResponse) and response.status_code == 200
    assert send.progress.reused is False
    assert server.connections == 2


async def test_a_burst_opens_no_more_than_there_are_requests_at_once(server: MockServer) -> None:
    async with AsyncHTTPClient(server.url) as client:

        async def work() -> None:
            for _ in range(20):
                assert (await client.get("/json")).status_code == 200

        async with anyio.create_task_group() as tasks:
            for _ in range(30):
                tasks.start_soon(work)
    assert len(server.requests) == 600
    assert server.connections <= 30


async def test_who_finds_no_place_waits_for_one(server: MockServer, transport: PooledTransport) -> None:
    server.on("/slow", Reply(delay=0.02))
    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(sent, transport, f"{server.url}/slow")
    assert (len(server.requests), server.connections) == (10, 3)


async def test_a_wait_for_a_place_is_bounded(server: MockServer) -> None:
    transport = PooledTransport(ClientConfig(max_connections=1, pool_timeout=0.05))
    open_one = await sent(transport, f"{server.url}/bytes/10000000", stream=True)
    outcome = await sent(transport, f"{server.url}/json")
    assert isinstance(outcome, PoolTimeoutError) and "1 connections in use" in str(outcome)
    open_one.discard()
    assert (await sent(transport, f"{server.url}/json")).status_code == 200
    await transport.aclose()


async def test_closing_ends_what_is_out(server: MockServer) -> None:
    server.on("/hang", Reply(delay=10))
    transport = PooledTransport(ClientConfig(max_connections=1))
    outcomes: list[Any] = []

    async def ask() -> None:
        outcomes.append(await sent(transport, f"{server.url}/hang"))

    async with anyio.create_task_group() as tasks:
        for _ in range(2):  # one waits for the other's connection
            tasks.start_soon(ask)
        while not server.requests:  # noqa: ASYNC110
            await anyio.sleep(0.002)
        await transport.aclose()
    outcomes.append(await sent(transport, f"{server.url}/json"))
    assert [type(outcome) for outcome in outcomes] == [ClientClosedError] * 3


async def test_nobody_listens(transport: PooledTransport) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    send = order(f"http://127.0.0.1:{port}/")
    outcome = (await transport.send(send)).outcome
    assert isinstance(outcome, ConnectError) and isinstance(outcome.__cause__, OSError)
    assert (outcome.phase, outcome.head_sent, outcome.url) == ("connect", False, f"http://127.0.0.1:{port}/")


async def test_who_says_that_it_ends_gets_no_successor(transport: PooledTransport) -> None:
    connections: list[socket.socket] = []

    def play(sock: socket.socket) -> None:  # and does not heed it
        connections.append(sock)
        answering(sock)

    with raw_server(play) as port:
        for number in (1, 2):
            outcome = await sent(transport, f"http://127.0.0.1:{port}/", headers={"Connection": "close"})
            assert (outcome.status_code, len(connections)) == (200, number)


async def test_no_more_is_read_of_a_token_endpoint_than_is_believed(
    server: MockServer, transport: PooledTransport, eventually: Eventually
) -> None:
    send = Send(1, 1, HTTPRequest("GET", f"{server.url}/bytes/10000000"), None, False, "token")
    response = (await transport.send(send)).outcome
    assert isinstance(response, HTTPResponse) and len(response.content) == 65_537
    await eventually(lambda: server.open_connections == 0)


async def test_settings_of_the_network_are_heeded(server: MockServer) -> None:
    transport = PooledTransport(ClientConfig(allow_address="public"))
    send = order(f"{server.url}/json")
    outcome = (await transport.send(send)).outcome
    assert isinstance(outcome, AddressRefusedError)
    assert (outcome.method, outcome.phase, outcome.head_sent) == ("GET", "connect", False)
    assert server.connections == 0
    await transport.aclose()


async def test_secrets_are_not_shown() -> None:
    config = ClientConfig(client_certificate=SELF_SIGNED, client_key_password="rosebud", verify_ssl=SELF_SIGNED)
    transport = PooledTransport(config)
    assert "rosebud" not in repr(transport) + repr(vars(transport))
    await transport.aclose()


# Deadlines


async def test_a_deadline_strikes_on_a_new_and_on_a_kept_connection(server: MockServer) -> None:
    server.on("/hang", Reply(delay=5))
    transport = PooledTransport(clock=anyio.current_time)
    for kept in (False, True):
        send = order(f"{server.url}/hang", deadline=anyio.current_time() + 0.3)
        outcome = (await transport.send(send)).outcome
        assert isinstance(outcome, AttemptTimeoutError)
        assert outcome.reused is kept
        assert (await sent(transport, f"{server.url}/json", deadline=anyio.current_time() + 60)).status_code == 200
    await transport.aclose()


async def test_a_timer_that_is_early_lets_the_next_request_live(server: MockServer) -> None:
    server.on("/slow", Reply(delay=0.3))
    transport = PooledTransport(clock=anyio.current_time)
    await sent(transport, f"{server.url}/json")
    await sent(transport, f"{server.url}/json", deadline=anyio.current_time() + 0.15)
    assert (await sent(transport, f"{server.url}/slow", deadline=anyio.current_time() + 60)).status_code == 200
    await anyio.sleep(0.05)
    assert (await sent(transport, f"{server.url}/json", deadline=anyio.current_time() + 5)).status_code == 200
    assert server.connections == 1
    await transport.aclose()


async def test_idle_connections_are_closed_though_no_request_comes(server: MockServer, eventually: Eventually) -> None:
    config = ClientConfig(max_keepalive_connections=2, keepalive_expiry=2)
    server.on("/slow", Reply(delay=0.2))
    async with AsyncHTTPClient(server.url, config) as client:
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(client.get, "/slow")
        assert server.connections == server.open_connections == 5
        await eventually(lambda: server.open_connections == 2)  # in a second
        await eventually(lambda: server.open_connections == 0)
        assert (await client.get("/json")).status_code == 200


async def test_a_clock_that_stands_still_keeps_no_loop_busy(server: MockServer) -> None:
    looks: list[float] = []

    def clock() -> float:
        looks.append(anyio.current_time())
        return 0.0 if len(looks) < 3 else 99.0 - 1e-9  # so that something is nearly due, for ever

    transport = PooledTransport(ClientConfig(keepalive_expiry=99), clock=clock)
    await sent(transport, f"{server.url}/json")
    looks_before = len(looks)
    await anyio.sleep(0.5)
    assert len(looks) - looks_before <= 10
    await transport.aclose()


async def test_timeouts_of_single_waits(server: MockServer) -> None:
    server.on("/hang", Reply(delay=10))
    transport = PooledTransport(ClientConfig(read_timeout=0.05, write_timeout=0.05))
    outcome = await sent(transport, f"{server.url}/hang")
    assert isinstance(outcome, ReadTimeoutError) and outcome.phase == "head"

    done = threading.Event()

    def deaf(sock: socket.socket) -> None:
        done.wait(10)

    with raw_server(deaf) as port:
        outcome = await sent(transport, f"http://127.0.0.1:{port}/", method="POST", body=bytes(50_000_000))
        done.set()
    assert isinstance(outcome, WriteTimeoutError) and outcome.phase == "send"
    await transport.aclose()


async def test_a_deadline_in_the_past(server: MockServer) -> None:
    transport = PooledTransport(clock=anyio.current_time)
    for kept in (False, True):
        outcome = await sent(transport, f"{server.url}/json", deadline=anyio.current_time() - 1)
        assert isinstance(outcome, AttemptTimeoutError) and outcome.phase == "connect"
        assert server.count() == server.connections == kept
        await sent(transport, f"{server.url}/json")
    assert (await sent(transport, f"{server.url}/json", deadline=anyio.current_time() + 60)).status_code == 200
    await transport.aclose()


@pytest.mark.parametrize("stream", [False, True])
async def test_cancelled_in_each_tick_it_is_answered_or_gone(
    stream: bool, server: MockServer, eventually: Eventually
) -> None:
    # The slots, places and connections of the whole client are looked at by tests/adapter/test_cancellation.py.
    transport = PooledTransport(ClientConfig(max_connections=1, pool_timeout=5))
    for ticks in range(12):
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as tasks:

                async def strike(ticks: int = ticks, scope: anyio.CancelScope = scope) -> None:
                    for _ in range(ticks):
                        await anyio.lowlevel.checkpoint()
                    scope.cancel()

                tasks.start_soon(strike)
                response = await sent(transport, f"{server.url}/json", stream=stream)
                response.discard()
        # The only place is free again, at once: whatever held it is closed or given back.
        assert (await sent(transport, f"{server.url}/json")).status_code == 200
    await transport.aclose()
    await eventually(lambda: server.open_connections == 0)


async def test_a_hedge_that_lost_is_ended(server: MockServer, eventually: Eventually) -> None:
    server.on("/slow-once", Reply(delay=30), Reply(json={"n": 2}))
    async with AsyncHTTPClient(server.url, ClientConfig(hedge_delay=0.05, retry_attempts=0, timeout=60)) as client:
        assert (await client.get("/slow-once")).json_data == {"n": 2}
        await eventually(lambda: server.open_connections == 1)
        policies: Any = client.policies
        assert policies.slots.in_use == 0


async def test_a_deadline_strikes_while_the_body_is_waited_for() -> None:
    def play(sock: socket.socket) -> None:
        sock.recv(65536)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        sock.recv(65536)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while True:  # more than is taken in while the request still goes out
            sock.sendall(bytes(65536))

    class Stuck(Parts):
        async def __anext__(self) -> bytes:
            await anyio.sleep_forever()
            raise AssertionError

    transport = PooledTransport(clock=anyio.current_time)
    with raw_server(play) as port:
        url = f"http://127.0.0.1:{port}/"
        assert (await sent(transport, url)).content == b"ok"
        with anyio.fail_after(20):
            late = anyio.current_time() + 1
            outcome = await sent(transport, url, method="POST", body=Body(Stuck()), deadline=late)
        assert isinstance(outcome, AttemptTimeoutError)
    await transport.aclose()


# Bodies of requests


class Parts:
    """An async iterator that says whether it was closed."""

    def __init__(self, *parts: bytes, error: Exception | None = None) -> None:
        self._parts = list(parts)
        self._error = error
        self.closed = False

    def __aiter__(self) -> Parts:
        return self

    async def __anext__(self) -> bytes:
        await anyio.lowlevel.checkpoint()
        if self._parts:
            return self._parts.pop(0)
        if self._error is not None:
            raise self._error
        raise StopAsyncIteration

    async def aclose(self) -> None:
        self.closed = True


@pytest.mark.parametrize("size", [0, 10, 16_384, 16_385, 3_000_000])
async def test_bytes_of_any_size(size: int, server: MockServer, transport: PooledTransport) -> None:
    for body in (
        Body.of(b"x" * size),
        Body(b"x" * size),
        Body(Source(lambda: Parts(b"x" * size)), size),
        Body(Parts(b"x" * size)),
    ):
        response = await sent(transport, f"{server.url}/echo", method="POST", body=body)
        assert len(response.json_data["body"]) == size
        request = server.requests[-1]
        assert request.headers.get("content-length") == (None if body.length is None else str(size))
    assert server.connections == 1


async def test_a_body_that_lies_about_its_length(server: MockServer, transport: PooledTransport) -> None:
    for body in (Body(b"abc", 5), Body(b"abc", 2), Body(Parts(b"abc"), 5), Body(Parts(b"abc"), 2), Body([b"abc"])):
        outcome = await sent(transport, f"{server.url}/echo", method="POST", body=body)
        assert isinstance(outcome, InvalidRequestError) and "body" in str(outcome)
    assert (await sent(transport, f"{server.url}/json")).status_code == 200


async def test_a_body_that_raises_is_the_callers(
    server: MockServer, transport: PooledTransport, eventually: Eventually
) -> None:
    mine = KeyError("mine")
    parts = Parts(b"x" * 100, error=mine)
    assert await sent(transport, f"{server.url}/echo", method="POST", body=Body(parts)) is mine
    assert parts.closed
    await eventually(lambda: server.open_connections == 0)


async def test_an_early_answer_is_returned(server: MockServer, transport: PooledTransport) -> None:
    server.on("POST /big", Reply(413, json={"max": 1}, early=1000, then="close"))
    parts = Parts(*[bytes(100_000)] * 100)
    response = await sent(transport, f"{server.url}/big", method="POST", body=Body(parts))
    assert (response.status_code, response.json_data) == (413, {"max": 1})
    assert parts.closed
    response = await sent(transport, f"{server.url}/big", method="POST", body=bytes(5_000_000))
    assert response.status_code == 413


async def test_an_answer_before_the_body_is_sent_ends_the_connection(transport: PooledTransport) -> None:
    came: list[bytes] = []

    def play(sock: socket.socket) -> None:
        came.append(sock.recv(65536))
        sock.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
        while sock.recv(65536):
            pass

    class Endless(Parts):
        async def __anext__(self) -> bytes:
            await anyio.sleep(0.005)
            return b"more"

    with raw_server(play) as port:
        for _ in range(2):  # the server plays one connection at a time: the second is heard when the first is closed
            parts = Endless()
            late = time.monotonic() + 4
            outcome = await sent(transport, f"http://127.0.0.1:{port}/", method="POST", body=Body(parts), deadline=late)
            assert (outcome.status_code, outcome.content, parts.closed) == (403, b"no", True)
    assert len(came) == 2


async def test_a_body_that_was_not_begun_is_left_for_the_next_try(transport: PooledTransport) -> None:
    def play(sock: socket.socket) -> None:
        sock.recv(65536)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    parts = Parts(b"abc")
    outcome = await sent(transport, f"http://127.0.0.1:{port}/", method="POST", body=Body(parts))
    assert isinstance(outcome, ConnectError) and not parts.closed
    with raw_server(play) as port:
        outcome = await sent(transport, f"http://127.0.0.1:{port}/", method="POST", body=Body(parts))
    assert isinstance(outcome, ConnectionLostError) and parts.closed


class Deaf:
    """A network, and its one stream: it takes nothing, and says what it is told to say."""

    def __init__(self, answer: bytes) -> None:
        self.answers = [answer, b""]
        self.closed = False

    def endpoint(self, *parts: object) -> object:
        return parts

    async def connect(self, endpoint: object) -> Deaf:
        return self

    async def write(self, data: bytes) -> None:
        await anyio.lowlevel.checkpoint()
        raise ConnectionResetError(104, "Connection reset by peer")

    async def read(self) -> bytes:
        await anyio.lowlevel.checkpoint()
        return self.answers.pop(0)

    def readable(self, idle: float = 0.0) -> bool:
        return False

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize("size", [10, 1_000_000])
async def test_what_a_server_said_before_it_hung_up_is_heard(size: int) -> None:
    network: Any = Deaf(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
    transport = PooledTransport(network=network)
    outcome = await sent(transport, "http://x/", method="POST", body=bytes(size))
    assert (outcome.status_code, outcome.content) == (413, b"no")
    assert network.closed  # for nobody knows how much of the request it has heard


async def test_an_iterator_that_was_not_begun_is_left_open() -> None:
    network: Any = Deaf(b"")
    parts = Parts(b"abc")
    outcome = await sent(PooledTransport(network=network), "http://x/", method="POST", body=Body(parts))
    assert isinstance(outcome, ConnectionLostError)
    assert network.closed and not parts.closed


# Bodies of responses


async def test_the_connection_is_free_at_the_end_of_the_body(server: MockServer, transport: PooledTransport) -> None:
    response = await sent(transport, f"{server.url}/bytes/100000", stream=True)
    assert sum([len(piece) async for piece in response.body]) == 100_000
    assert (await sent(transport, f"{server.url}/json")).status_code == 200
    assert server.connections == 1
    response.discard()
    assert [piece async for piece in response.body] == []


@pytest.mark.parametrize("how", ["discard", "aclose", "collect", "cancel"])
async def test_a_body_that_is_given_up_closes_its_connection(
    how: str, server: MockServer, transport: PooledTransport, eventually: Eventually
) -> None:
    server.on("/drip", Reply(body=[bytes(10)] * 1000, body_pause=0.05))
    response = await sent(transport, f"{server.url}/drip", stream=True)
    await anext(response.body)
    if how == "discard":
        response.discard()
    elif how == "aclose":
        await response.body.aclose()
    elif how == "cancel":
        with anyio.move_on_after(0.1):
            async for _ in response.body:
                pass
    else:
        del response
        gc.collect()
    await eventually(lambda: server.open_connections == 0)
    assert (await sent(transport, f"{server.url}/json")).status_code == 200


async def test_a_body_that_fails(server: MockServer, transport: PooledTransport) -> None:
    server.on("/cut", Reply(body=bytes(1000), cut=500))
    server.on("/chunks", Reply(raw=[b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd"]))
    for path, kind in (("/cut", ConnectionLostError), ("/chunks", ProtocolError)):
        outcome = await sent(transport, f"{server.url}{path}")
        assert isinstance(outcome, kind) and outcome.phase == "body" and outcome.body_started
        response = await sent(transport, f"{server.url}{path}", stream=True)
        if isinstance(response, kind):  # it came with the head
            continue
        with pytest.raises(ResponseBodyError) as caught:
            [piece async for piece in response.body]
        assert isinstance(caught.value.__cause__, kind)


# Faults in the head: each an error of its own, and the connection is never used again


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"", ConnectionLostError),
        (b"HTTP/1.1 200 O", ConnectionLostError),
        (b"SSH-2.0-OpenSSH_9.6\r\n", ProtocolError),
        (b"HTTP/3.0 200 OK\r\n\r\n", ProtocolError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx", ProtocolError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", ProtocolError),
        (b"HTTP/1.1 200 OK\nContent-Length: 0\n\n", ProtocolError),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nrubbish that no line ends", ProtocolError),
        (b"HTTP/1.1 200 OK\r\nX: \0\r\n\r\n", ProtocolError),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000 + b"\r\n\r\n", ResponseTooLargeError),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 10_000 + b"\r\n", ResponseTooLargeError),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n" * 50, ResponseTooLargeError),
    ],
)
async def test_an_answer_that_is_none(answer: bytes, kind: type[Exception], transport: PooledTransport) -> None:
    def play(sock: socket.socket) -> None:
        sock.recv(65536)
        sock.sendall(answer)

    with raw_server(play) as port:
        outcome = await sent(transport, f"http://127.0.0.1:{port}/")
        assert type(outcome) is kind


async def test_bytes_behind_the_end_are_no_answer(transport: PooledTransport) -> None:
    def play(sock: socket.socket) -> None:
        while sock.recv(65536):
            sock.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno"
            )

    with raw_server(play) as port:
        for _ in range(3):
            assert (await sent(transport, f"http://127.0.0.1:{port}/")).content == b"ok"


# Cancellation


async def test_a_storm_of_cancellations_loses_nothing(server: MockServer, eventually: Eventually) -> None:
    dice = random.Random(7)
    server.on("/slow", Reply(body=[b"a", b"b"], body_pause=0.004, delay=0.002))
    config = ClientConfig(max_connections=5, retry_attempts=0)
    async with AsyncHTTPClient(server.url, config) as client:
        policies: Any = client.policies

        async def ask() -> None:
            with anyio.move_on_after(dice.choice([0, 0.001, 0.003, 0.006, 0.01, 0.02])):
                await client.get(dice.choice(["/slow", "/json"]))

        for _ in range(10):
            async with anyio.create_task_group() as tasks:
                for _ in range(10):
                    tasks.start_soon(ask)
        assert policies.slots.in_use == 0
        async with AsyncHTTPClient(server.url) as another:
            await another.get("/json")  # behind all that the server has not accepted yet
        before = server.connections
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(client.get, "/json")
        assert server.connections - before <= 5
        await eventually(lambda: server.open_connections <= 5)
    await eventually(lambda: server.open_connections == 0)
