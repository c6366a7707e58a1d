"""Compressed bodies and the limit on their size, on every path that a body takes."""

from __future__ import annotations

import gzip
import hashlib
import sys
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import anyio
import brotli
import pytest

from sansio_http import Ended, HTTPResponse, Send
from sansio_http_anyio import (
    AsyncHTTPClient,
    CircuitBreaker,
    ClientConfig,
    ResponseBodyError,
    ResponseDecodeError,
    ResponseTooLargeError,
)
from sansio_http_anyio.transport import decoding
from tests.fixtures.mock_server import MockServer, Reply

pytestmark = pytest.mark.anyio

ONCE = ClientConfig(retry_attempts=0)


def packed(body: bytes, coding: str = "gzip", **parts: Any) -> Reply:
    return Reply(body=body, headers={"Content-Encoding": coding, "Content-Type": "application/json"}, **parts)


async def test_a_compressed_body_is_given_as_what_it_is(server: MockServer) -> None:
    for coding, encode in [("gzip", gzip.compress), ("deflate", zlib.compress), ("br", brotli.compress)]:
        server.on(f"/{coding}", packed(encode(b'{"id": 1}'), coding))
        async with AsyncHTTPClient(server.url, ONCE) as client:
            response = await client.get(f"/{coding}")
            assert response.json_data == {"id": 1}
            assert response.headers["content-encoding"] == coding  # as the server said it
            async with client.stream("GET", f"/{coding}") as streamed:
                assert [piece async for piece in streamed.iter_bytes()] == [b'{"id": 1}']
            assert server.requests[-1].headers["accept-encoding"] == "gzip, deflate, br, zstd"


async def test_what_is_accepted_is_the_callers_to_say(server: MockServer) -> None:
    async with AsyncHTTPClient(server.url, ONCE, headers={"Accept-Encoding": "identity"}) as client:
        await client.get("/json")
        assert server.requests[-1].headers["accept-encoding"] == "identity"
        await client.get("/json", headers={"accept-encoding": "gzip;q=0.5"})
        assert server.requests[-1].headers["accept-encoding"] == "gzip;q=0.5"


async def test_a_transport_that_decodes_nothing_is_asked_for_plain_bodies() -> None:
    class Plain:
        async def send(self, send: Send) -> Ended:
            assert "accept-encoding" not in send.request.headers
            return Ended(send.id, HTTPResponse(204))

        async def aclose(self) -> None:
            pass

    async with AsyncHTTPClient("http://localhost", ONCE, transport=Plain()) as client:
        assert (await client.get("/")).status_code == 204


async def test_what_has_no_body_or_a_part_of_one_is_not_decoded(server: MockServer) -> None:
    part = gzip.compress(b"something that is longer")[5:]
    server.on("/part", packed(part, status=206))
    server.on("/head", packed(gzip.compress(b"text")))
    server.on("/empty", packed(b""))
    server.on("/strange", packed(b"as it came", "lzma"))
    async with AsyncHTTPClient(server.url, ONCE) as client:
        assert (await client.get("/part")).content == part
        assert (await client.head("/head")).content == b""
        assert (await client.get("/empty")).content == b""
        assert (await client.get("/strange")).content == b"as it came"
    assert server.connections == 1


@pytest.mark.parametrize("cut", [b"", b"?"])
async def test_a_body_that_is_not_what_it_says(server: MockServer, cut: bytes) -> None:
    """It is nobody's failure but that of whoever wrote it: not retried, and no mark against the server's health."""
    body = gzip.compress(b"some text" * 10)
    server.on("/", packed(body[:-4] if not cut else body[:12] + b"?????" + body[17:]))
    circuit = CircuitBreaker(failure_threshold=1)
    async with AsyncHTTPClient(server.url, ClientConfig(retry_backoff_factor=0), circuit_breaker=circuit) as client:
        with pytest.raises(ResponseDecodeError, match="Content-Encoding: gzip") as caught:
            await client.get("/")
        assert len(caught.value.attempts) == 1 and len(server.requests) == 1
        async with client.stream("GET", "/") as response:
            with pytest.raises(ResponseDecodeError, match="Content-Encoding: gzip"):
                await response.aread()
        assert (await client.get("/json")).status_code == 200


async def test_six_codings(server: MockServer) -> None:
    server.on("/", packed(b"x", ", ".join(["gzip"] * 6)))
    async with AsyncHTTPClient(server.url, ONCE) as client:
        with pytest.raises(ResponseDecodeError, match="6 content codings"):
            await client.get("/")
        with pytest.raises(ResponseDecodeError, match="6 content codings"):
            async with client.stream("GET", "/"):
                pass


@pytest.mark.parametrize("compressed", [False, True])
async def test_one_limit_on_every_path(server: MockServer, compressed: bool) -> None:
    for path, status, size in [("/fits", 200, 1000), ("/passes", 200, 1001), ("/fails", 500, 1001)]:
        body = bytes(size)
        reply = packed(gzip.compress(body), status=status) if compressed else Reply(status=status, body=body)
        server.on(path, reply)
    circuit = CircuitBreaker(failure_threshold=2)
    config = ClientConfig(max_response_size=1000, retry_backoff_factor=0, retry_statuses=(), error_body_limit=2000)
    async with AsyncHTTPClient(server.url, config, circuit_breaker=circuit) as client:
        assert len((await client.get("/fits")).content) == 1000
        async with client.stream("GET", "/fits") as response:
            assert len(await response.aread()) == 1000
        for _ in range(2):
            with pytest.raises(ResponseTooLargeError, match="max_response_size, 1000 bytes") as caught:
                await client.get("/passes")
            assert len(caught.value.attempts) == 1
        async with client.stream("GET", "/passes") as response:
            with pytest.raises(ResponseTooLargeError, match="max_response_size, 1000 bytes"):
                await response.aread()
        with pytest.raises(ResponseTooLargeError):
            async with client.stream("GET", "/fails"):
                pass
        assert (await client.get("/json")).status_code == 200


async def test_the_default_limit_leaves_streams_alone(server: MockServer) -> None:
    assert ClientConfig().max_response_size == 104_857_600
    server.on("/", packed(gzip.compress(bytes(104_857_601), 1)))
    async with AsyncHTTPClient(server.url, ONCE) as client:
        size = 0
        async with client.stream("GET", "/") as response:
            async for piece in response.iter_bytes():
                size += len(piece)
        assert size == 104_857_601


async def test_an_error_of_a_stream_is_read_up_to_its_limit_when_decoded(server: MockServer) -> None:
    server.on("/", packed(gzip.compress(bytes(1_000_000)), status=404))
    async with AsyncHTTPClient(server.url, ClientConfig(error_body_limit=100)) as client:
        async with client.stream("GET", "/") as response:
            assert response.status_code == 404 and response.content == bytes(100)


async def test_what_is_thrown_away_is_not_decoded(server: MockServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.on("/", packed(gzip.compress(bytes(10_000_000))))
    decoded: list[int] = []
    pieces = decoding.Decoding.pieces

    def counted(self: Any, data: bytes) -> Any:
        for piece in pieces(self, data):
            decoded.append(len(piece))
            yield piece

    monkeypatch.setattr(decoding.Decoding, "pieces", counted)
    async with AsyncHTTPClient(server.url, ONCE) as client:
        async with client.stream("GET", "/") as response:
            await anext(response.iter_bytes())
        async with client.stream("GET", "/"):
            pass
    assert sum(decoded) <= 2 * 65_536


async def test_a_body_that_fails_on_the_way_is_no_matter_of_decoding(server: MockServer) -> None:
    body = gzip.compress(b"some text" * 1000)
    server.on("/", packed(body, cut=20))
    async with AsyncHTTPClient(server.url, ONCE) as client:
        async with client.stream("GET", "/") as response:
            with pytest.raises(ResponseBodyError):
                await response.aread()


@cache
def bomb() -> bytes:
    squeeze = zlib.compressobj(9, wbits=31)
    packed = b"".join(squeeze.compress(bytes(1_048_576)) for _ in range(400)) + squeeze.flush()
    assert len(packed) < 450_000
    return packed


BOMB = """
import os, sys
import anyio
from sansio_http_anyio import AsyncHTTPClient, ClientConfig, HTTPResponseError, ResponseTooLargeError

url, backend, file, digest = sys.argv[1:]
LIMIT = 1_000_000

def peak():  # not ru_maxrss, which begins with what the parent had
    with open("/proc/self/status") as status:
        return int(next(line for line in status if line.startswith("VmHWM:")).split()[1])

async def plain(client, path):
    await client.get(path)

async def stream(client, path):
    async with client.stream("GET", path) as response:
        await response.aread()

async def lines(client, path):
    async with client.stream("GET", path) as response:
        async for line in response.iter_lines():
            pass

async def download(client, path):
    await client.download(path, file, max_response_size=LIMIT)

async def main():
    bounded = ClientConfig(max_response_size=LIMIT, retry_attempts=0)
    async with AsyncHTTPClient(url, bounded) as client, AsyncHTTPClient(url, ClientConfig()) as loose:
        for way in (plain, stream, lines, download):
            await way(client, "/small")
        before = peak()
        for way, which, path in [
            (plain, client, "/"), (plain, client, "/fails"), (stream, client, "/"), (stream, client, "/fails"),
            (lines, client, "/"), (download, client, "/"), (download, client, "/fails"), (download, loose, "/"),
        ]:
            came = "-"
            try:
                await way(which, path)
            except (HTTPResponseError, ResponseTooLargeError) as error:
                came = type(error).__name__
            print(way.__name__, path, came, peak() - before)
        assert not os.path.exists(file + ".part")
        done = await loose.download("/large", file, sha256=digest)
        print("download", "/large", done.size, peak() - before)

anyio.run(main, backend=backend)
"""


async def test_a_bomb_takes_no_memory(server: MockServer, anyio_backend_name: str, tmp_path: Path) -> None:
    """400 MiB in 400 KiB raise an error, and the process's memory by at most 20 MiB, whatever way they come.

    Nor does a file that is wanted take more.
    """
    large = bytes(64 * 1_048_576)
    server.on("/large", packed(gzip.compress(large, 1)))
    server.on("/", packed(bomb()))
    server.on("/fails", packed(bomb(), status=400))
    server.on("/small", packed(gzip.compress(b"{}")))
    command = [sys.executable, "-c", BOMB, server.url, anyio_backend_name, str(tmp_path / "file")]
    command.append(hashlib.sha256(large).hexdigest())
    done = await anyio.run_process(command)
    found = [line.split() for line in done.stdout.decode().splitlines()]
    refused = "ResponseTooLargeError"
    assert [tuple(line[:3]) for line in found] == [
        ("plain", "/", refused),
        ("plain", "/fails", refused),
        ("stream", "/", refused),
        ("stream", "/fails", "-"),  # its beginning is read, as far as error_body_limit
        ("lines", "/", refused),
        ("download", "/", refused),
        ("download", "/fails", "HTTPResponseError"),
        ("download", "/", refused),
        ("download", "/large", str(len(large))),
    ]
    rises = [int(line[3]) for line in found]
    assert rises[-1] > 0 and max(rises) <= 20 * 1024


STREAMED = """
import sys
import anyio
from sansio_http_anyio import AsyncHTTPClient, ClientConfig, ResponseTooLargeError

def peak():
    with open("/proc/self/status") as status:
        return int(next(line for line in status if line.startswith("VmHWM:")).split()[1])

async def read(context, items):
    async with context as stream:
        async for _ in items(stream):
            pass

async def main():
    async with AsyncHTTPClient(sys.argv[1], ClientConfig(retry_attempts=0)) as client:
        ways = [
            lambda path: read(client.sse(path), lambda events: events),
            lambda path: read(client.jsonl(path, response_type=int), lambda lines: lines),
            lambda path: read(client.stream("GET", path), lambda response: response.iter_lines()),
        ]
        for way in ways:
            await way("/small")
        before = peak()
        for way in ways:
            try:
                await way("/")
            except ResponseTooLargeError:
                print(peak() - before)

anyio.run(main, backend=sys.argv[2])
"""


async def test_a_bomb_in_a_stream_takes_no_memory(server: MockServer, anyio_backend_name: str) -> None:
    """The same where the client has no limit: a line and an event have one."""
    events = {"Content-Encoding": "gzip", "Content-Type": "text/event-stream"}
    server.on("/", Reply(body=bomb(), headers=events))
    server.on("/small", Reply(body=gzip.compress(b"\n"), headers=events))
    done = await anyio.run_process([sys.executable, "-c", STREAMED, server.url, anyio_backend_name])
    rises = [int(line) for line in done.stdout.split()]
    assert len(rises) == 3 and max(rises) <= 20 * 1024, rises
