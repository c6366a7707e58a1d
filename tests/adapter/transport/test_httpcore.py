"""The transport over httpcore: which connection a request gets, and what becomes of it."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import httpcore
import pytest

from sansio_http import Body as RequestBody
from sansio_http import HTTPRequest, HTTPResponse, Send
from sansio_http_anyio import (
    AsyncHTTPClient,
    CertificateError,
    ClientClosedError,
    ClientConfig,
    ConnectError,
    ConnectionLostError,
    HttpcoreTransport,
    PoolTimeoutError,
    ProtocolError,
    ResponseBodyError,
)
from tests.adapter.raw_server import raw_server, speaking_tls
from tests.fixtures.mock_server import MockServer, Reply

pytestmark = pytest.mark.anyio


def order(url: str, *, method: str = "GET", stream: bool = False, **parts: Any) -> Send:
    return Send(1, 1, HTTPRequest(method, url, **parts), None, stream)


async def sent(transport: HttpcoreTransport, url: str, **parts: Any) -> Any:
    send = order(url, **parts)
    ended = await transport.send(send)
    assert ended.id == 1
    return ended.outcome


@pytest.fixture
async def transport() -> AsyncIterator[HttpcoreTransport]:
    transport = HttpcoreTransport(ClientConfig(max_keepalive_connections=3, keepalive_expiry=0.2))
    yield transport
    await transport.aclose()


# Sending


async def test_a_request_and_its_progress(server: MockServer, transport: HttpcoreTransport) -> None:
    for reused in (False, True):
        send = order(f"{server.url}/json?a=1")
        ended = await transport.send(send)
        response = ended.outcome
        assert isinstance(response, HTTPResponse) and send.ended is ended
        assert (response.status_code, response.json_data, response.body) == (200, {"hello": "world"}, None)
        progress = send.progress
        assert (progress.phase, progress.head_sent, progress.body_started) == ("body", True, True)
        assert progress.reused is reused
    assert server.connections == 1
    assert server.requests[0].target == "/json?a=1"


async def test_the_default_config_is_the_clients(server: MockServer) -> None:
    transport = HttpcoreTransport()
    assert (await sent(transport, f"{server.url}/json")).status_code == 200
    await transport.aclose()


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://127.0.0.1/", "127.0.0.1"),
        ("http://127.0.0.1:8080/", "127.0.0.1:8080"),
        ("https://127.0.0.1/", "127.0.0.1"),
        ("https://127.0.0.1:80/", "127.0.0.1:80"),
        ("http://[::1]/", "[::1]"),
        ("http://[::1]:8080/", "[::1]:8080"),
    ],
)
async def test_the_host_header(url: str, host: str) -> None:
    class Pool:
        async def handle_async_request(self, request: httpcore.Request) -> httpcore.Response:
            self.request = request
            return httpcore.Response(204)

    pool = Pool()
    transport = HttpcoreTransport(pool=pool)
    assert (await sent(transport, url, headers={"X": "1"})).status_code == 204
    assert pool.request.headers == [(b"Host", host.encode()), (b"X", b"1")]


async def test_a_body_in_pieces_or_at_once(server: MockServer, transport: HttpcoreTransport) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for piece in (b"", b"one", b"", b"two"):
            yield piece

    for body, framing in (
        (RequestBody(pieces()), ("transfer-encoding", "chunked")),
        (RequestBody(pieces(), length=6), ("content-length", "6")),
        (RequestBody.of(b"onetwo"), ("content-length", "6")),
    ):
        await sent(transport, f"{server.url}/echo", method="POST", body=body)
        request = server.requests[-1]
        assert request.body == b"onetwo"
        assert request.headers[framing[0]] == framing[1]


async def test_what_a_body_raises_is_the_outcome(server: MockServer, transport: HttpcoreTransport) -> None:
    class Broken:
        def __aiter__(self) -> Any:
            return self

        async def __anext__(self) -> bytes:
            raise ZeroDivisionError("mine")

    outcome = await sent(transport, f"{server.url}/echo", method="POST", body=RequestBody(Broken()))
    assert isinstance(outcome, ZeroDivisionError)
    assert (await sent(transport, f"{server.url}/json")).status_code == 200


# Connections


async def test_the_connection_that_was_used_last_goes_first(server: MockServer, transport: HttpcoreTransport) -> None:
    server.on("/slow", Reply(delay=0.03))
    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(sent, transport, f"{server.url}/slow")
    assert server.connections == server.open_connections == 3
    for _ in range(5):
        await sent(transport, f"{server.url}/json")
    assert len({request.connection for request in server.requests[3:]}) == 1


async def test_so_many_idle_connections_are_kept(
    server: MockServer, transport: HttpcoreTransport, eventually: Any
) -> None:
    """The limit is on idle ones: those that work do not count."""
    server.on("/slow", Reply(delay=0.05))
    for _ in range(2):
        async with anyio.create_task_group() as tasks:
            for _ in range(8):
                tasks.start_soon(sent, transport, f"{server.url}/slow")
        await eventually(lambda: server.open_connections == 3)
    assert server.connections == 8 + 5


async def test_none_is_kept_where_none_may_be(server: MockServer, eventually: Any) -> None:
    transport = HttpcoreTransport(ClientConfig(max_keepalive_connections=0))
    for _ in range(2):
        await sent(transport, f"{server.url}/json")
        await eventually(lambda: server.open_connections == 0)
    assert server.connections == 2


async def test_an_idle_connection_expires(server: MockServer, transport: HttpcoreTransport, eventually: Any) -> None:
    await sent(transport, f"{server.url}/json")
    await anyio.sleep(0.21)
    await sent(transport, f"{server.url}/json")
    assert server.connections == 2
    await eventually(lambda: server.open_connections == 1)


async def test_an_expired_connection_to_another_origin_is_closed_as_well(
    server: MockServer, other: MockServer, transport: HttpcoreTransport, eventually: Any
) -> None:
    await sent(transport, f"{other.url}/json")
    await anyio.sleep(0.21)
    await sent(transport, f"{server.url}/json")
    await eventually(lambda: other.open_connections == 0)
    assert server.open_connections == 1


async def test_each_origin_has_its_own_connections(
    server: MockServer, other: MockServer, transport: HttpcoreTransport
) -> None:
    for _ in range(2):
        for each in (server, other):
            assert (await sent(transport, f"{each.url}/json")).status_code == 200
    assert (server.connections, other.connections) == (1, 1)
    assert (server.count(), other.count()) == (2, 2)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(json=1, headers={"Connection": "close"}),
        Reply(raw=(b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n1",)),
        Reply(raw=(b"HTTP/1.1 200 OK\r\n\r\n1",)),
    ],
)
async def test_a_connection_that_ends_with_its_answer_is_not_kept(
    reply: Reply, server: MockServer, transport: HttpcoreTransport, eventually: Any
) -> None:
    server.on("/x", reply)
    for _ in range(2):
        assert (await sent(transport, f"{server.url}/x")).content == b"1"
        await eventually(lambda: server.open_connections == 0)
    assert server.connections == 2


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("after", [b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", b"HTTP/1.1 20", b"\r\n"])
async def test_what_comes_behind_an_answer_is_not_the_answer_to_the_next_request(
    after: bytes, stream: bool, server: MockServer, transport: HttpcoreTransport
) -> None:
    server.on("/x", Reply(raw=(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" + after,), then="hang"))
    for _ in range(3):
        response = await sent(transport, f"{server.url}/x", stream=stream)
        content = b"".join([chunk async for chunk in response.body]) if stream else response.content
        assert content == b"ok"
    assert server.connections == 3


async def test_no_connection_leaves_nothing_behind(server: MockServer, transport: HttpcoreTransport) -> None:
    server.refuse()
    for _ in range(3):
        assert isinstance(await sent(transport, f"{server.url}/json"), ConnectError)
    assert transport.close_now() == 0


# Closing


async def test_closing(server: MockServer, transport: HttpcoreTransport) -> None:
    await sent(transport, f"{server.url}/json")
    response = await sent(transport, f"{server.url}/lines/100000", stream=True)
    await transport.aclose()
    await transport.aclose()
    assert server.open_connections == 0
    assert isinstance(await sent(transport, f"{server.url}/json"), ClientClosedError)
    with pytest.raises(ResponseBodyError):
        _ = [chunk async for chunk in response.body]
    assert server.count() == 2


async def test_closing_now_counts_the_connections(
    server: MockServer, transport: HttpcoreTransport, eventually: Any
) -> None:
    await sent(transport, f"{server.url}/json")
    await sent(transport, f"{server.url}/lines/100000", stream=True)
    assert transport.close_now() == 1  # the second has taken the first one's
    assert transport.close_now() == 0
    await eventually(lambda: server.open_connections == 0)


async def test_an_answer_that_comes_while_it_is_closed_gives_its_connection_to_nobody(
    server: MockServer, transport: HttpcoreTransport, eventually: Any
) -> None:
    server.on("/big", Reply(body=bytes(10)))
    response = await sent(transport, f"{server.url}/big", stream=True)
    chunk = await anext(response.body)
    await transport.aclose()
    await response.body.aclose()
    await response.body.aclose()
    assert len(chunk) == 10
    await eventually(lambda: server.open_connections == 0)


# Open bodies


async def test_a_discarded_body_is_told_at_the_next_send(
    server: MockServer, transport: HttpcoreTransport, eventually: Any
) -> None:
    """The whole body may have come with the head: its connection is closed all the same, and not used again."""
    for path in ("/lines/100000", "/json"):
        response = await sent(transport, f"{server.url}{path}", stream=True)
        response.body.discard()
        response.body.discard()
        with pytest.raises(StopAsyncIteration):
            await anext(response.body)
        await eventually(lambda: server.open_connections == 0)
        assert (await sent(transport, f"{server.url}/json")).status_code == 200
    assert server.connections == 3


async def test_a_read_that_is_cancelled_closes_the_connection(
    server: MockServer, transport: HttpcoreTransport, eventually: Any
) -> None:
    server.on("/half", Reply(body=bytes(10), cut=5, then="hang"))
    response = await sent(transport, f"{server.url}/half", stream=True)
    assert await anext(response.body) == bytes(5)
    with anyio.move_on_after(0.02) as scope:
        await anext(response.body)
    assert scope.cancelled_caught
    await eventually(lambda: server.open_connections == 0)
    with pytest.raises(StopAsyncIteration):
        await anext(response.body)


async def test_two_that_read_one_body(server: MockServer, transport: HttpcoreTransport) -> None:
    """That is a mistake of the caller's, and is said as Python says it."""
    server.on("/half", Reply(body=bytes(10), cut=5, then="hang"))
    response = await sent(transport, f"{server.url}/half", stream=True)
    await anext(response.body)
    async with anyio.create_task_group() as tasks:

        async def read() -> None:
            with pytest.raises(ResponseBodyError):
                await anext(response.body)

        tasks.start_soon(read)
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(RuntimeError, match="already running"):
            await anext(response.body)
    await transport.send(order(f"{server.url}/json"))
    gc.collect()


# Pools and proxies of httpcore's


async def test_a_pool_that_was_given(server: MockServer, eventually: Any) -> None:
    server.on("/broken", Reply(body=bytes(100), cut=50))
    pool = httpcore.AsyncConnectionPool(max_connections=None, max_keepalive_connections=10)
    async with pool:
        transport = HttpcoreTransport(pool=pool)
        async with AsyncHTTPClient(server.url, ClientConfig(retry_attempts=0), transport=transport) as client:
            for _ in range(2):
                assert (await client.get("/json")).json_data == {"hello": "world"}
            assert server.connections == 1
            with pytest.raises(ConnectionLostError):
                await client.get("/broken")
            async with client.stream("GET", "/lines/100000") as response:
                await anext(response.iter_bytes())
            await eventually(lambda: server.open_connections == 0)
            response = await client.stream("GET", "/lines/100000").__aenter__()
            response.discard()
            await eventually(lambda: server.open_connections == 0)
            with anyio.move_on_after(0.02):
                await client.get("/slow")
            assert (await client.get("/json")).is_success
            assert transport.close_now() == 0
        assert server.open_connections == 1  # whoever made the pool closes it
        assert len(pool.connections) == 1
    await eventually(lambda: server.open_connections == 0)


async def test_the_limits_of_a_pool_that_was_given(server: MockServer, eventually: Any) -> None:
    server.on("/hang", Reply.hang())
    async with httpcore.AsyncConnectionPool(max_connections=1) as pool:
        transport = HttpcoreTransport(pool=pool)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(transport.send, order(f"{server.url}/hang"))
            await eventually(lambda: server.count() == 1)

            class Impatient:
                async def handle_async_request(self, request: httpcore.Request) -> httpcore.Response:
                    request.extensions["timeout"] = {"pool": 0.01}
                    return await pool.handle_async_request(request)

            outcome = await sent(HttpcoreTransport(pool=Impatient()), f"{server.url}/json")
            assert isinstance(outcome, PoolTimeoutError)
            tasks.cancel_scope.cancel()


async def test_a_pool_that_was_given_and_tls() -> None:
    with raw_server(speaking_tls()) as port:
        async with httpcore.AsyncConnectionPool() as pool:
            outcome = await sent(HttpcoreTransport(pool=pool), f"https://127.0.0.1:{port}/")
    assert type(outcome) is CertificateError


async def test_a_proxy(server: MockServer) -> None:
    """To an HTTP proxy a request names its whole URL; the mock server passes for one."""
    server.on("http://api.example.com/x", Reply(json="by proxy"))
    async with httpcore.AsyncHTTPProxy(server.url) as proxy:
        async with AsyncHTTPClient("http://api.example.com", transport=HttpcoreTransport(pool=proxy)) as client:
            assert (await client.get("/x")).json_data == "by proxy"
    assert server.requests[0].headers["host"] == "api.example.com"


async def test_a_proxy_that_refuses(server: MockServer) -> None:
    server.on("*", Reply(407))
    async with httpcore.AsyncHTTPProxy(server.url) as proxy:
        transport = HttpcoreTransport(pool=proxy)
        outcome = await sent(transport, "https://api.example.com/x")
    assert type(outcome) is ConnectError
    assert "the proxy made no connection: 407" in str(outcome)


class Scripted:
    """A pool that answers with what it is given."""

    def __init__(self, response: Callable[[], httpcore.Response]) -> None:
        self.response = response

    async def handle_async_request(self, request: httpcore.Request) -> httpcore.Response:
        return self.response()


class Stream:
    """A body of one chunk for ever, and a connection that others use as well."""

    def __init__(self) -> None:
        self.closed = 0

    def __aiter__(self) -> Any:
        return self

    async def __anext__(self) -> bytes:
        return b"x"

    async def aclose(self) -> None:
        self.closed += 1
        raise ProtocolError("nobody wants to hear of it")


async def test_an_http2_connection_is_not_closed_for_one_body() -> None:
    stream, wire = Stream(), Stream()
    transport = HttpcoreTransport(
        pool=Scripted(
            lambda: httpcore.Response(
                200, content=stream, extensions={"http_version": b"HTTP/2", "network_stream": wire}
            )
        )
    )
    response = await sent(transport, "http://api.example.com/", stream=True)
    assert response.http_version == "HTTP/2"
    assert await anext(response.body) == b"x"
    response.body.discard()
    await transport.aclose()
    assert (stream.closed, wire.closed) == (1, 0)
