"""One limiter and one circuit breaker for successive event loops of both kinds: neither freezes nor forgets."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

from sansio_http import HTTPResponse, Rebased
from sansio_http_anyio import (
    AsyncHTTPClient,
    CircuitBreaker,
    CircuitBreakerOpenError,
    ClientConfig,
    Concurrency,
    ConnectError,
    Middleware,
    Note,
    Policies,
    RateLimiter,
    SlidingWindowRateLimiter,
    TokenBucketRateLimiter,
)
from tests.adapter.answering import Answering
from tests.fixtures.mock_server import MockServer, Reply
from tests.fixtures.virtual_loop import run_virtual

ALTERNATING = ["asyncio", "trio", "asyncio", "trio", "trio", "asyncio", "asyncio"]


async def fail() -> None:
    raise ConnectError("refused")


# In real time, each on the clock it has by default


def test_a_limiter_in_real_time() -> None:
    limiter = TokenBucketRateLimiter(rate=20, burst=1)
    began, waits = time.monotonic(), list[float]()
    for backend in ALTERNATING:
        waits.append(anyio.run(limiter.acquire, backend=backend))
    # trio's own clock begins at a random number: on it this would take a day, or no time at all.
    assert 6 / 20 - 0.001 <= time.monotonic() - began < 60
    assert waits[0] == 0 and all(wait < 10 for wait in waits)
    assert limiter.rebases == 0


def test_a_circuit_breaker_in_real_time() -> None:
    breaker = CircuitBreaker(failure_threshold=2, recovery_timeout=0.3)
    for backend in ALTERNATING[:2]:
        with pytest.raises(ConnectError):
            anyio.run(breaker.call, fail, backend=backend)
    for backend in ALTERNATING[:4]:
        with pytest.raises(CircuitBreakerOpenError):
            anyio.run(breaker.call, fail, backend=backend)
    time.sleep(0.31)
    anyio.run(breaker.call, anyio.sleep, 0, backend="trio")
    assert breaker.state == "CLOSED" and breaker.rebases == 0


def test_in_clients_over_sockets() -> None:
    limiter = TokenBucketRateLimiter(rate=30, burst=1)
    breaker = CircuitBreaker(failure_threshold=4, recovery_timeout=60)
    config = ClientConfig(retry_attempts=0)

    async def ask(path: str) -> int:
        async with AsyncHTTPClient(server.url, config, rate_limiter=limiter, circuit_breaker=breaker) as client:
            return (await client.get(path)).status_code

    with MockServer() as server:
        began = time.monotonic()
        for backend in ALTERNATING:
            assert anyio.run(ask, "/json", backend=backend) == 200
        assert time.monotonic() - began >= 6 / 30 - 0.001
        for backend in ALTERNATING[:4]:
            assert anyio.run(ask, "/status/500", backend=backend) == 500
        for backend in ALTERNATING:
            with pytest.raises(CircuitBreakerOpenError):
                anyio.run(ask, "/json", backend=backend)
        assert server.count() == 11 and server.open_connections == 0


# In virtual time, where each event loop begins at zero


@pytest.mark.parametrize(
    ("limiter", "first", "then"),
    [
        (TokenBucketRateLimiter(1, 2, clock=anyio.current_time), [0, 0, 1, 1], [1, 1, 1, 1]),
        (SlidingWindowRateLimiter(2, 10, clock=anyio.current_time), [0, 0, 10, 0], [10, 0, 10, 0]),
    ],
)
def test_a_limiter_on_clocks_that_begin_anew(limiter: RateLimiter, first: list[float], then: list[float]) -> None:
    async def main() -> list[float]:
        return [await limiter.acquire() for _ in range(4)]

    for number, backend in enumerate(ALTERNATING):
        assert run_virtual(backend, main) == pytest.approx(then if number else first), number
    assert isinstance(limiter, TokenBucketRateLimiter | SlidingWindowRateLimiter) and limiter.rebases == 6


def test_a_circuit_breaker_on_clocks_that_begin_anew() -> None:
    breaker = CircuitBreaker(failure_threshold=1, recovery_timeout=10, clock=anyio.current_time)

    async def open_it() -> None:
        await anyio.sleep(1000)
        with pytest.raises(ConnectError):
            await breaker.call(fail)

    async def still_open(seconds: float) -> None:
        with pytest.raises(CircuitBreakerOpenError) as caught:
            await breaker.call(fail)
        assert caught.value.retry_after == pytest.approx(seconds)
        await anyio.sleep(4)

    async def heal() -> None:
        assert breaker.state == "OPEN"
        await anyio.sleep(2)
        assert breaker.state == "HALF_OPEN"
        await breaker.call(anyio.sleep, 1)
        assert breaker.state == "CLOSED"

    run_virtual("asyncio", open_it)
    run_virtual("trio", still_open, 10)
    run_virtual("asyncio", looked_at, breaker)  # somebody has to, for the time until then to be known
    run_virtual("trio", still_open_for, breaker, 10)
    run_virtual("asyncio", heal)


async def looked_at(breaker: CircuitBreaker) -> None:
    assert breaker.state == "OPEN"


async def still_open_for(breaker: CircuitBreaker, seconds: float) -> None:
    await anyio.sleep(seconds - 2)
    assert breaker.state == "OPEN"


@pytest.mark.parametrize("first", ["asyncio", "trio"])
def test_a_probe_that_was_lost_with_its_event_loop_does_not_keep_the_breaker_half_open(first: str) -> None:
    breaker = CircuitBreaker(failure_threshold=1, recovery_timeout=1, clock=anyio.current_time)

    async def leave() -> None:
        with pytest.raises(ConnectError):
            await breaker.call(fail)
        await anyio.sleep(1)
        with anyio.move_on_after(1):
            await breaker.call(anyio.sleep, 60)

    async def go_on() -> None:
        await breaker.call(anyio.sleep, 0)
        assert breaker.state == "CLOSED"

    run_virtual(first, leave)
    for backend in ALTERNATING:
        run_virtual(backend, go_on)


@pytest.mark.parametrize("first", ["asyncio", "trio"])
def test_waiters_that_were_left_behind_are_in_nobodys_way(first: str) -> None:
    limiter = TokenBucketRateLimiter(1, 1, clock=anyio.current_time)

    async def leave() -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(10):
                tasks.start_soon(limiter.acquire)
            await anyio.sleep(1.5)
            tasks.cancel_scope.cancel()

    async def go_on() -> float:
        return await limiter.acquire()

    run_virtual(first, leave)
    assert limiter.waiting == 0
    assert run_virtual("trio", go_on) == pytest.approx(0.5)
    # A clock that is behind by a second or less may be the same one: it is waited for.
    assert run_virtual("asyncio", go_on) == pytest.approx(1.5)


def test_in_clients_on_clocks_that_begin_anew() -> None:
    clock = anyio.current_time
    limiter = TokenBucketRateLimiter(1, 1, clock=clock)
    breaker = CircuitBreaker(failure_threshold=3, recovery_timeout=10, clock=clock)
    notes: list[Note] = []

    class Watching(Middleware):
        def on_note(self, note: Note) -> None:
            notes.append(note)

    async def ask(status: int) -> float:
        client = AsyncHTTPClient(
            "http://api.example.com",
            ClientConfig(retry_attempts=0),
            middlewares=[Watching()],
            rate_limiter=limiter,
            circuit_breaker=breaker,
            transport=Answering(lambda send: HTTPResponse(status)),
            clock=clock,
        )
        began = clock()
        async with client:
            await client.get("/")
        return clock() - began

    waits = [run_virtual(backend, ask, 200) for backend in ALTERNATING]
    # A clock that is behind by a second or less may be the same one: it is waited for.
    assert waits == pytest.approx([0, 1, 2, 1, 2, 1, 2])
    assert any(isinstance(note, Rebased) for note in notes)
    for backend in ALTERNATING[:3]:
        run_virtual(backend, ask, 500)
    for backend in ALTERNATING:
        with pytest.raises(CircuitBreakerOpenError, match=r"try again in 1[01] s"):
            run_virtual(backend, ask, 200)


# One after the other and at once


@pytest.mark.anyio
async def test_several_clients_share_what_they_are_given(server: MockServer) -> None:
    server.on("/slow", Reply(delay=0.01))
    limiter, slots = TokenBucketRateLimiter(1000, 1000), Concurrency(2)
    clients = [AsyncHTTPClient(server.url, rate_limiter=limiter, policies=Policies(slots=slots)) for _ in range(3)]
    calls: list[Callable[[], Awaitable[Any]]] = [lambda client=client: client.get("/slow") for client in clients]  # type: ignore[misc]
    async with anyio.create_task_group() as tasks:
        for call in calls * 5:
            tasks.start_soon(call)
    assert server.max_concurrent == 2 and server.count() == 15
    assert (slots.in_use, slots.waiting, limiter.waiting) == (0, 0, 0)
    for client in clients:
        await client.aclose()
