"""Limiters awaited alone, and the users' own in a client."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from sansio_http_anyio import (
    AIMD,
    AdaptiveRate,
    AsyncHTTPClient,
    ClientConfig,
    ClientThrottle,
    Combined,
    CombinedRateLimiter,
    Concurrency,
    ConfigurationError,
    GCRARateLimiter,
    HTTPResponse,
    HTTPResponseError,
    Keyed,
    Limiter,
    RateLimiter,
    RateLimitError,
    ServerQuota,
    SlidingCounterRateLimiter,
    SlidingWindow,
    SlidingWindowRateLimiter,
    TokenBucket,
    TokenBucketRateLimiter,
    TotalTimeoutError,
    hold,
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
        (lambda: GCRARateLimiter(2, 3, clock=anyio.current_time), [0, 0, 0, 0.5, 0.5, 0.5]),
        (lambda: SlidingCounterRateLimiter(2, 8, clock=anyio.current_time), [0, 0, 12, 4, 8, 8]),
        (
            lambda: CombinedRateLimiter(TokenBucket(2, 1), SlidingWindow(3, 10), clock=anyio.current_time),
            [0, 0.5, 0.5, 9, 0.5, 0.5],
        ),
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
    assert 0.02 < waited < 5
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


# Held


@BOTH_BACKENDS
@pytest.mark.parametrize("make", [lambda: Concurrency(2), lambda: Combined(Concurrency(2), TokenBucket(1000, 1000))])
def test_so_many_are_inside_at_once(backend: str, make: Callable[[], Limiter]) -> None:
    async def main() -> None:
        limiter, inside, most = make(), 0, 0
        waits: list[float] = []

        async def work() -> None:
            nonlocal inside, most
            async with hold(limiter, clock=anyio.current_time) as held:
                waits.append(held.waited)
                inside += 1
                most = max(most, inside)
                await anyio.sleep(1)
                inside -= 1

        async with anyio.create_task_group() as tasks:
            for _ in range(6):
                tasks.start_soon(work)
        assert most == 2 and limiter.waiting == 0
        assert waits == pytest.approx([0, 0, 1, 1, 2, 2])

    run_virtual(backend, main)


@BOTH_BACKENDS
def test_whoever_is_cancelled_inside_or_waiting_leaves_its_place(backend: str) -> None:
    async def main() -> None:
        limiter = AIMD(min_limit=1, initial=1)

        async def work(scope: anyio.CancelScope) -> None:
            with scope:
                async with hold(limiter, clock=anyio.current_time):
                    await anyio.sleep(60)

        scopes = [anyio.CancelScope() for _ in range(4)]
        async with anyio.create_task_group() as tasks:
            for scope in scopes:
                tasks.start_soon(work, scope)
            await anyio.sleep(1)
            for scope in (scopes[1], scopes[0]):
                scope.cancel()
            await anyio.sleep(1)
            assert (limiter.in_use, limiter.waiting) == (1, 1)
            for scope in scopes:
                scope.cancel()
        assert (limiter.in_use, limiter.waiting, limiter.limit) == (0, 0, 1)

    run_virtual(backend, main)


@pytest.mark.asyncio_only("native cancellation is asyncio's")
async def test_native_cancellation_of_those_who_hold() -> None:
    limiter = Concurrency(2)

    async def work() -> None:
        async with hold(limiter):
            await asyncio.sleep(60)

    for rounds in range(4):
        tasks = [asyncio.create_task(work()) for _ in range(5)]
        for _ in range(rounds):
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert limiter.in_use == limiter.waiting == 0


@pytest.mark.parametrize(
    ("error", "limit"),
    [
        (None, 3),
        (TimeoutError(), 1),
        (HTTPResponseError(429, "too many", HTTPResponse(429)), 1),
        (HTTPResponseError(503, "busy", HTTPResponse(503)), 1),
        (HTTPResponseError(500, "broken", HTTPResponse(500)), 3),
        (RateLimitError(None, "no place", local=True), 2),
        (ValueError(), 2),
    ],
)
async def test_how_a_body_ends_is_learned_from(error: Exception | None, limit: int) -> None:
    limiter = AIMD(min_limit=1, initial=2, backoff=0.5)
    with pytest.raises(type(error)) if error is not None else nullcontext():
        async with hold(limiter):
            if error is not None:
                raise error
    assert (limiter.limit, limiter.in_use) == (limit, 0)


async def test_unless_it_says_so_itself() -> None:
    limiter = AIMD(min_limit=1, initial=2, backoff=0.5)
    async with hold(limiter) as held:
        held.fate = "dropped"
    assert limiter.limit == 1


async def test_any_limiter_can_be_held() -> None:
    for limiter in (TokenBucketRateLimiter(1, 5), AdaptiveRate(), ClientThrottle(), ServerQuota()):
        async with hold(limiter) as held:
            assert held.waited == 0
    with pytest.raises(ConfigurationError, match=r"^limiter: int is not allowed; it is a Limiter"):
        hold(5)  # type: ignore[arg-type]


async def test_a_throttle_rejects_here() -> None:
    throttle = ClientThrottle(k=1.5, padding=0, rand=lambda: 0.5)
    async with hold(throttle) as held:
        held.fate = "throttled"
    with pytest.raises(RateLimitError, match="rejects this request: the server accepted 0 of the last 2") as caught:
        async with hold(throttle):
            raise AssertionError
    assert caught.value.local


async def test_what_has_to_be_held_cannot_be_acquired() -> None:
    limiter = CombinedRateLimiter(TokenBucket(1, 1), Concurrency(1))
    with pytest.raises(ConfigurationError, match=r"^acquire: a part has to hear how each request ended"):
        await limiter.acquire()
    async with hold(limiter):
        assert not limiter.is_fresh(time.monotonic())


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


@pytest.mark.parametrize(
    "make", [lambda: Concurrency(1), lambda: AIMD(min_limit=1, initial=1, max_limit=1), lambda: [Concurrency(1)]]
)
async def test_a_limit_of_concurrency_holds_until_the_answer_is_there(server: MockServer, make: Any) -> None:
    given = make()
    limiter = given[0] if isinstance(given, list) else given
    server.on("/x", *[Reply(200, delay=0.05)] * 3)
    most: list[int] = []
    async with AsyncHTTPClient(server.url, rate_limiter=given) as client:

        async def get() -> None:
            await client.get("/x")
            most.append(limiter.in_use)

        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(get)
        assert server.count() == 3 and server.connections == 1
        assert limiter.in_use == limiter.waiting == 0 and max(most) <= 1


async def test_a_stream_holds_it_until_its_body_has_ended(server: MockServer) -> None:
    limiter = Concurrency(1)
    async with AsyncHTTPClient(server.url, rate_limiter=limiter) as client:
        async with client.stream("GET", "/json") as response:
            assert limiter.in_use == 1
            await response.aread()
            assert limiter.in_use == 0


async def test_a_list_of_limiters_is_passed_in_full(server: MockServer) -> None:
    own, bucket = Own(), TokenBucketRateLimiter(0.001, 10)
    tenants: Keyed[str, Limiter] = Keyed(lambda: Concurrency(1), lambda request: request.url)
    second, unlimited = Own(), Own(configured=False)
    async with AsyncHTTPClient(server.url, rate_limiter=[own, bucket, tenants, second, unlimited]) as client:
        assert client.policies.limiter == (bucket, tenants)
        await client.get("/json")
    assert own.acquired == second.acquired == [1] and unlimited.acquired == []
    assert len(tenants) == 1 and bucket.available(time.monotonic()) < 10


async def test_an_empty_list_is_no_limiter(server: MockServer) -> None:
    async with AsyncHTTPClient(server.url, rate_limiter=[]) as client:
        assert client.policies.limiter is None and client.policies.ask_limiter is None
        assert (await client.get("/json")).is_success


@pytest.mark.parametrize("limiter", [5, [5], [TokenBucketRateLimiter]])
def test_what_is_no_limiter_is_refused_by_name(limiter: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^rate_limiter: .* is not allowed; it is TokenBucketRateLimiter or"):
        AsyncHTTPClient("http://127.0.0.1", rate_limiter=limiter)


async def test_a_429_may_hold_all_calls_back(server: MockServer) -> None:
    server.on("/x", Reply(429, headers={"Retry-After": "60"}))
    limiter = ServerQuota()
    config = ClientConfig(retry_attempts=0, timeout=5.0)
    async with AsyncHTTPClient(server.url, config, rate_limiter=[limiter, TokenBucket(100, 100)]) as client:
        assert (await client.get("/x")).status_code == 429
        with pytest.raises(RateLimitError, match="the client's own rate limiter has no place in time") as caught:
            await client.get("/json")
        assert caught.value.local and 59 < (caught.value.retry_after or 0) <= 60
    assert server.count() == 1
