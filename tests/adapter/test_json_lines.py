"""JSON Lines: typed, bounded, and an error says which line it is about."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any

import anyio
import pytest
from pydantic import Field

from sansio_http_anyio import (
    AsyncHTTPClient,
    ClientConfig,
    ConfigurationError,
    HTTPResponseError,
    InvalidRequestError,
    OrjsonSerializer,
    PoolTimeoutError,
    ResponseBodyError,
    ResponseDecodeError,
    ResponseTooLargeError,
    ResponseValidationError,
)
from tests.fixtures.mock_server import MockServer, Reply

pytestmark = pytest.mark.anyio


@dataclass
class Line:
    line: int


@pytest.fixture
async def client(server: MockServer) -> AsyncIterator[AsyncHTTPClient]:
    """One connection at a time: who keeps it is noticed by the next."""
    async with AsyncHTTPClient(server.url, ClientConfig(max_connections=1, pool_timeout=0)) as client:
        yield client
        await is_healthy(client)
    assert server.open_connections == 0


async def is_healthy(client: AsyncHTTPClient) -> None:
    assert client.policies.slots is not None and client.policies.slots.in_use == 0
    assert (await client.get("/json")).status_code == 200


async def test_lines_are_typed(server: MockServer, client: AsyncHTTPClient) -> None:
    async with client.jsonl("/lines/{n}", path={"n": 3}, response_type=Line) as lines:
        assert lines.line == 0 and lines.response.status_code == 200
        assert [line async for line in lines] == [Line(0), Line(1), Line(2)]
        assert [line async for line in lines] == [] and lines.line == 3
        await is_healthy(client)  # the slot is free at the end of the body, not of the block
    assert server.connections == 1


async def test_without_a_type_they_are_what_their_json_is(server: MockServer, client: AsyncHTTPClient) -> None:
    text = '\ufeff{"a": "ä"}\r\n\n \t\r\n[1,\r2]\nnull\n7'
    for size in (1, 3, 100):
        pieces = [text.encode()[at : at + size] for at in range(0, len(text.encode()), size)]
        server.on("/x", Reply(body=pieces, chunked=True))
        async with client.jsonl("/x") as lines:
            assert [line async for line in lines] == [{"a": "ä"}, [1, 2], None, 7]
            assert lines.line == 6


@pytest.mark.parametrize("response_type", [None, Any, int | str])
async def test_bytes_that_are_no_text_are_a_matter_of_their_line(
    server: MockServer, client: AsyncHTTPClient, response_type: Any
) -> None:
    server.on("/x", Reply(body=[b'1\n"\xff', b'"\n"\xc3', b'\xa4"\n', b"\xff"], chunked=True))
    had: list[Any] = []
    async with client.jsonl("/x", response_type=response_type) as lines:
        while True:
            try:
                had.append(await anext(lines))
            except ResponseDecodeError as error:
                had.append(str(error))
            except StopAsyncIteration:
                break
    assert had == [1, "line 2 of the 200 response is not JSON", "ä", "line 4 of the 200 response is not JSON"]


async def test_by_the_charset_and_the_serializer_of_the_client(server: MockServer) -> None:
    server.on("/x", Reply(body="1\n[2]\nNaN\n".encode("utf-16"), headers={"Content-Type": "x/y; charset=utf-16"}))
    async with AsyncHTTPClient(server.url, serializer=OrjsonSerializer()) as client:
        async with client.jsonl("/x") as lines:
            assert await anext(lines) == 1
            assert await anext(lines) == [2]
            with pytest.raises(ResponseDecodeError, match="line 3 of the 200 response is not JSON"):
                await anext(lines)


async def test_no_content_is_no_lines(server: MockServer, client: AsyncHTTPClient) -> None:
    server.on("/x", Reply(204))
    async with client.jsonl("/x", method="POST", json=[]) as lines:
        assert [line async for line in lines] == []


@pytest.mark.parametrize("response_type", [Line, None])
async def test_a_line_that_is_not_json_says_its_number(
    response_type: Any, server: MockServer, client: AsyncHTTPClient
) -> None:
    server.on("/x", Reply(body=b'{"line": 1}\n\n{"line": canary\n{"line": 4}\n'))
    async with client.jsonl("/x", response_type=response_type) as lines:
        await anext(lines)
        with pytest.raises(ResponseDecodeError, match="line 3 of the 200 response is not JSON") as caught:
            await anext(lines)
        assert caught.value.response is lines.response and "canary" not in f"{caught.value!r}"
        assert await anext(lines) in (Line(4), {"line": 4})  # those behind it can be had


async def test_a_line_of_another_shape_says_its_number(server: MockServer, client: AsyncHTTPClient) -> None:
    server.on("/x", Reply(body=b'{"line": 1}\n{"line": "canary"}\n{"line": 3}\n'))
    async with client.jsonl("/x", response_type=Line) as lines:
        await anext(lines)
        with pytest.raises(
            ResponseValidationError, match=r"^line 2 of the 200 response is not a Line: line: "
        ) as caught:
            await anext(lines)
        assert (caught.value.line, caught.value.problems[0][0], caught.value.status_code) == (2, "line", 200)
        assert "canary" not in f"{caught.value!r}"
        assert await anext(lines) == Line(3)


async def test_a_type_that_has_no_hash(server: MockServer, client: AsyncHTTPClient) -> None:
    async with client.jsonl("/lines/1", response_type=Annotated[dict[str, int], Field(examples=[[]])]) as lines:
        assert [line async for line in lines] == [{"line": 0}]


async def test_a_line_that_is_too_long(server: MockServer, client: AsyncHTTPClient) -> None:
    server.on("/x", Reply(body=b'{"line": 1}\n"3456789012"\n{}'))
    async with client.jsonl("/x", max_line_size=11) as lines:
        assert await anext(lines) == {"line": 1}
        for _ in range(2):  # an end would look like the whole answer
            with pytest.raises(ResponseTooLargeError, match="max_line_size, 11 characters") as caught:
                await anext(lines)
            assert (caught.value.method, caught.value.url) == ("GET", f"{server.url}/x")


async def test_an_answer_that_breaks_off_is_not_asked_for_again(server: MockServer, client: AsyncHTTPClient) -> None:
    server.on("/x", Reply(body=b"1\n2\n3\n", cut=3))
    async with client.jsonl("/x", response_type=int) as lines:
        assert await anext(lines) == 1
        for _ in range(2):
            with pytest.raises(ResponseBodyError):
                await anext(lines)
    assert server.count("/x") == 1


async def test_a_read_that_is_cancelled_does_not_look_like_the_end(server: MockServer, client: AsyncHTTPClient) -> None:
    server.on("/x", Reply(body=b"1\n2\n", cut=2, then="hang"))
    async with client.jsonl("/x") as lines:
        assert await anext(lines) == 1
        with anyio.move_on_after(0.05):
            await anext(lines)
        with pytest.raises(ResponseBodyError, match="cancelled"):
            await anext(lines)


@pytest.mark.parametrize(
    ("reply", "error"), [(Reply(404), HTTPResponseError), (Reply(302, headers={"Location": "/"}), ResponseDecodeError)]
)
async def test_an_answer_that_is_none(
    reply: Reply, error: type[Exception], server: MockServer, client: AsyncHTTPClient
) -> None:
    server.on("/x", reply)
    with pytest.raises(error, match=str(reply.status)):
        async with client.jsonl("/x"):
            pass  # pragma: no cover


async def test_bad_arguments(client: AsyncHTTPClient) -> None:
    with pytest.raises(ConfigurationError, match="max_line_size: -1 is not allowed"):
        client.jsonl("/x", max_line_size=-1)
    with pytest.raises(InvalidRequestError, match="response_type"):
        client.jsonl("/x", response_type=object())


@pytest.mark.parametrize("how", ["unread", "break", "raise", "cancel"])
async def test_leaving_early_closes_the_connection_and_frees_the_slot(
    how: str, server: MockServer, client: AsyncHTTPClient, eventually: Any
) -> None:
    server.on("/x", Reply(body=b"1\n2\n", cut=2, then="hang"))
    with anyio.CancelScope() as scope:
        try:
            async with client.jsonl("/x") as lines:
                with pytest.raises(PoolTimeoutError):
                    await client.get("/json")  # it holds its slot
                if how != "unread":
                    async for _ in lines:
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


async def test_outside_of_the_block_there_is_nothing_to_read(client: AsyncHTTPClient) -> None:
    async with client.jsonl("/lines/9") as lines:
        await anext(lines)
    with pytest.raises(ResponseBodyError, match="were closed before"):
        await anext(lines)
