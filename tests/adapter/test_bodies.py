"""What goes up: content of every kind, again where it can be sent again, and forms with files."""

from __future__ import annotations

import io
import os
import re
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from sansio_http import Ended, Send
from sansio_http_anyio import (
    AsyncHTTPClient,
    Body,
    ClientConfig,
    HttpcoreTransport,
    HTTPRequest,
    InvalidRequestError,
    Middleware,
    RetryExhaustedError,
)
from tests.adapter.answering import Answering
from tests.fixtures.mock_server import MockServer, Reply

pytestmark = pytest.mark.anyio

QUICK = ClientConfig(retry_backoff_factor=0.001)
BIG = bytes(range(256)) * 1000


async def agenerator() -> AsyncIterator[bytes]:
    for piece in (b"one ", b"", b"two"):
        yield piece


def generator() -> Iterator[bytes]:
    yield from (b"one ", b"", bytearray(b"two"))  # type: ignore[misc]  # as a caller may


class AsyncAgain:
    """It can be iterated over any number of times."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        return agenerator()


class Again:
    """Likewise, in a plain way."""

    def __iter__(self) -> Iterator[bytes]:
        return generator()


@pytest.fixture
def big(tmp_path: Path) -> Path:
    """A file of a quarter of a megabyte."""
    path = tmp_path / "big.bin"
    path.write_bytes(BIG)
    return path


STREAMS: list[tuple[Callable[[], Any], str]] = [
    (agenerator, "once"),
    (generator, "once"),
    (AsyncAgain, "yes"),
    (Again, "yes"),
    (lambda: agenerator, "yes"),
    (lambda: generator, "yes"),
]


@pytest.mark.parametrize(("make", "replay"), STREAMS)
async def test_streams_go_in_chunks_and_again_where_they_can(
    make: Callable[[], Any], replay: str, server: MockServer
) -> None:
    server.on("POST /busy", Reply(503), Reply(200))
    async with AsyncHTTPClient(server.url, QUICK) as client:
        response = await client.post("/echo", data=make())
        assert response.request is not None and response.request.body is not None
        assert (response.request.body.replay, response.request.body.length) == (replay, None)
        if replay == "yes":
            assert (await client.post("/busy", data=make())).is_success
        else:
            with pytest.raises(RetryExhaustedError) as caught:
                await client.post("/busy", data=make())
            assert caught.value.reason == "not_replayable"
    assert [request.body for request in server.requests] == [b"one two"] * (3 if replay == "yes" else 2)
    assert all(request.complete and request.headers["transfer-encoding"] == "chunked" for request in server.requests)
    assert all(request.headers["content-type"] == "application/octet-stream" for request in server.requests)


async def test_a_file_goes_from_where_it_stands_with_its_length_and_again(big: Path, server: MockServer) -> None:
    server.on("PUT /busy", Reply(503), Reply(503), Reply(200))
    with big.open("rb") as file:
        file.seek(10)
        async with AsyncHTTPClient(server.url, QUICK) as client:
            response = await client.put("/busy", data=file, content_type="image/png")
        assert response.request is not None and repr(response.request.body) == "<Body 255990 bytes, replay=yes>"
    assert [request.body == BIG[10:] for request in server.requests] == [True] * 3
    assert {request.headers["content-length"] for request in server.requests} == {"255990"}
    assert {request.headers["content-type"] for request in server.requests} == {"image/png"}


async def test_a_file_in_memory_is_bytes(server: MockServer) -> None:
    file = io.BytesIO(b"0123")
    file.seek(1)
    async with AsyncHTTPClient(server.url) as client:
        response = await client.post("/echo", data=file)
    assert response.request is not None and response.request.body is not None
    assert (response.request.body.replay, server.requests[0].body) == ("concurrent", b"123")


async def test_a_pipe_goes_once_in_chunks(server: MockServer) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"from a pipe")
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        async with AsyncHTTPClient(server.url, QUICK) as client:
            response = await client.post("/echo", data=file)
    assert response.request is not None and repr(response.request.body) == "<Body unknown length, replay=once>"
    assert (server.requests[0].body, server.requests[0].complete) == (b"from a pipe", True)


async def test_a_pipe_that_gives_nothing_does_not_hold_the_call(server: MockServer) -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as file, anyio.fail_after(10):
        async with AsyncHTTPClient(server.url) as client:
            with anyio.move_on_after(0.05) as scope:
                await client.post("/echo", data=file)
            assert scope.cancelled_caught
        os.close(writing)  # and the thread that reads is let go


async def test_a_file_that_shrinks_is_noticed(big: Path, server: MockServer) -> None:
    class Shrink(Middleware):
        async def process_request(self, request: HTTPRequest, client: AsyncHTTPClient) -> HTTPRequest:
            os.truncate(big, 1000)
            return request

    with big.open("rb") as file:
        async with AsyncHTTPClient(server.url, QUICK, middlewares=[Shrink()]) as client:
            with pytest.raises(InvalidRequestError, match="the file has become shorter; 255000 bytes are missing"):
                await client.post("/echo", data=file)


@pytest.mark.parametrize("make", [agenerator, generator, lambda: {"f": generator()}])
async def test_what_goes_once_is_never_sent_empty(make: Callable[[], Any]) -> None:
    class Twice(Answering):
        """A transport with a mistake in it."""

        async def send(self, send: Send) -> Ended:
            assert send.request.body is not None
            for _ in range(2):
                assert b"one two" in b"".join([piece async for piece in send.request.body.source])
            return await super().send(send)

    made = make()
    async with AsyncHTTPClient("http://h", transport=Twice()) as client:
        with pytest.raises(InvalidRequestError, match="data: the body can be sent once, and was"):
            await client.post("/", **({"files": made} if isinstance(made, dict) else {"data": made}))


@pytest.mark.parametrize("pooled", [True, False])
@pytest.mark.parametrize("make", [agenerator, AsyncAgain])
async def test_a_generator_that_is_left_half_way_is_closed(
    make: Callable[[], Any], pooled: bool, server: MockServer
) -> None:
    closed: list[str] = []
    scope = anyio.CancelScope()

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x" * 100
                scope.cancel()
        finally:
            closed.append("closed")

    class Endless:
        def __aiter__(self) -> AsyncIterator[bytes]:
            return endless()

    async with AsyncHTTPClient(server.url, transport=None if pooled else HttpcoreTransport()) as client:
        with scope:
            await client.post("/echo", data=endless() if make is agenerator else Endless())
        assert closed == ["closed"]


async def test_what_an_iterator_raises_is_what_the_caller_gets(server: MockServer) -> None:
    def broken() -> Iterator[bytes]:
        yield b"x"
        raise LookupError("mine")

    async with AsyncHTTPClient(server.url, QUICK) as client:
        with pytest.raises(LookupError, match="mine"):
            await client.post("/echo", data=broken())
        assert (await client.get("/json")).is_success


BAD: list[tuple[dict[str, Any], str]] = [
    ({"data": lambda: iter(["text"])}, "data: the iterator gave a str; it must give bytes"),
    ({"data": lambda: 5}, "data: the function gave a int; it must give an iterator of bytes"),
    ({"data": lambda: b"x"}, "data: the function gave a bytes; it must give an iterator of bytes"),
    ({"data": 5}, "data: int is not allowed; it is a mapping, pairs, str, bytes, a file"),
    ({"data": int}, "data: type is not allowed"),
    ({"data": io.StringIO("x")}, r"data: a file must be opened in binary mode \('rb'\), not as text"),
    ({"json": 1, "files": {"a": b""}}, "json, files: a request has one body"),
    ({"json": 1, "data": "x"}, "json, data: a request has one body"),
    ({"data": "x", "files": {"a": b""}}, "data, files: beside files data is the form's other fields"),
    ({"files": 5}, "files: must be a mapping of names to files, or .*, not int"),
    ({"files": "ab"}, "files: must be a mapping"),
    ({"files": ["abc"]}, r"files: must be \(name, file\) pairs"),
    ({"files": {}}, "files: there is no file, and no field beside"),
    ({"files": {"a": 5}}, r"files\['a'\]: int is not allowed; it is str, bytes, a file"),
    ({"files": {"a": ("x",)}}, r"files\['a'\]: a tuple of 1 is not allowed"),
    ({"files": {"a": (5, b"")}}, "files: a filename must be a str, not int"),
    ({"files": {"a\n": b""}}, "files: a name has CR, LF or NUL"),
    ({"files": {"a": ("x", b"", "t\n")}}, "the value has a character that may not be in a header"),
    ({"files": {"a": ("x", b"", None, {"Content-Type": "x"})}}, "files: the header 'Content-Type' of a part"),
    ({"files": {"a": b""}, "content_type": "x/y"}, "files, content_type: a form with files says its type itself"),
    ({"files": {"a": b""}, "headers": {"content-type": "x/y"}}, r"files, headers\['Content-Type'\]: a form"),
    ({"content_type": "x/y"}, "content_type: there is no body"),
    ({"json": 1, "content_type": "x/y", "headers": {"Content-Type": "a/b"}}, r"content_type, headers\[.*give one"),
    ({"json": 1, "content_type": "x\n"}, "the value has a character that may not be in a header"),
    ({"cookies": "a=1"}, "cookies: must be a mapping of names to values, not str"),
    ({"cookies": {"a b": "1"}}, "cookies: 'a b' is not a cookie's name"),
    ({"cookies": {"a": "s3cr3t;"}}, r"cookies\['a'\]: must be a str without"),
    ({"cookies": {"a": 1}}, r"cookies\['a'\]: must be a str without"),
    ({"follow_redirects": 5}, "follow_redirects: 5 is not allowed; it is True, False or None"),
]


@pytest.mark.parametrize(("options", "message"), BAD, ids=[message for _, message in BAD])
async def test_bad_bodies_are_named(options: dict[str, Any], message: str, server: MockServer) -> None:
    async with AsyncHTTPClient(server.url) as client:
        with pytest.raises(InvalidRequestError, match=message) as caught:
            await client.post("/echo", **options)
    assert "s3cr3t" not in str(caught.value)


async def test_a_closed_file() -> None:
    class Closed:
        def read(self, size: int) -> bytes:
            return b""

        def seekable(self) -> bool:
            raise ValueError("I/O operation on closed file")

    async with AsyncHTTPClient("http://h", transport=Answering()) as client:
        with pytest.raises(InvalidRequestError, match="data: the file cannot be read: I/O operation on closed file"):
            await client.post("/", data=Closed())


# Forms with files


def form(request: Any) -> list[tuple[str, bytes]]:
    """Head and content of each part."""
    boundary = re.fullmatch(r"multipart/form-data; boundary=(\w{32})", request.headers["content-type"])
    assert boundary is not None and request.complete
    first, *parts, last = (b"\r\n" + request.body).split(f"\r\n--{boundary[1]}".encode())
    assert (first, last) == (b"", b"--\r\n")
    return [(head.decode().strip(), content) for head, _, content in (part.partition(b"\r\n\r\n") for part in parts)]


async def test_a_form_with_files(big: Path, server: MockServer) -> None:
    with big.open("rb") as file:
        async with AsyncHTTPClient(server.url, headers={"Content-Type": "application/json"}) as client:
            await client.post(
                "/echo",
                data={"a": "ü", "n": [1, 2], "none": None},
                files=[
                    ("f", file),
                    ("f", ("x.txt", "tëxt")),
                    ("g", (None, b"no file")),
                    ("h", ('q".unknown', b"\0", None, {"X-Part": "1"})),
                    ("i", ("i", b"{}", "application/json")),
                    ("j", b"bare"),
                ],
            )
    (request,) = server.requests
    disposition = "Content-Disposition: form-data; name="
    assert form(request) == [
        (f'{disposition}"a"', "ü".encode()),
        (f'{disposition}"n"', b"1"),
        (f'{disposition}"n"', b"2"),
        (f'{disposition}"f"; filename="big.bin"\r\nContent-Type: application/octet-stream', BIG),
        (f'{disposition}"f"; filename="x.txt"\r\nContent-Type: text/plain', "tëxt".encode()),
        (f'{disposition}"g"', b"no file"),
        (f'{disposition}"h"; filename="q%22.unknown"\r\nContent-Type: application/octet-stream\r\nX-Part: 1', b"\0"),
        (f'{disposition}"i"; filename="i"\r\nContent-Type: application/json', b"{}"),
        (f'{disposition}"j"; filename="upload"\r\nContent-Type: application/octet-stream', b"bare"),
    ]
    assert request.headers["content-length"] == str(len(request.body))


@pytest.mark.parametrize(
    ("content", "replay", "known"),
    [
        (b"x", "concurrent", True),
        (Again(), "yes", False),
        (generator, "yes", False),
        (Body.of(b"x"), "concurrent", True),
    ],
)
async def test_a_form_can_be_sent_again_if_all_its_parts_can(
    content: Any, replay: str, known: bool, server: MockServer
) -> None:
    server.on("POST /busy", Reply(503), Reply(200))
    async with AsyncHTTPClient(server.url, QUICK) as client:
        response = await client.post("/busy", files={"a": content}, data={"b": "1"})
    assert response.request is not None and response.request.body is not None
    assert (response.request.body.replay, response.request.body.length is not None) == (replay, known)
    first, second = server.requests
    assert form(first) == form(second) and first.headers["content-type"] == second.headers["content-type"]


async def test_a_form_with_a_part_that_goes_once(server: MockServer) -> None:
    server.on("POST /busy", Reply(503))
    async with AsyncHTTPClient(server.url, QUICK) as client:
        with pytest.raises(RetryExhaustedError) as caught:
            await client.post("/busy", files={"a": generator(), "b": agenerator()})
    assert caught.value.reason == "not_replayable"
    assert [content for _, content in form(server.requests[0])] == [b"one two"] * 2


async def test_cookies_of_one_request(server: MockServer) -> None:
    async with AsyncHTTPClient(server.url) as client:
        await client.get("/echo", cookies={"a": "1", "b": '"2"'})
        await client.get("/echo", cookies={"a": "1"}, headers={"Cookie": "c=3"})
        await client.get("/echo", cookies={})
    assert [request.headers.get("cookie") for request in server.requests] == ['a=1; b="2"', "c=3; a=1", None]
