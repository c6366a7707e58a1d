"""Two thousand calls that are given up at random moments, half of them over TLS: nothing is lost with any of them."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from sansio_http_anyio import AsyncHTTPClient, CircuitBreaker, ClientConfig, HTTPClientError, TokenBucketRateLimiter
from tests.fixtures.certificates import Authority
from tests.fixtures.mock_server import MockServer, Received, Reply

pytestmark = pytest.mark.anyio

CALLS = 1000  # of each kind
AT_ONCE = 25
MOST = 10  # connections

GiveUp = Callable[[Callable[[], Awaitable[None]], float], Awaitable[None]]


async def by_a_scope(call: Callable[[], Awaitable[None]], seconds: float) -> None:
    with anyio.move_on_after(seconds):
        await call()


async def natively(call: Callable[[], Awaitable[None]], seconds: float) -> None:
    task = asyncio.ensure_future(call())
    asyncio.get_running_loop().call_later(seconds, task.cancel)
    await asyncio.wait([task])


SECURE = pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])


@SECURE
async def test_scopes_lose_nothing(secure: bool, tmp_path: Path) -> None:
    await storm(by_a_scope, secure, tmp_path)


@pytest.mark.asyncio_only("native cancellation is asyncio's")
@SECURE
async def test_native_cancellations_lose_nothing(secure: bool, tmp_path: Path) -> None:
    await storm(natively, secure, tmp_path)


async def storm(give_up: GiveUp, secure: bool, directory: Path) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    authority = Authority(directory) if secure else None
    trust: Any = True if authority is None else authority.bundle
    limiter, breaker = TokenBucketRateLimiter(1e9, 10**9), CircuitBreaker(failure_threshold=10**9)
    config = ClientConfig(max_connections=MOST, retry_backoff_factor=0.001, verify_ssl=trust, timeout=60)
    outcomes: dict[str, int] = {}
    with MockServer(tls=None if authority is None else authority.server()) as server:
        server.on("/slow", Reply(body=[b"a"] * 3, delay=0.001, body_pause=0.002, chunked=True))
        server.on("/last", Reply(json=1, headers={"Connection": "close"}))  # so that connections are made all the time
        server.on("/reset", Reply.reset())
        client = AsyncHTTPClient(server.url, config, circuit_breaker=breaker, rate_limiter=limiter)
        slots: Any = client.policies.slots

        async def call() -> None:
            target, outcome = dice.choice(["/json", "/slow", "/last", "/last", "/bytes/100000", "/reset"]), "given up"
            try:
                if dice.random() < 0.2:
                    async with client.stream("GET", target) as response:
                        async for _ in response.iter_bytes():
                            break
                else:
                    await client.get(target)
                outcome = "answered"
            except HTTPClientError:
                outcome = "failed"
            finally:
                outcomes[outcome] = outcomes.get(outcome, 0) + 1

        async def caller(number: int) -> None:
            for _ in range(number):
                await give_up(call, dice.choice([0.0005, 0.002, 0.01, 0.05]) * 2 * dice.random())

        async with client:
            async with anyio.create_task_group() as tasks:
                for _ in range(AT_ONCE):
                    tasks.start_soon(caller, CALLS // AT_ONCE)
            assert (slots.in_use, slots.waiting, limiter.waiting, breaker.permits_out) == (0, 0, 0, 0)
            assert outcomes["given up"] >= CALLS / 20 and outcomes["answered"]

            together = threading.Barrier(MOST)

            def answer(request: Received) -> Reply:
                together.wait(60)
                return Reply(json=1)

            server.on("/together", answer)
            async with anyio.create_task_group() as tasks:
                for _ in range(MOST):
                    tasks.start_soon(client.get, "/together")
            with anyio.fail_after(60):
                while server.open_connections > MOST:  # noqa: ASYNC110 - it happens in threads and sockets
                    await anyio.sleep(0.01)
        with anyio.fail_after(60):
            while server.open_connections:  # noqa: ASYNC110
                await anyio.sleep(0.01)
