"""Limiters awaited alone, and the users' own in a client."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from sansio_http_anyio import (
    AsyncHTTPClient,
    ClientConfig,
    ConfigurationError,
    RateLimiter,
    RateLimitError,
    SlidingWindowRateLimiter,
    TokenBucketRateLimiter,
    TotalTimeoutError,
)
from tests.fixtures.mock_server import MockServer, Reply
from tests.fixtures.virtual_loop import run_virtual

pytestmark = pytest.mark.anyio

BOTH_BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])


def bucket(rate: float, burst: float, **options: Any) -> TokenBucketRateLimiter:
    return TokenBucketRateLimiter(rate, burst, clock=anyio.current_time, **options)


def window(limit: int, seconds: float, **options: Any) -> SlidingWindowRateLimiter:
    return SlidingWindowRateLimiter(limit, seconds, clock=anyio.current_time, **options)


# Alone


@BOTH_BACKENDS
@pytest.mark.parametrize(
    ("make", "waits"),
    [
        (lambda: bucket(2, 3), [0, 0, 0, 0.5, 0.5, 0.5]),
        (lambda: window(3, 10), [0, 0, 0, 10, 0, 0]),
    ],
)
def test_one_after_the_other(backend: str, make: Callable[[], RateLimiter], waits: list[float]) -> None:
    async def main() -> list[float]:
        limiter = make()
        assert limiter.is_configured()
        return [await limiter.acquire() for _ in waits]

    assert run_virtual(backend, main) == pytest.approx(waits)


@BOTH_BACKENDS
def test_many_at_once_are_granted_first_come_first_served(backend: str) -> None:
    async def main() -> None:
        limiter, began, granted = bucket(10, 5), anyio.current_time(), list[tuple[int, float]]()

        async def acquire(number: int) -> None:
            order.append(number)
            waited = await limiter.acquire()
            assert waited == pytest.approx(anyio.current_time() - began, abs=1e-6)
            granted.append((number, round(waited, 6)))

        order: list[int] = []
        async with anyio.create_task_group() as tasks:
            for number in range(100):
                tasks.start_soon(acquire, number)
        assert [number for number, _ in granted] == order
        assert [waited for _, waited in granted] == pytest.approx([max(0, n - 4) / 10 for n in range(100)])
        assert limiter.waiting == 0

    run_virtual(backend, main)


@BOTH_BACKENDS
def test_weights(backend: str) -> None:
    async def main() -> list[float]:
        limiter = bucket(2, 10)
        return [await limiter.acquire(tokens) for tokens in (4, 6, 0.5, 10)]

    assert run_virtual(backend, main) == pytest.approx([0, 0, 0.25, 5])


@BOTH_BACKENDS
def test_a_waiter_that_is_cancelled_delays_nobody_and_leaves_no_debt(backend: str) -> None:
    async def main() -> dict[int, float]:
        limiter, granted = bucket(1, 1), dict[int, float]()
        began = anyio.current_time()
        await limiter.acquire()
        scopes = [anyio.CancelScope() for _ in range(6)]

        async def acquire(number: int) -> None:
            with scopes[number]:
                await limiter.acquire()
                granted[number] = round(anyio.current_time() - began, 6)

        async with anyio.create_task_group() as tasks:
            for number in range(6):
                tasks.start_soon(acquire, number)
                await anyio.sleep(0.01)
            await anyio.sleep(0.44)  # at 0.5: the head, one in the middle, the tail
            for number in (0, 2, 5):
                scopes[number].cancel()
        assert limiter.waiting == 0
        assert await limiter.acquire() == pytest.approx(1)
        return granted

    assert run_virtual(backend, main) == pytest.approx({1: 1.0, 3: 2.0, 4: 3.0})


@BOTH_BACKENDS
def test_a_waiter_that_is_cancelled_in_the_tick_of_its_grant(backend: str) -> None:
    """Whichever comes first: the token is taken by one that says so, or it is there for the next."""

    async def main() -> None:
        limiter = bucket(1, 1)
        await limiter.acquire()
        granted: list[str] = []

        async def acquire(name: str, scope: anyio.CancelScope) -> None:
            with scope:
                await limiter.acquire()
                granted.append(name)

        async def cancel_at(seconds: float, scope: anyio.CancelScope) -> None:
            await anyio.sleep(seconds)
            scope.cancel()

        began = anyio.current_time()
        async with anyio.create_task_group() as tasks:
            for name in "ab":
                scope = anyio.CancelScope()
                tasks.start_soon(acquire, name, scope)
                await anyio.lowlevel.checkpoint()
                if name == "a":
                    tasks.start_soon(cancel_at, 1.0, scope)
        assert granted[-1] == "b"
        assert anyio.current_time() - began == pytest.approx(len(granted), abs=0.01)
        assert limiter.waiting == 0

    run_virtual(backend, main)


@pytest.mark.asyncio_only("native cancellation is asyncio's")
async def test_native_cancellation() -> None:
    limiter = TokenBucketRateLimiter(20, 1)
    await limiter.acquire()
    tasks = [asyncio.create_task(limiter.acquire()) for _ in range(4)]
    await asyncio.sleep(0.01)
    for task in tasks[:3]:
        task.cancel()
    waited = await tasks[3]
    assert 0.02 < waited < 0.1
    assert limiter.waiting == 0 and all(task.cancelled() for task in tasks[:3])


@BOTH_BACKENDS
@pytest.mark.parametrize(
    ("make", "waits"),
    [(lambda: bucket(1, 2, max_wait=1), [0, 0, 1]), (lambda: window(1, 1, max_wait=1), [0, 1])],
)
def test_a_wait_that_is_too_long_is_refused_at_once(
    backend: str, make: Callable[[], RateLimiter], waits: list[float]
) -> None:
    async def main() -> None:
        limiter, waited = make(), list[float]()

        async def acquire() -> None:
            waited.append(await limiter.acquire())

        async with anyio.create_task_group() as tasks:
            for _ in waits:
                tasks.start_soon(acquire)
            await anyio.sleep(0.25)
            began = anyio.current_time()
            with pytest.raises(RateLimitError, match="has no place in time; try again in") as caught:
                await limiter.acquire()
            assert anyio.current_time() == began
        error = caught.value
        assert (error.local, error.status_code, error.response) == (True, None, None)
        assert error.retry_after == pytest.approx(1.75)
        assert waited == pytest.approx(waits)

    run_virtual(backend, main)


@pytest.mark.parametrize("tokens", [3, 0, -1, "1", None, 1.5])
async def test_so_many_tokens_can_never_be_had(tokens: Any) -> None:
    limiters: list[Any] = [SlidingWindowRateLimiter(2, 1)]
    if tokens != 1.5:
        limiters.append(TokenBucketRateLimiter(1, 2))
    for limiter in limiters:
        with pytest.raises(ConfigurationError, match=f"tokens: {tokens!r} is not allowed"):
            await limiter.acquire(tokens)
        assert limiter.waiting == 0
        assert await limiter.acquire(2) == 0


async def test_on_the_real_clock() -> None:
    limiter = TokenBucketRateLimiter(50, 1)
    began = time.monotonic()
    waits = [await limiter.acquire() for _ in range(5)]
    assert time.monotonic() - began >= 4 / 50 - 0.001
    assert waits[0] == 0 and all(wait > 0 for wait in waits[1:])


# In a client


class Own(RateLimiter):
    """A user's own limiter."""

    def __init__(self, configured: bool = True, after: float = 0.0) -> None:
        self.configured = configured
        self.after = after
        self.acquired: list[float] = []

    async def acquire(self, tokens: float = 1) -> float:
        await anyio.sleep(self.after)
        self.acquired.append(tokens)
        return self.after

    def is_configured(self) -> bool:
        return self.configured


def test_a_limiter_must_say_how() -> None:
    with pytest.raises(TypeError, match="acquire"):
        RateLimiter()  # type: ignore[abstract]


async def test_a_users_limiter_is_awaited_for_each_send(server: MockServer) -> None:
    server.on("/x", Reply(503), Reply(307, headers={"Location": "/json"}))
    limiter = Own()
    config = ClientConfig(retry_backoff_factor=0.001, follow_redirects=True)
    async with AsyncHTTPClient(server.url, config, rate_limiter=limiter) as client:
        assert (await client.get("/x")).is_success
    assert limiter.acquired == [1, 1, 1] and server.count() == 3


async def test_a_limiter_without_limits_is_not_asked(server: MockServer) -> None:
    class Unlimited(TokenBucketRateLimiter):
        def is_configured(self) -> bool:
            return False

    for limiter in (Own(configured=False), Unlimited(0.001, 1)):
        async with AsyncHTTPClient(server.url, rate_limiter=limiter) as client:
            for _ in range(3):
                await client.get("/json")
        assert not (isinstance(limiter, Own) and limiter.acquired)


async def test_a_subclass_of_ours_that_overrides_acquire_is_asked(server: MockServer) -> None:
    class Counted(TokenBucketRateLimiter):
        count = 0

        async def acquire(self, tokens: float = 1) -> float:
            self.count += 1
            return await super().acquire(tokens)

    limiter = Counted(0.001, 10)
    async with AsyncHTTPClient(server.url, rate_limiter=limiter) as client:
        assert client.policies.limiter is None
        await client.get("/json")
    assert limiter.count == 1 and limiter.available(time.monotonic()) < 10


async def test_what_a_users_limiter_raises_ends_the_call(server: MockServer) -> None:
    class Strict(Own):
        async def acquire(self, tokens: float = 1) -> float:
            raise RateLimitError(None, "not today", retry_after=5, local=True)

    async with AsyncHTTPClient(server.url, rate_limiter=Strict()) as client:
        with pytest.raises(RateLimitError, match="not today"):
            await client.get("/json")
    assert server.connections == 0


async def test_a_users_limiter_has_the_time_of_the_call(server: MockServer) -> None:
    async with AsyncHTTPClient(server.url, ClientConfig(timeout=0.05), rate_limiter=Own(after=60)) as client:
        with pytest.raises(TotalTimeoutError):
            await client.get("/json")
        assert client.policies.slots is not None and client.policies.slots.in_use == 0
    assert server.connections == 0
