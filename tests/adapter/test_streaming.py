"""Responses that are read piece by piece: what they give, and that nothing stays taken however the reading ends."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from sansio_http_anyio import (
    AsyncHTTPClient,
    CircuitBreaker,
    ClientConfig,
    ConfigurationError,
    ConnectionLostError,
    PoolTimeoutError,
    RateLimitError,
    ReadTimeoutError,
    ResponseBodyError,
    ResponseDecodeError,
    ResponseTooLargeError,
    RetryExhaustedError,
    TotalTimeoutError,
)
from tests.fixtures.mock_server import MockServer, Reply

pytestmark = pytest.mark.anyio

QUICK = ClientConfig(retry_backoff_factor=0.001)


@pytest.fixture
async def client(server: MockServer) -> AsyncIterator[AsyncHTTPClient]:
    """One connection at a time: who keeps it is noticed by the next."""
    config = ClientConfig(retry_backoff_factor=0.001, max_connections=1, pool_timeout=0)
    async with AsyncHTTPClient(server.url, config, circuit_breaker=CircuitBreaker()) as client:
        yield client
        await is_healthy(client)
    assert server.open_connections == 0


async def is_healthy(client: AsyncHTTPClient) -> None:
    policies: Any = client.policies
    assert policies.slots.in_use == 0
    assert policies.circuit.permits_out == 0
    assert (await client.get("/json")).status_code == 200


# Reading


async def test_bytes_come_as_they_are_sent(server: MockServer, client: AsyncHTTPClient) -> None:
    server.on("/drip", Reply(body=[b"one", b"two", b"three"], body_pause=0.2, chunked=True))
    async with client.stream("GET", "/drip") as response:
        assert response.status_code == 200 and response.is_success
        assert response.body is not None and response.content == b""
        body: Any = response.body
        chunks = [chunk async for chunk in body]
        assert b"".join(chunks) == b"onetwothree" and len(chunks) > 1  # 3, unless something held us up
        await is_healthy(client)  # the slot is free at the end of the body, not of the block
    assert server.connections == 1


async def test_aread_gives_the_whole_body_which_is_content_from_then_on(
    server: MockServer, client: AsyncHTTPClient
) -> None:
    async with client.stream("GET", "/users/1") as response:
        assert response.json_data is None
        assert await response.aread() == response.content
        assert response.json_data == {"id": 1, "name": "Ada"} and response.text.startswith("{")
        assert response.body is None
        assert await response.aread() == response.content
        assert b"".join([chunk async for chunk in response.iter_bytes()]) == response.content
        assert "".join([text async for text in response.iter_text()]) == response.text
    assert (response.content, len(response.attempts)) == (b'{"id": 1, "name": "Ada"}', 1)
    assert server.connections == 1


async def test_reading_twice_gives_nothing_more(client: AsyncHTTPClient) -> None:
    async with client.stream("GET", "/bytes/10") as response:
        assert [chunk async for chunk in response.iter_bytes()] == [bytes(10)]
        pieces = response.iter_bytes()
        assert [chunk async for chunk in pieces] == [chunk async for chunk in pieces] == []


async def test_an_empty_body(client: AsyncHTTPClient) -> None:
    async with client.stream("DELETE", "/users/1") as response:
        assert [chunk async for chunk in response.iter_bytes()] == []
    async with client.stream("HEAD", "/bytes/100") as response:
        assert [line async for line in response.iter_lines()] == []


@pytest.mark.parametrize(
    ("media_type", "pieces", "text"),
    [
        ("text/plain", ["ä€".encode()[:1], "ä€".encode()[1:4], "ä€".encode()[4:]], "ä€"),
        ("text/plain; charset=iso-8859-1", [b"\xe4", b"\xf6"], "äö"),
        ('text/plain; charset="utf-16"', ["hé".encode("utf-16")[:3], "hé".encode("utf-16")[3:]], "hé"),
    ],
)
async def test_text_by_its_charset(
    media_type: str, pieces: list[bytes], text: str, server: MockServer, client: AsyncHTTPClient
) -> None:
    server.on("/text", Reply(body=pieces, chunked=True, body_pause=0.002, headers={"Content-Type": media_type}))
    async with client.stream("GET", "/text") as response:
        assert "".join([piece async for piece in response.iter_text()]) == text


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        ("text/plain", b"ok \xff"),
        ("text/plain; charset=utf-8", "€".encode()[:2]),
        ("text/plain; charset=no-such-charset", b"x"),
        ("text/plain; charset=hex", b"00"),
        ("text/plain; charset=undefined", b"x"),
    ],
)
async def test_text_that_is_none(media_type: str, body: bytes, server: MockServer, client: AsyncHTTPClient) -> None:
    server.on("/text", Reply(body=body, headers={"Content-Type": media_type}))
    for _ in range(2):
        async with client.stream("GET", "/text") as response:
            with pytest.raises(ResponseDecodeError, match="the body is not text in") as caught:
                async for _ in response.iter_text():
                    pass
            assert caught.value.response is response


async def test_lines_whatever_their_ends_and_pieces(server: MockServer, client: AsyncHTTPClient) -> None:
    text = b"one\ntwo\r\nthree\r\n\rfive\n\nseven\x0bstill\r\nlast"
    lines = ["one", "two", "three", "", "five", "", "seven\x0bstill", "last"]
    for size in (1, 2, 3, 5, 100):
        pieces = [text[at : at + size] for at in range(0, len(text), size)]
        server.on("/lines", Reply(body=pieces, chunked=True))
        async with client.stream("GET", "/lines") as response:
            assert [line async for line in response.iter_lines()] == lines
    server.on("/lines", Reply(body=[b"a\r", b"\nb\r", b"\r"], chunked=True, body_pause=0.002))
    async with client.stream("GET", "/lines") as response:
        assert [line async for line in response.iter_lines()] == ["a", "b", ""]
    server.on("/lines", Reply(404, body=text))
    async with client.stream("GET", "/lines") as response:
        assert [line async for line in response.iter_lines()] == lines


async def test_a_line_is_given_when_it_is_over_and_not_later(server: MockServer, client: AsyncHTTPClient) -> None:
    server.on("/live", Reply(body=b"first\r\nsecond", cut=7, then="hang"))
    async with client.stream("GET", "/live", timeout=5) as response:
        with anyio.fail_after(2):
            async for line in response.iter_lines():
                assert line == "first"
                break


async def test_a_line_that_is_too_long_is_an_error_behind_those_before(
    server: MockServer, client: AsyncHTTPClient
) -> None:
    server.on("/lines", Reply(body=b"one\nthree\nfour\n"))
    async with client.stream("GET", "/lines?token=canary") as response:
        lines = response.iter_lines(max_line_size=4)
        assert await anext(lines) == "one"
        for _ in range(2):  # an end would look like the whole body
            with pytest.raises(
                ResponseTooLargeError, match="a line of the body has more than max_line_size, 4"
            ) as caught:
                await anext(lines)
            assert (caught.value.method, caught.value.phase, caught.value.body_started) == ("GET", "body", True)
            assert caught.value.url is not None and "canary" not in str(caught.value)
    with pytest.raises(ConfigurationError, match="max_line_size: 0 is not allowed"):
        response.iter_lines(max_line_size=0)


async def test_what_is_kept_is_bounded_by_the_client(server: MockServer) -> None:
    async with AsyncHTTPClient(server.url, ClientConfig()) as client:
        async with client.stream("GET", "/bytes/2000") as response:
            response._limit = 1000  # as if it were a hundred megabytes
            with pytest.raises(ResponseTooLargeError, match="max_response_size, 1000 bytes") as caught:
                await response.aread()
        assert caught.value.url == f"{server.url}/bytes/2000"
        assert client.policies.slots is not None and client.policies.slots.in_use == 0
        assert (await client.get("/json")).is_success
    assert ClientConfig().max_response_size == 104_857_600


async def test_a_read_that_is_cancelled_does_not_look_like_the_end(server: MockServer, client: AsyncHTTPClient) -> None:
    server.on("/live", Reply(body=b"onetwo", cut=3, then="hang"))
    async with client.stream("GET", "/live") as response:
        pieces = response.iter_bytes()
        assert await anext(pieces) == b"one"
        with anyio.move_on_after(0.05):
            await anext(pieces)
        with pytest.raises(ResponseBodyError, match="cancelled"):
            await anext(pieces)


async def test_a_long_line_costs_no_more_than_its_length(server: MockServer, client: AsyncHTTPClient) -> None:
    async with client.stream("GET", "/bytes/8000000") as response:
        (line,) = [line async for line in response.iter_lines(max_line_size=None)]
    assert len(line) == 8_000_000


# Leaving early


@pytest.mark.parametrize("how", ["unread", "bytes", "text", "lines", "raise", "cancel"])
async def test_leaving_early_closes_the_connection_and_frees_the_slot(
    how: str, server: MockServer, client: AsyncHTTPClient, eventually: Any
) -> None:
    with anyio.CancelScope() as scope:
        try:
            async with client.stream("GET", "/lines/100000") as response:
                iterate = {"text": response.iter_text, "lines": response.iter_lines}.get(how, response.iter_bytes)
                async for _ in iterate():
                    if how == "raise":
                        raise ZeroDivisionError
                    if how == "cancel":
                        scope.cancel()
                        await anyio.sleep(1)
                    break
        except ZeroDivisionError:
            pass
    await eventually(lambda: server.open_connections == 0)
    await is_healthy(client)
    assert server.connections == 2
    gc.collect()  # a generator of httpcore's that was left half-way would say so on trio


async def test_a_stream_that_is_never_entered_is_nothing(server: MockServer, client: AsyncHTTPClient) -> None:
    client.stream("GET", "/json")
    assert server.connections == 0


async def test_a_stream_can_be_entered_again(server: MockServer, client: AsyncHTTPClient) -> None:
    stream = client.stream("GET", "/json")
    for _ in range(2):
        async with stream as response:
            await response.aread()
    assert server.count("/json") == 2


async def test_an_open_stream_holds_its_slot(server: MockServer, client: AsyncHTTPClient) -> None:
    async with client.stream("GET", "/lines/100000"):
        with pytest.raises(PoolTimeoutError):
            await client.get("/json")


async def test_a_discarded_body_is_closed_and_the_next_request_works(
    server: MockServer, client: AsyncHTTPClient, eventually: Any
) -> None:
    for read in (False, True):
        response = await client.stream("GET", "/lines/100000").__aenter__()
        if read:
            await anext(response.iter_bytes())
        response.discard()
        response.discard()
        await eventually(lambda: server.open_connections == 0)
        await is_healthy(client)
    assert server.connections == 3


# Failing


@pytest.mark.parametrize(
    ("reply", "cause"),
    [
        (Reply(body=bytes(1000), cut=100), ConnectionLostError),
        (Reply(body=bytes(1000), cut=100, then="reset"), ConnectionLostError),
        (Reply(body=[b"a" * 100, b"b"], chunked=True, cut=50), ConnectionLostError),
    ],
)
async def test_a_body_that_fails_is_an_error_in_the_reader_and_not_retried(
    reply: Reply, cause: type[Exception], server: MockServer, client: AsyncHTTPClient
) -> None:
    server.on("/broken", reply)
    async with client.stream("GET", "/broken") as response:
        with pytest.raises(ResponseBodyError) as caught:
            await response.aread()
        assert isinstance(caught.value.__cause__, cause)
        assert (caught.value.phase, caught.value.body_started) == ("body", True)
        assert [chunk async for chunk in response.iter_bytes()] == []
        await is_healthy(client)
    assert server.count("/broken") == 1


async def test_a_body_that_fails_in_a_buffered_call_is_an_attempt_that_failed(
    server: MockServer, client: AsyncHTTPClient
) -> None:
    server.on("/broken", Reply(body=bytes(9), cut=5), Reply(body=bytes(9), cut=5, then="reset"), Reply(json=1))
    response = await client.get("/broken")
    assert response.json_data == 1
    assert [attempt.reason for attempt in response.attempts] == ["transport", "transport", None]
    server.on("/broken", Reply(body=bytes(1000), cut=100))
    with pytest.raises(ConnectionLostError) as caught:
        await client.post("/broken")
    assert (caught.value.phase, caught.value.body_started) == ("body", True)


async def test_the_breaker_judges_a_stream_by_its_head(server: MockServer) -> None:
    server.on("/broken", Reply(body=bytes(1000), cut=100))
    breaker = CircuitBreaker(failure_threshold=1)
    async with AsyncHTTPClient(server.url, circuit_breaker=breaker) as client:
        async with client.stream("GET", "/broken") as response:
            assert breaker.permits_out == 0
            with pytest.raises(ResponseBodyError):
                await response.aread()
        assert breaker.state == "CLOSED" and breaker.failures == 0


# Time


async def test_the_timeout_is_for_the_head_alone(server: MockServer, client: AsyncHTTPClient) -> None:
    server.on("/slow-body", Reply(body=[b"a"] * 6, body_pause=0.25, chunked=True))
    server.on("/slow-head", Reply(delay=5))
    async with client.stream("GET", "/slow-body", timeout=1) as response:
        assert await response.aread() == b"aaaaaa"
    with pytest.raises(TotalTimeoutError) as caught:
        async with client.stream("GET", "/slow-head", timeout=0.2):
            pass  # pragma: no cover
    assert caught.value.phase == "head"


async def test_the_read_timeout_is_for_each_read(server: MockServer, eventually: Any) -> None:
    server.on("/stalled", Reply(body=bytes(100), cut=50, then="hang"))
    server.on("/slow", Reply(body=[b"a"] * 8, body_pause=0.15, chunked=True))
    async with AsyncHTTPClient(server.url, ClientConfig(read_timeout=1)) as client:
        async with client.stream("GET", "/slow") as response:
            assert await response.aread() == b"aaaaaaaa"
        async with client.stream("GET", "/stalled") as response:
            await anyio.sleep(1.1)  # while nobody reads it does not run
            assert await anext(response.iter_bytes()) == bytes(50)
            with pytest.raises(ResponseBodyError) as caught:
                await anext(response.iter_bytes())
        assert isinstance(caught.value.__cause__, ReadTimeoutError)
        await eventually(lambda: server.open_connections == 0)


async def test_what_was_let_go_of_does_not_look_like_a_whole_body(server: MockServer) -> None:
    server.on("/slow", Reply(body=[b"a"] * 5, body_pause=0.01, chunked=True))
    async with AsyncHTTPClient(server.url) as client:
        async with client.stream("GET", "/slow") as response:
            pieces = response.iter_bytes()
            assert await anext(pieces) == b"a"
            with pytest.raises(ResponseBodyError, match="in pieces already"):
                await response.aread()
        with pytest.raises(ResponseBodyError, match="closed before"):
            await anext(pieces)


async def test_a_stream_that_nobody_leaves_frees_its_slot_when_it_is_collected(
    server: MockServer, eventually: Any
) -> None:
    """But not in the middle of whatever the garbage collector has come into."""
    server.on("/hangs", Reply(body=bytes(100), cut=50, then="hang"))
    async with AsyncHTTPClient(server.url, ClientConfig(max_connections=1)) as client:
        await client.stream("GET", "/hangs").__aenter__()
        gc.collect()
        slots: Any = client.policies.slots
        assert slots.in_use == 1
        await eventually(lambda: slots.in_use == 0)
        assert (await client.get("/json")).is_success


# Answers that are not handed over open


async def test_another_status_than_2xx_is_read_first_up_to_a_limit(server: MockServer) -> None:
    server.on("/big", Reply(404, body=bytes(100_000)))
    server.on("/small", Reply(404, json={"error": "gone"}))
    server.on("/exact", Reply(404, body=bytes(1000)))
    config = ClientConfig(error_body_limit=1000)
    async with AsyncHTTPClient(server.url, config) as client:
        slots: Any = client.policies.slots
        async with client.stream("GET", "/small") as response:
            assert slots.in_use == 0
            assert (response.body, response.json_data) == (None, {"error": "gone"})
        async with client.stream("GET", "/exact") as response:
            assert len(response.content) == 1000
        assert server.connections == 1
        async with client.stream("GET", "/big") as response:
            assert len(response.content) == 1000
            assert await response.aread() == response.content
            assert slots.in_use == 0
        assert (await client.get("/big")).content == bytes(100_000)
        assert server.connections == 2
    assert ClientConfig().error_body_limit == 65_536


async def test_a_stream_is_retried_until_its_head_is_good(server: MockServer, client: AsyncHTTPClient) -> None:
    server.on("/x", Reply(429, json=[1], headers={"Retry-After": "0"}), Reply.reset(), Reply(503), Reply(json=[2]))
    async with client.stream("GET", "/x") as response:
        assert response.status_code == 200
        # The reset was of a kept connection, which is replaced at once.
        assert [(attempt.status_code, attempt.sends) for attempt in response.attempts] == [(429, 1), (503, 2), (200, 1)]
        assert response.body is not None
        assert await response.aread() == b"[2]"


async def test_a_stream_whose_head_is_never_good(server: MockServer, client: AsyncHTTPClient) -> None:
    server.on("/busy", Reply(429, json={"why": "busy"}))
    for path, error in (("/busy", RateLimitError), ("/status/503", RetryExhaustedError)):
        with pytest.raises(error) as caught:
            async with client.stream("GET", path):
                pass  # pragma: no cover
        assert len(caught.value.attempts) == 4
    await is_healthy(client)


async def test_an_error_body_that_fails_is_an_attempt_that_failed(server: MockServer, client: AsyncHTTPClient) -> None:
    server.on("/x", Reply(500, body=bytes(100), cut=10), Reply(json=1))
    async with client.stream("GET", "/x") as response:
        assert await response.aread() == b"1"
        assert [attempt.reason for attempt in response.attempts] == ["transport", None]


async def test_redirects_of_a_stream(server: MockServer) -> None:
    client = AsyncHTTPClient(server.url, ClientConfig(follow_redirects=True))
    async with client, client.stream("GET", "/redirect", params={"to": "/bytes/3"}) as response:
        assert await response.aread() == bytes(3)
        assert response.attempts[0].sends == 2
    assert server.connections == 1


async def test_closing_the_client_during_a_stream(server: MockServer, eventually: Any) -> None:
    server.on("/half", Reply(body=bytes(1000), cut=10, then="hang"))
    client = AsyncHTTPClient(server.url)
    async with client.stream("GET", "/half") as response:
        pieces = response.iter_bytes()
        await anext(pieces)
        await client.aclose()
        with pytest.raises(ResponseBodyError):
            await anext(pieces)
    slots: Any = client.policies.slots
    assert slots.in_use == 0 and server.open_connections == 0
