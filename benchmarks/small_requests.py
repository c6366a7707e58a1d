"""What a small request costs, beside other clients: CPU of this process for a JSON GET over kept connections.

Ours has its whole stack on (retry, circuit breaker, token bucket, in-flight limit, bearer auth); the others run bare.
All are in one process and take turns of a few dozen requests, so that whatever else the machine does hits all of them;
the server is in a process of its own. *floor* is our stream and our parser with nothing around them.

    .venv/bin/python benchmarks/small_requests.py --backends asyncio,trio --concurrency 1,20
"""

from __future__ import annotations

import argparse
import contextlib
import json
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from importlib.util import find_spec
from statistics import median
from time import process_time
from typing import Any
from urllib.parse import urlsplit

import anyio
from _server import BODY, serving

from sansio_http import ResponseParser
from sansio_http_anyio import AsyncHTTPClient, BearerAuth, CircuitBreaker, ClientConfig, TokenBucketRateLimiter
from sansio_http_anyio.transport.streams import stream_over

Get = Callable[[], Awaitable[object]]
TURN = 60  # requests in a row by one client, at least two for each of its workers
WARM_UP = 5


@contextlib.asynccontextmanager
async def ours(url: str, concurrency: int) -> AsyncIterator[Get]:
    client = AsyncHTTPClient(
        url,
        ClientConfig(max_connections=concurrency, max_keepalive_connections=concurrency),
        auth=BearerAuth("token"),
        rate_limiter=TokenBucketRateLimiter(rate=1e9, burst=1_000_000_000),
        circuit_breaker=CircuitBreaker(),
    )

    async def get() -> object:
        return (await client.get("/json")).json_data

    async with client:
        yield get


@contextlib.asynccontextmanager
async def floor(url: str, concurrency: int) -> AsyncIterator[Get]:
    parts = urlsplit(url)
    head = f"GET /json HTTP/1.1\r\nHost: {parts.netloc}\r\nAccept: */*\r\n\r\n".encode()
    free: list[tuple[Any, ResponseParser]] = []
    for _ in range(concurrency):
        sock = socket.create_connection((parts.hostname, parts.port))
        sock.setblocking(False)
        free.append((stream_over(sock, None), ResponseParser()))

    async def get() -> object:
        stream, parser = free.pop()
        parser.expect("GET")
        await stream.write(head)
        while not parser.complete:
            parser.feed(await stream.read())
        free.append((stream, parser))
        return json.loads(parser.take())

    try:
        yield get
    finally:
        for stream, _ in free:
            stream.close()


@contextlib.asynccontextmanager
async def httpx2(url: str, concurrency: int) -> AsyncIterator[Get]:
    import httpx2 as library

    limits = library.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)
    async with library.AsyncClient(limits=limits) as client:

        async def get() -> object:
            return (await client.get(f"{url}/json")).json()

        yield get


@contextlib.asynccontextmanager
async def aiohttp(url: str, concurrency: int) -> AsyncIterator[Get]:
    import aiohttp as library

    async with library.ClientSession(connector=library.TCPConnector(limit=concurrency)) as session:

        async def get() -> object:
            async with session.get(f"{url}/json") as response:
                return await response.json()

        yield get


@contextlib.asynccontextmanager
async def pyreqwest(url: str, concurrency: int) -> AsyncIterator[Get]:
    from pyreqwest.client import ClientBuilder

    async with ClientBuilder().build() as client:

        async def get() -> object:
            return await (await client.get(f"{url}/json").build().send()).json()

        yield get


CLIENTS: dict[str, Callable[[str, int], contextlib.AbstractAsyncContextManager[Get]]] = {
    "ours": ours,
    "floor": floor,
    "aiohttp": aiohttp,
    "httpx2": httpx2,
    "pyreqwest": pyreqwest,
}
ON = {"aiohttp": {"asyncio", "uvloop"}, "pyreqwest": {"asyncio", "uvloop"}}  # the others: everywhere


async def turn(get: Get, concurrency: int, each: int) -> float:
    """Seconds of CPU that a request took."""

    async def worker() -> None:
        for _ in range(each):
            await get()

    began = process_time()
    async with anyio.create_task_group() as workers:
        for _ in range(concurrency):
            workers.start_soon(worker)
    return (process_time() - began) / (each * concurrency)


async def measure(names: list[str], url: str, concurrency: int, rounds: int) -> dict[str, list[float]]:
    """The figures of every turn, by client."""
    figures: dict[str, list[float]] = {name: [] for name in names}
    async with contextlib.AsyncExitStack() as stack:
        gets = {name: await stack.enter_async_context(CLIENTS[name](url, concurrency)) for name in names}
        for get in gets.values():
            assert await get() == json.loads(BODY)
            await turn(get, concurrency, WARM_UP)
        for number in range(rounds):
            for name in names if number % 2 else reversed(names):
                figures[name].append(await turn(gets[name], concurrency, max(TURN // concurrency, 2)))
    return figures


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backends", default="asyncio,trio,uvloop")
    parser.add_argument("--concurrency", default="1,20,100,500")
    parser.add_argument("--clients", default=",".join(CLIENTS))
    parser.add_argument("--rounds", type=int, default=100)
    options = parser.parse_args()
    wanted = [name for name in options.clients.split(",") if name in ("ours", "floor") or find_spec(name)]
    if missing := set(options.clients.split(",")) - set(wanted):
        print(f"not installed, so not measured: {', '.join(sorted(missing))} (pip install 'sansio-http[bench]')")
    print("us of CPU per request, best and median turn; behind them, how many times ours (median over the rounds)\n")
    print(f"| | {' | '.join(wanted)} |\n|---|{'---|' * len(wanted)}")
    with serving() as url:
        for backend in options.backends.split(","):
            if backend == "uvloop" and not find_spec("uvloop"):
                print("uvloop is not installed", file=sys.stderr)
                continue
            for concurrency in map(int, options.concurrency.split(",")):
                names = [name for name in wanted if backend in ON.get(name, {backend})]
                library, settings = ("asyncio", {"use_uvloop": True}) if backend == "uvloop" else (backend, {})
                figures = anyio.run(
                    measure, names, url, concurrency, options.rounds, backend=library, backend_options=settings
                )
                cells = [cell(figures[name], figures["ours"]) if name in figures else "-" for name in wanted]
                print(f"| {backend}, {concurrency} at once | {' | '.join(cells)} |", flush=True)


def cell(figures: list[float], ours: list[float]) -> str:
    """A client's figures as the table has them."""
    times = median(theirs / own for theirs, own in zip(figures, ours, strict=True))
    return f"{min(figures) * 1e6:.0f}, {median(figures) * 1e6:.0f} ({times:.2f})"


if __name__ == "__main__":
    main()
