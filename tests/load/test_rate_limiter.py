"""A thousand callers on one limiter, on the real clock, by a real server: the rate that the server sees."""

from __future__ import annotations

import time
from pathlib import Path

import anyio
import pytest

from sansio_http_anyio import AsyncHTTPClient, ClientConfig, HTTPClientError, TokenBucketRateLimiter
from tests.fixtures.mock_server import MockServer, Reply

pytestmark = pytest.mark.anyio

CALLERS, RATE, SECONDS = 1000, 500, 5
MEASURED = 300  # requests, to find out what the machine is good for


def waited_for_a_processor() -> float:
    """Seconds that the threads of this process were ready to run, and others were run in their place (on Linux)."""
    tasks = Path("/proc/self/task")
    if not tasks.is_dir():
        return 0.0
    waited = 0
    for task in tasks.iterdir():
        try:
            waited += int((task / "schedstat").read_text().split()[1])
        except OSError:  # a thread that has just ended, or a kernel that does not count
            pass
    return waited / 1e9


async def capacity(server: MockServer, config: ClientConfig) -> float:
    """Requests a second that client, server and machine are good for, with no limit."""
    began = time.monotonic()
    async with AsyncHTTPClient(server.url, config) as client, anyio.create_task_group() as tasks:
        for _ in range(MEASURED):
            tasks.start_soon(client.get, "/free")
    return MEASURED / (time.monotonic() - began)


async def test_a_thousand_callers_send_at_the_rate() -> None:
    with MockServer() as server:
        server.on("GET /x", Reply(204))
        server.on("GET /free", Reply(204))
        config = ClientConfig(timeout=120.0, max_connections=20, retry_attempts=0)
        # A machine that is not good for more would be what is measured, and not the limiter.
        rate = min(RATE, int(await capacity(server, config) / 4))
        requests = rate * SECONDS
        limiter = TokenBucketRateLimiter(rate, burst=1)
        numbers = iter(range(requests))
        failed: list[HTTPClientError] = []
        async with AsyncHTTPClient(server.url, config, rate_limiter=limiter) as client:

            async def caller() -> None:
                for _ in numbers:
                    try:
                        assert (await client.get("/x")).status_code == 204
                    except HTTPClientError as error:
                        failed.append(error)

            starved = waited_for_a_processor()
            async with anyio.create_task_group() as tasks:
                for _ in range(CALLERS):
                    tasks.start_soon(caller)
            starved = waited_for_a_processor() - starved
        seen = [request.time for request in server.requests if request.path == "/x"]
    assert not failed and len(seen) == requests and limiter.waiting == 0
    took = max(seen) - min(seen)
    # Never faster, on any machine; and never slower either, where other programs leave it the time.
    assert (requests - 1) / took <= rate * 1.02
    if starved < took / 20:
        assert (requests - 1) / max(took - starved, SECONDS) >= rate * 0.98
