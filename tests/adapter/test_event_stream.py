"""Server-sent events: over several connections, never without an end, and nothing stays taken however it is left."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from sansio_http import HTTPResponse, Policies, Send
from sansio_http_anyio import (
    AsyncHTTPClient,
    ClientClosedError,
    ClientConfig,
    ConfigurationError,
    HttpcoreTransport,
    HTTPResponseError,
    InvalidRequestError,
    PoolTimeoutError,
    QuotaBudget,
    ResponseBodyError,
    ResponseDecodeError,
    ResponseTooLargeError,
    RetryExhaustedError,
    RetryPolicy,
    ServerSentEvent,
)
from tests.adapter.answering import Answering
from tests.fixtures.mock_server import MockServer, Received, Reply
from tests.fixtures.virtual_loop import run_virtual

pytestmark = pytest.mark.anyio

TYPE = {"Content-Type": "text/event-stream"}
NO_MORE = Reply(204)
SOON = b"retry: 1\n\n"


def stream(*pieces: bytes, **more: Any) -> Reply:
    return Reply(body=pieces, chunked=True, headers=TYPE, **more)


@pytest.fixture
async def client(server: MockServer) -> AsyncIterator[AsyncHTTPClient]:
    """One connection at a time: who keeps it is noticed by the next."""
    config = ClientConfig(retry_backoff_factor=0.001, max_connections=1, pool_timeout=0)
    async with AsyncHTTPClient(server.url, config) as client:
        yield client
        await is_healthy(client)
    assert server.open_connections == 0


async def is_healthy(client: AsyncHTTPClient) -> None:
    assert client.policies.slots is not None and client.policies.slots.in_use == 0
    assert (await client.get("/json")).status_code == 200


def told(server: MockServer) -> list[str | None]:
    """What each request has said of the last event."""
    return [request.headers.get("last-event-id") for request in server.requests if request.path == "/events"]


# Reading


async def test_events_are_given_as_they_come(server: MockServer, client: AsyncHTTPClient) -> None:
    server.on("/events", stream(b"id: 1\ndata: o", b"ne\n\n", b'event: add\ndata: {"n": 2}\r\n\r\n'), NO_MORE)
    async with client.sse("/events", params={"q": 1}, headers={"X-A": "a"}, reconnect=False) as events:
        assert events.response.status_code == 200
        assert await anext(events) == ServerSentEvent("one", id="1")
        assert events.last_event_id == "1"
        second = await anext(events)
        assert (second.event, second.id, second.json_data) == ("add", "1", {"n": 2})
        assert [event async for event in events] == [event async for event in events] == []
        await is_healthy(client)  # the slot is free at the end of the stream, not of the block
    (request, _) = server.requests
    assert (request.query, request.headers["x-a"]) == ("q=1", "a")
    assert (request.headers["accept"], request.headers["cache-control"]) == ("text/event-stream", "no-store")
    assert server.connections == 1


async def test_what_the_caller_accepts_is_the_callers_matter(server: MockServer, client: AsyncHTTPClient) -> None:
    server.on("/events", NO_MORE)
    async with client.sse("/events", headers={"accept": "text/event-stream, */*"}) as events:
        assert [event async for event in events] == []
    assert server.requests[0].headers["accept"] == "text/event-stream, */*"


async def test_an_event_is_given_when_it_is_over_and_not_later(server: MockServer, client: AsyncHTTPClient) -> None:
    server.on("/events", Reply(body=b"data: one\r\n\rdata: two", cut=12, then="hang", headers=TYPE))
    with anyio.fail_after(20):
        async with client.sse("/events") as events:
            async for event in events:
                assert event.data == "one"
                break


# Connections


async def test_a_stream_that_ends_goes_on_behind_the_last_event(server: MockServer, client: AsyncHTTPClient) -> None:
    server.on(
        "/events",
        stream(SOON, b"id: a\xc3\xa4\ndata: 1\n\n", b"id: lost\ndata: half"),
        stream(b"\xef\xbb\xbfdata: 2\n\nid\n\n"),
        stream(b"data: 3\n\n"),
        NO_MORE,
    )
    async with client.sse("/events", last_event_id="0") as events:
        assert [(event.data, event.id) async for event in events] == [("1", "aä"), ("2", "aä"), ("3", "")]
        assert events.response.status_code == 204
    assert told(server) == ["0", "a\xc3\xa4", None, None]


@pytest.mark.parametrize("then", ["close", "reset"])
async def test_so_does_one_that_breaks_off(then: Any, server: MockServer, client: AsyncHTTPClient) -> None:
    body = b"retry: 1\nid: 7\ndata: x\n\ndata: half"
    broken = Reply(body=body, cut=len(body) - 1, then=then, headers={**TYPE, "Content-Length": "1000"})
    server.on("/events", broken, Reply(503), stream(b"data: y\n\n"), NO_MORE)
    async with client.sse("/events") as events:
        assert [event.data async for event in events] == ["x", "y"]
    assert told(server) == [None, "7", "7", "7"]


async def test_so_does_one_that_says_nothing_for_too_long(server: MockServer) -> None:
    server.on("/events", Reply(body=b"retry: 1\nid: 7\n\n....", cut=16, then="hang", headers=TYPE), NO_MORE)
    async with AsyncHTTPClient(server.url, ClientConfig(read_timeout=0.3, retry_backoff_factor=0.001)) as client:
        async with client.sse("/events") as events:
            assert [event async for event in events] == []
    assert told(server)[-1] == "7"


async def test_a_read_that_is_cancelled_is_made_up_for(server: MockServer, client: AsyncHTTPClient) -> None:
    first = b"retry: 1\nid: 7\ndata: x\n\n"
    server.on("/events", Reply(body=first + b"more", cut=len(first), then="hang", headers=TYPE), stream(b"data: y\n\n"))
    async with client.sse("/events") as events:
        assert (await anext(events)).data == "x"
        with anyio.move_on_after(0.05) as scope:
            await anext(events)
        assert scope.cancelled_caught
        assert (await anext(events)).data == "y"
    assert told(server) == [None, "7"]


async def test_what_must_not_be_asked_for_twice_is_not(server: MockServer, client: AsyncHTTPClient) -> None:
    server.on("POST /events", stream(SOON, b"data: 1\n\n"), Reply(404))
    async with client.sse("/events", method="POST", json={"a": 1}) as events:
        assert [event.data async for event in events] == ["1"]
    body = b"data: 1\n\ndata: 2"
    server.on("POST /events", Reply(body=body, cut=len(body) - 1, headers={**TYPE, "Content-Length": "1000"}))
    async with client.sse("/events", method="POST", json={"a": 1}) as events:
        assert (await anext(events)).data == "1"
        for _ in range(2):  # an end would look like the whole answer
            with pytest.raises(ResponseBodyError):
                await anext(events)
    assert server.count("/events") == 2


async def test_a_post_that_was_redirected_to_a_get_is_still_a_post(server: MockServer, client: AsyncHTTPClient) -> None:
    server.on("POST /ask", Reply(303, headers={"Location": "/events"}))
    server.on("GET /events", stream(SOON, b"data: 1\n\n"), Reply(404))
    async with client.sse("/ask", method="POST", follow_redirects=True) as events:
        assert [event.data async for event in events] == ["1"]
    assert (server.count("/ask"), server.count("/events")) == (1, 1)


async def test_what_the_caller_vouches_for_is(server: MockServer, client: AsyncHTTPClient) -> None:
    server.on("POST /events", stream(SOON, b"id: 1\ndata: 1\n\n"), NO_MORE)
    async with client.sse("/events", method="POST", json={"a": 1}, idempotent=True) as events:
        assert [event.data async for event in events] == ["1"]
    assert told(server) == [None, "1"]
    assert [request.body for request in server.requests] == [b'{"a":1}'] * 2


async def test_a_body_that_is_used_up_is_not_sent_again(server: MockServer, client: AsyncHTTPClient) -> None:
    server.on("POST /events", stream(SOON, b"data: 1\n\n"), Reply(404))
    async with client.sse("/events", method="POST", data=iter([b"x"]), idempotent=True) as events:
        assert [event.data async for event in events] == ["1"]
    assert server.count("/events") == 1


# Bounds


async def test_reconnections_that_bring_nothing_are_bounded(server: MockServer, client: AsyncHTTPClient) -> None:
    server.on("/events", stream(SOON))
    async with client.sse("/events") as events:
        for _ in range(2):
            with pytest.raises(RetryExhaustedError, match="3 reconnections in a row brought no event") as caught:
                await anext(events)
            assert (caught.value.reason, caught.value.status_code, len(caught.value.attempts)) == ("attempts", 200, 1)
    assert server.count("/events") == 4


async def test_reconnections_are_paid_from_the_retry_budget(server: MockServer) -> None:
    def answer(request: Received) -> Reply:
        return stream(SOON, b"data: x\n\n") if server.count("/events") <= 10 else stream(b":\n")

    server.on("/events", answer)
    config = ClientConfig(retry_attempts=100, retry_backoff_factor=0.0001, retry_budget=35)
    async with AsyncHTTPClient(server.url, config) as client:
        budget: Any = client.policies.retry_budget
        async with client.sse("/events") as events:
            for _ in range(10):
                await anext(events)
            assert budget.tokens == 35  # what brings events costs nothing in the end
            with pytest.raises(RetryExhaustedError) as caught:
                await anext(events)
    assert caught.value.reason == "budget"
    assert 12 <= server.count("/events") <= 13 and budget.tokens < 14


async def test_policies_of_one_stream(server: MockServer, client: AsyncHTTPClient) -> None:
    server.on("/events", stream(SOON))
    budget = QuotaBudget(0)
    for policies, expected in (
        (Policies(retry=RetryPolicy(), retry_budget=budget), ("budget", 0.001)),
        (Policies(retry=RetryPolicy(retry_after_max=0.0)), ("retry_after", 0.001)),
    ):
        async with client.sse("/events", policies=policies) as events:
            with pytest.raises(RetryExhaustedError) as caught:
                await anext(events)
        assert (caught.value.reason, caught.value.retry_after) == expected
    for unbounded in (Policies(), Policies(retry=RetryPolicy(retries=0))):
        async with client.sse("/events", policies=unbounded) as events:
            assert [event async for event in events] == []
    assert server.count("/events") == 4


async def test_an_event_that_is_too_large(server: MockServer, client: AsyncHTTPClient) -> None:
    server.on("/events", stream(SOON, b"data: x\n\ndata: 123456789\n\n"))
    async with client.sse("/events", max_event_size=14) as events:
        assert (await anext(events)).data == "x"
        for _ in range(2):
            with pytest.raises(ResponseTooLargeError, match="max_event_size, 14 characters") as caught:
                await anext(events)
            assert (caught.value.method, caught.value.url) == ("GET", f"{server.url}/events")
    assert server.count("/events") == 1


async def test_a_stream_is_bounded_where_the_client_says_so(server: MockServer) -> None:
    server.on("/events", stream(SOON, b"data: x\n\n", b":" * 1000))
    async with AsyncHTTPClient(server.url, ClientConfig(max_response_size=100)) as client:
        async with client.sse("/events") as events:
            with pytest.raises(ResponseTooLargeError, match="max_response_size"):
                [event async for event in events]
    assert server.count("/events") == 1


# Answers that are none


@pytest.mark.parametrize(
    ("reply", "error", "text"),
    [
        (Reply(json={}), ResponseDecodeError, "the 200 response says 'application/json'"),
        (Reply(body=b"data: x\n\n"), ResponseDecodeError, "the 200 response says ''"),
        (Reply(302, headers={"Location": "/json", **TYPE}), ResponseDecodeError, "the 302 response"),
        (Reply(404, headers=TYPE), HTTPResponseError, "404"),
    ],
)
async def test_an_answer_that_is_no_event_stream(
    reply: Reply, error: type[Exception], text: str, server: MockServer, client: AsyncHTTPClient
) -> None:
    server.on("/events", reply)
    with pytest.raises(error, match=text):
        async with client.sse("/events"):
            pass  # pragma: no cover
    await is_healthy(client)
    server.on("/events", stream(SOON, b"data: x\n\n"), reply)
    async with client.sse("/events") as events:
        assert (await anext(events)).data == "x"
        for _ in range(2):
            with pytest.raises(error, match=text):
                await anext(events)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"max_event_size": 0}, "max_event_size: 0 is not allowed"),
        ({"last_event_id": "a\n"}, "last_event_id"),
        ({"reconnect": 1}, "reconnect: 1 is not allowed"),
        ({"headers": {"a b": "c"}}, "'a b' is not a header name"),
    ],
)
async def test_bad_arguments(options: Any, text: str, client: AsyncHTTPClient) -> None:
    with pytest.raises((ConfigurationError, InvalidRequestError), match=text):
        client.sse("/events", **options)


# Leaving


@pytest.mark.parametrize("how", ["unread", "break", "raise", "cancel"])
async def test_leaving_early_closes_the_connection_and_frees_the_slot(
    how: str, server: MockServer, client: AsyncHTTPClient, eventually: Any
) -> None:
    body = b"data: x\n\n"
    server.on("/events", Reply(body=body * 2, cut=len(body), then="hang", headers=TYPE))
    with anyio.CancelScope() as scope:
        try:
            async with client.sse("/events") as events:
                with pytest.raises(PoolTimeoutError):
                    await client.get("/json")  # it holds its slot
                if how != "unread":
                    async for _ in events:
                        if how == "raise":
                            raise ZeroDivisionError
                        if how == "break":
                            break
                        scope.cancel()
        except ZeroDivisionError:
            pass
    await eventually(lambda: server.open_connections == 0)
    await is_healthy(client)
    gc.collect()


async def test_outside_of_the_block_there_is_nothing_to_read(server: MockServer, client: AsyncHTTPClient) -> None:
    server.on("/events", stream(b"data: x\n\ndata: y\n\n"))
    async with client.sse("/events") as events:
        await anext(events)
    with pytest.raises(ResponseBodyError, match="was closed before"):
        await anext(events)


async def test_over_another_transport(server: MockServer, eventually: Any) -> None:
    first = b"retry: 1\nid: 7\ndata: x\n\n"
    hanging = Reply(body=first + b"more", cut=len(first), then="hang", headers=TYPE)
    server.on("/events", stream(first), hanging, stream(b"data: y\n\n"), NO_MORE)
    config = ClientConfig(max_connections=1, pool_timeout=0, retry_backoff_factor=0.001)
    async with AsyncHTTPClient(server.url, config, transport=HttpcoreTransport(config)) as client:
        async with client.sse("/events") as events:
            assert [(await anext(events)).data for _ in range(2)] == ["x", "x"]
            with anyio.move_on_after(0.05):
                await anext(events)
            assert [event.data async for event in events] == ["y"]
        assert told(server) == [None, "7", "7", "7"]
        server.on("/events", hanging)
        async with client.sse("/events") as events:
            await anext(events)
        await is_healthy(client)
    await eventually(lambda: server.open_connections == 0)


@pytest.mark.asyncio_only("native cancellation is asyncio's")
async def test_a_task_that_is_cancelled_natively(server: MockServer, client: AsyncHTTPClient, eventually: Any) -> None:
    server.on("/events", Reply(body=b"data: x\n\n....", cut=9, then="hang", headers=TYPE))
    seen: list[str] = []

    async def read() -> None:
        async with client.sse("/events") as events:
            async for event in events:
                seen.append(event.data)

    task = asyncio.create_task(read())
    await eventually(lambda: seen)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await eventually(lambda: server.open_connections == 0)


async def test_a_client_that_is_closed_ends_the_wait_for_a_reconnection(server: MockServer, eventually: Any) -> None:
    server.on("/events", stream(b"retry: 60000\n\n"))
    client = AsyncHTTPClient(server.url)
    budget: Any = client.policies.retry_budget
    async with client.sse("/events") as events, anyio.create_task_group() as tasks:

        async def read() -> None:
            with pytest.raises(ClientClosedError):
                await anext(events)

        tasks.start_soon(read)
        await eventually(lambda: budget.tokens < 500)  # it waits
        await client.aclose()
    assert server.count("/events") == 1


# Time


class Pieces:
    """A body that comes in pieces and takes a while to end."""

    def __init__(self, *pieces: bytes, lasts: float = 0.0) -> None:
        self.pieces = list(pieces)
        self._lasts = lasts

    def __aiter__(self) -> Pieces:
        return self

    async def __anext__(self) -> bytes:
        if self.pieces:
            return self.pieces.pop(0)
        await anyio.sleep(self._lasts)
        raise StopAsyncIteration

    async def aclose(self) -> None:
        pass

    def discard(self) -> None:
        pass


def waits(backend: str, *bodies: Pieces, most: int = 3) -> tuple[list[float], Any]:
    """When each request came, in virtual time, and what the budget was left with."""
    asked: list[float] = []
    left = list(bodies)
    expected = ["x" for body in bodies for piece in body.pieces if piece.startswith(b"data")]

    def answer(send: Send) -> HTTPResponse:
        asked.append(anyio.current_time())
        if not left:
            return HTTPResponse(204)
        return HTTPResponse(200, TYPE, body=left.pop(0))

    async def main() -> Any:
        config = ClientConfig(retry_jitter="none", retry_attempts=most)
        transport = Answering(answer)
        async with AsyncHTTPClient("http://h", config, transport=transport, clock=anyio.current_time) as client:
            async with client.sse("/events") as events:
                assert [event.data async for event in events] == expected
            return client.policies.retry_budget

    budget = run_virtual(backend, main)
    return [round(each - asked[0], 3) for each in asked], budget


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_wait_is_the_servers_or_three_seconds_and_a_backoff(backend: str) -> None:
    asked, _ = waits(backend, Pieces(b":\n"), Pieces(b"retry: 10000\n\n"), Pieces(b"data: x\n\n"))
    assert asked == [0.0, 4.0, 16.0, 27.0]  # 3 + 1, 10 + 2, and from the start again: 10 + 1


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_quiet_stream_that_is_cut_off_again_and_again_goes_on(backend: str) -> None:
    asked, budget = waits(backend, *(Pieces(lasts=60.0) for _ in range(5)), most=1)
    assert asked == [0.0, 64.0, 128.0, 192.0, 256.0, 320.0]
    assert budget.tokens == 500


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_wait_that_is_left_is_not_paid_for(backend: str) -> None:
    async def main() -> None:
        transport = Answering(lambda send: HTTPResponse(200, TYPE, body=Pieces(b"id: 1\n\n")))
        async with AsyncHTTPClient("http://h", transport=transport, clock=anyio.current_time) as client:
            budget: Any = client.policies.retry_budget
            async with client.sse("/events") as events:
                with anyio.move_on_after(1):
                    await anext(events)
                assert budget.tokens == 500 - 14
                with anyio.move_on_after(1):
                    await anext(events)
                assert events.last_event_id == "1"
            assert budget.tokens == 500
        assert len(transport.sends) == 1

    run_virtual(backend, main)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_reconnection_that_is_cancelled_is_made_up_for(backend: str) -> None:
    async def main() -> None:
        bodies = [Pieces(b"retry: 0\n\n"), Pieces(b"data: x\n\n"), Pieces(b"data: y\n\n")]
        transport = Answering(lambda send: HTTPResponse(200, TYPE, body=bodies.pop(0)), after=5.0)
        async with AsyncHTTPClient("http://h", transport=transport, clock=anyio.current_time) as client:
            async with client.sse("/events") as events:
                with anyio.move_on_after(5):
                    await anext(events)
                assert len(transport.sends) == 2
                assert (await anext(events)).data == "x"
            assert client.policies.slots is not None and client.policies.slots.in_use == 0
        assert len(transport.sends) == 3

    run_virtual(backend, main)
