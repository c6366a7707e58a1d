"""The clients that are compared, each in the form that its documentation shows, behind one small interface.

Ours has its whole stack on (retry, circuit breaker, token bucket, in-flight limit, bearer auth); the others run bare.
*floor* is our stream with nothing around it: for small requests with our parser, for large bodies without even that.
"""

from __future__ import annotations

import contextlib
import json
import os
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from _server import BODY, Server

from sansio_http import ResponseParser
from sansio_http_anyio import AsyncHTTPClient, BearerAuth, CircuitBreaker, ClientConfig, TokenBucketRateLimiter
from sansio_http_anyio.transport.network import Network
from sansio_http_anyio.transport.streams import Stream

Get = Callable[[], Awaitable[object]]
PATIENCE = 600.0  # seconds: a timeout that is set and never comes
PIECE = bytes(65_536)


class Client(NamedTuple):
    """What one can do.

    Attributes:
        get: a small JSON answer, of a ``canned`` server's path.
        download: so many bytes from a ``bulk`` server, in pieces that are dropped; how many came.
        upload: so many bytes to it, in pieces of 64 KiB from an async iterator.
    """

    get: Callable[[str], Awaitable[object]]
    download: Callable[[int], Awaitable[int]]
    upload: Callable[[int], Awaitable[object]]


async def pieces(size: int) -> AsyncIterator[bytes]:
    """A body that nobody has in memory."""
    for _ in range(size // len(PIECE)):
        yield PIECE


@contextlib.asynccontextmanager
async def ours(server: Server, connections: int, keep: bool) -> AsyncIterator[Client]:
    client = AsyncHTTPClient(
        server.url,
        ClientConfig(
            timeout=PATIENCE,
            connect_timeout=PATIENCE,
            max_connections=connections,
            max_keepalive_connections=connections if keep else 0,
            keepalive_expiry=PATIENCE,
            verify_ssl=server.bundle or True,
        ),
        auth=BearerAuth("token"),
        rate_limiter=TokenBucketRateLimiter(rate=1e9, burst=1_000_000_000),
        circuit_breaker=CircuitBreaker(),
    )

    async def get(path: str) -> object:
        return (await client.get(path)).json_data

    async def download(size: int) -> int:
        came = 0
        async with client.stream("GET", f"/bytes/{size}") as response:
            async for piece in response.iter_bytes():
                came += len(piece)
        return came

    async def upload(size: int) -> object:
        return (await client.post("/", data=pieces(size))).content

    async with client:
        yield Client(get, download, upload)


@contextlib.asynccontextmanager
async def floor(server: Server, connections: int, keep: bool) -> AsyncIterator[Client]:
    parts = urlsplit(server.url)
    assert parts.hostname is not None and parts.port is not None
    network = Network.of(ClientConfig(verify_ssl=server.bundle or True))
    endpoint = network.endpoint(parts.scheme, parts.hostname, parts.port)
    rest = f" HTTP/1.1\r\nHost: {parts.netloc}\r\nAccept: */*\r\n"
    free: list[tuple[Stream, ResponseParser]] = []

    async def get(path: str) -> object:
        stream, parser = free.pop() if free else (await network.connect(endpoint), ResponseParser())
        parser.expect("GET")
        await stream.write(f"GET {path}{rest}\r\n".encode())
        while not parser.complete:
            parser.feed(await stream.read())
        if keep:
            free.append((stream, parser))
        else:
            stream.close()
        return json.loads(parser.take())

    async def download(size: int) -> int:
        stream, parser = free.pop() if free else (await network.connect(endpoint), ResponseParser())
        await stream.write(f"GET /bytes/{size}{rest}\r\n".encode())
        head, came = b"", 0
        while b"\r\n\r\n" not in head:
            head += await stream.read()
        came = len(head) - head.index(b"\r\n\r\n") - 4
        while came < size:
            came += len(await stream.read())
        free.append((stream, parser))
        return came

    async def upload(size: int) -> object:
        stream, parser = free.pop() if free else (await network.connect(endpoint), ResponseParser())
        await stream.write(f"POST /{rest}Transfer-Encoding: chunked\r\n\r\n{size:x}\r\n".encode())
        for _ in range(size // len(PIECE)):
            await stream.write(PIECE)
        await stream.write(b"\r\n0\r\n\r\n")
        answer = await stream.read()
        free.append((stream, parser))
        return answer

    try:
        yield Client(get, download, upload)
    finally:
        for stream, _ in free:
            stream.close()


@contextlib.asynccontextmanager
async def aiohttp(server: Server, connections: int, keep: bool) -> AsyncIterator[Client]:
    import aiohttp as library

    connector = library.TCPConnector(limit=connections, force_close=not keep, ssl=_context(server) or True)
    async with library.ClientSession(
        connector=connector, timeout=library.ClientTimeout(total=PATIENCE, sock_connect=30)
    ) as session:

        async def get(path: str) -> object:
            async with session.get(server.url + path) as response:
                return await response.json()

        async def download(size: int) -> int:
            came = 0
            async with session.get(f"{server.url}/bytes/{size}") as response:
                async for piece in response.content.iter_any():
                    came += len(piece)
            return came

        async def upload(size: int) -> object:
            async with session.post(f"{server.url}/", data=pieces(size)) as response:
                return await response.read()

        yield Client(get, download, upload)


@contextlib.asynccontextmanager
async def httpx2(server: Server, connections: int, keep: bool) -> AsyncIterator[Client]:
    import httpx2 as library

    limits = library.Limits(
        max_connections=connections,
        max_keepalive_connections=connections if keep else 0,
        keepalive_expiry=PATIENCE,
    )
    context = _context(server) or True
    async with library.AsyncClient(limits=limits, timeout=PATIENCE, verify=context, trust_env=False) as client:

        async def get(path: str) -> object:
            return (await client.get(server.url + path)).json()

        async def download(size: int) -> int:
            came = 0
            async with client.stream("GET", f"{server.url}/bytes/{size}") as response:
                async for piece in response.aiter_bytes():
                    came += len(piece)
            return came

        async def upload(size: int) -> object:
            return (await client.post(f"{server.url}/", content=pieces(size))).content

        yield Client(get, download, upload)


@contextlib.asynccontextmanager
async def pyreqwest(server: Server, connections: int, keep: bool) -> AsyncIterator[Client]:
    from pyreqwest.client import ClientBuilder

    builder = ClientBuilder().pool_max_idle_per_host(connections if keep else 0)
    if server.bundle is not None:
        builder = builder.add_root_certificate_pem(_pem(server.bundle))
    async with builder.build() as client:

        async def get(path: str) -> object:
            return await (await client.get(server.url + path).build().send()).json()

        async def download(size: int) -> int:
            came = 0
            async with client.get(f"{server.url}/bytes/{size}").build_streamed() as response:
                while (piece := await response.body_reader.read_chunk()) is not None:
                    came += len(piece)
            return came

        async def upload(size: int) -> object:
            return await (await client.post(f"{server.url}/").body_stream(pieces(size)).build().send()).bytes()

        yield Client(get, download, upload)


def _context(server: Server) -> ssl.SSLContext | None:
    return None if server.bundle is None else ssl.create_default_context(cafile=server.bundle)


def _pem(path: str) -> bytes:
    return Path(path).read_bytes()


Opening = Callable[[Server, int, bool], contextlib.AbstractAsyncContextManager[Client]]

CLIENTS: dict[str, Opening] = {
    "ours": ours,
    "floor": floor,
    "aiohttp": aiohttp,
    "httpx2": httpx2,
    "pyreqwest": pyreqwest,
}
ON = {"aiohttp": {"asyncio", "uvloop"}, "pyreqwest": {"asyncio", "uvloop"}}  # the others: everywhere


def installed(names: str) -> list[str]:
    """Those of ``names``, with commas between them, that can be measured here; the others are printed."""
    asked = names.split(",")
    there = [name for name in asked if name in ("ours", "floor") or find_spec(name)]
    if missing := sorted(set(asked) - set(there)):
        print(f"not installed, so not measured: {', '.join(missing)} (pip install 'sansio-http[bench]')")
    return there


def versions(names: list[str]) -> dict[str, str]:
    """Of the peers among ``names``, and of the libraries that we run on."""
    ours_on = [name for name in ("anyio", "httptools", "trio", "uvloop") if find_spec(name)]
    return {name: version(name) for name in [*names, *ours_on] if name not in ("ours", "floor")}


async def check(client: Client) -> None:
    """See that it gets what is there."""
    answer = await client.get("/json")
    assert answer == json.loads(BODY), answer


def leave() -> None:
    """End this process now: pyreqwest's own threads sometimes crash an interpreter that is taken down in good order."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
