"""A call that is cancelled gives everything back, wherever it was: by anyio's scopes, and natively on asyncio."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from sansio_http import Ended, HTTPResponse, Policies, Send
from sansio_http_anyio import (
    AsyncHTTPClient,
    AuthHandler,
    CircuitBreaker,
    ClientConfig,
    ConnectionLostError,
    ExponentialBackoff,
    HTTPClientError,
    HTTPRequest,
    Middleware,
    PreparedRequest,
    RetryPolicy,
    TokenBucketRateLimiter,
    TotalTimeoutError,
)
from tests.adapter.answering import Answering
from tests.fixtures.mock_server import MockServer, Received, Reply
from tests.fixtures.virtual_loop import run_virtual

pytestmark = pytest.mark.anyio

MOST = 4  # connections at once
NATIVE = pytest.mark.asyncio_only("native cancellation is asyncio's")


class Slow(AuthHandler, Middleware):
    """Something of the user's that takes its time."""

    async def prepare_request(self, request: HTTPRequest) -> PreparedRequest:
        await anyio.sleep(60)
        return request

    async def process_request(self, request: HTTPRequest, client: AsyncHTTPClient) -> None:
        await anyio.sleep(60)


class Subject:
    """A client with everything that a call can hold, and a server."""

    def __init__(self, server: MockServer) -> None:
        self.server = server
        self.limiter = TokenBucketRateLimiter(1000, 10_000)
        self.breaker = CircuitBreaker(failure_threshold=1_000_000)
        config = ClientConfig(max_connections=MOST, retry_backoff_factor=0.001)
        self.client = AsyncHTTPClient(server.url, config, circuit_breaker=self.breaker, rate_limiter=self.limiter)
        self.slots: Any = self.client.policies.slots
        self.unseen = 0  # connections that are closed, and that the server may not see closed
        server.on("/hang", Reply.hang())
        server.on("/half", Reply(body=bytes(100_000), cut=50_000, then="hang"))

    @property
    def held(self) -> tuple[int, ...]:
        return self.slots.in_use, self.slots.waiting, self.limiter.waiting, self.breaker.permits_out

    async def check(self, eventually: Any) -> None:
        """Nothing is held, and as many requests as there may be go through at once."""
        assert self.held == (0, 0, 0, 0)
        together = threading.Barrier(MOST)

        def answer(request: Received) -> Reply:
            together.wait(5)
            return Reply(json=1)

        self.server.on("/together", answer)
        async with anyio.create_task_group() as tasks:
            for _ in range(MOST):
                tasks.start_soon(self.client.get, "/together")
        assert self.held == (0, 0, 0, 0)
        await eventually(lambda: MOST <= self.server.open_connections <= MOST + self.unseen)


@pytest.fixture
async def subject(server: MockServer, eventually: Any) -> AsyncIterator[Subject]:
    subject = Subject(server)
    async with subject.client:
        yield subject
        await subject.check(eventually)
    await eventually(lambda: server.open_connections <= subject.unseen)


# Wherever it was


async def in_the_limiters_queue(subject: Subject) -> tuple[Awaitable[Any], Callable[[], object]]:
    limiter = TokenBucketRateLimiter(0.01, 1)
    await limiter.acquire()
    policies = Policies(limiter=limiter, circuit=subject.breaker)
    return subject.client.get("/json", policies=policies, timeout=1000), lambda: limiter.waiting


async def in_backoff(subject: Subject) -> tuple[Awaitable[Any], Callable[[], object]]:
    retry = RetryPolicy(backoff=ExponentialBackoff(60, jitter="none"))
    policies = Policies(retry=retry, limiter=subject.limiter, circuit=subject.breaker)
    call = subject.client.get("/status/503", policies=policies, timeout=1000)
    return call, lambda: subject.server.count() and not subject.slots.in_use


async def waiting_for_a_slot(subject: Subject) -> tuple[Awaitable[Any], Callable[[], object]]:
    async def crowd() -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(MOST + 2):
                tasks.start_soon(subject.client.get, "/hang")

    # Only the head of the limiter's queue queues for a slot.
    return crowd(), lambda: subject.slots.waiting == 1 and subject.limiter.waiting == 2


async def before_the_head(subject: Subject) -> tuple[Awaitable[Any], Callable[[], object]]:
    return subject.client.get("/hang"), lambda: subject.server.count("/hang")


async def on_a_kept_connection(subject: Subject) -> tuple[Awaitable[Any], Callable[[], object]]:
    await subject.client.get("/json")
    return subject.client.get("/hang"), lambda: subject.server.count("/hang")


async def in_the_body(subject: Subject) -> tuple[Awaitable[Any], Callable[[], object]]:
    return subject.client.get("/half"), lambda: subject.server.count("/half")


async def in_a_streams_body(subject: Subject) -> tuple[Awaitable[Any], Callable[[], object]]:
    read: list[int] = []

    async def stream() -> None:
        async with subject.client.stream("GET", "/half") as response:
            async for chunk in response.iter_bytes():
                read.append(len(chunk))

    return stream(), lambda: sum(read) == 50_000


async def while_connecting(subject: Subject) -> tuple[Awaitable[Any], Callable[[], object]]:
    subject.server.hang_accept()

    async def connect() -> None:
        try:
            await subject.client.get("/json")
        finally:
            subject.server.accept()

    return connect(), lambda: subject.slots.in_use


async def while_writing(subject: Subject) -> tuple[Awaitable[Any], Callable[[], object]]:
    subject.server.on("/upload", Reply(raw=(), early=1, then="hang"))
    subject.unseen = 1  # where its own bytes find no room; a cancel before they fill the socket is seen at once
    return subject.client.post("/upload", data=bytes(20_000_000)), lambda: subject.server.count("/upload")


async def in_a_question(subject: Subject) -> tuple[Awaitable[Any], Callable[[], object]]:
    began = time.monotonic()
    return subject.client.get("/json", auth=Slow()), lambda: time.monotonic() - began > 0.02


async def in_a_middleware(subject: Subject) -> tuple[Awaitable[Any], Callable[[], object]]:
    began = time.monotonic()
    client = AsyncHTTPClient(subject.server.url, middlewares=[Slow()])
    return client.get("/json"), lambda: time.monotonic() - began > 0.02


PLACES = [
    in_the_limiters_queue,
    in_backoff,
    waiting_for_a_slot,
    before_the_head,
    on_a_kept_connection,
    in_the_body,
    in_a_streams_body,
    while_connecting,
    while_writing,
    in_a_question,
    in_a_middleware,
]


@pytest.mark.parametrize("place", PLACES)
async def test_by_a_scope(place: Callable[[Subject], Any], subject: Subject, eventually: Any) -> None:
    call, there = await place(subject)
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: call)
            await eventually(there)
            tasks.cancel_scope.cancel()
    assert subject.held == (0, 0, 0, 0)


@NATIVE
@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("place", PLACES)
async def test_natively(place: Callable[[Subject], Any], times: int, subject: Subject, eventually: Any) -> None:
    call, there = await place(subject)
    task = asyncio.ensure_future(call)
    await eventually(there)
    for _ in range(times):
        task.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert subject.held == (0, 0, 0, 0)


# In every tick


TICKS = 40
"""More than a call takes, if whatever it waits for is there when it looks."""


async def ticks(count: int) -> None:
    """Lets the event loop turn so often, and each time the network come first."""
    for _ in range(count):
        time.sleep(0.0003)  # noqa: ASYNC251 - nothing is to happen on the loop meanwhile
        await anyio.lowlevel.checkpoint()


async def some_stream(client: AsyncHTTPClient) -> bytes:
    async with client.stream("GET", "/bytes/100000") as response:
        return await response.aread()


KINDS: list[Callable[[AsyncHTTPClient], Awaitable[Any]]] = [
    lambda client: client.get("/json"),
    some_stream,
]


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("kind", KINDS)
async def test_by_a_scope_in_every_tick(kind: Callable[[AsyncHTTPClient], Any], kept: bool, subject: Subject) -> None:
    done = 0

    async def call() -> None:
        nonlocal done
        await kind(subject.client)
        done += 1

    for tick in range(TICKS):
        if kept:
            await subject.client.get("/json")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call)
            await ticks(tick)
            tasks.cancel_scope.cancel()
        assert subject.held == (0, 0, 0, 0), tick
        assert subject.server.open_connections <= 1, tick
    assert 0 < done < TICKS


@NATIVE
@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("twice", [False, True])
@pytest.mark.parametrize("kind", KINDS)
async def test_natively_in_every_tick(
    kind: Callable[[AsyncHTTPClient], Any], twice: bool, kept: bool, subject: Subject
) -> None:
    done = 0
    for tick in range(TICKS):
        if kept:
            await subject.client.get("/json")
        task = asyncio.ensure_future(kind(subject.client))
        await ticks(tick)
        task.cancel()
        if twice:
            await asyncio.sleep(0)
            task.cancel()
        await asyncio.wait([task])
        done += not task.cancelled()
        assert subject.held == (0, 0, 0, 0), tick
        await asyncio.sleep(0)  # in which asyncio closes what was aborted
        assert subject.server.open_connections <= 1, tick
    assert 0 < done < TICKS


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_at_the_very_time_of_each_event(backend: str) -> None:
    """A token at 1, an answer at 2, the end of the backoff at 2.5, a second answer at 3.5."""

    async def main() -> list[str]:
        outcomes: list[str] = []
        for quarters in range(16):
            clock = anyio.current_time
            limiter = TokenBucketRateLimiter(1, 1, clock=clock)
            breaker = CircuitBreaker(clock=clock)
            answers = iter((503, 200, 200))
            transport = Answering(lambda send, answers=answers: HTTPResponse(next(answers)), after=1.0)  # type: ignore[misc]
            client = AsyncHTTPClient(
                "http://api.example.com",
                circuit_breaker=breaker,
                rate_limiter=limiter,
                policies=Policies(retry=RetryPolicy(backoff=ExponentialBackoff(0.5, jitter="none"))),
                transport=transport,
                clock=clock,
            )
            await limiter.acquire()
            slots: Any = client.policies.slots
            with anyio.CancelScope(deadline=anyio.current_time() + quarters / 4) as scope:
                await client.get("/")
            outcomes.append("cancelled" if scope.cancelled_caught else "answered")
            assert (slots.in_use, slots.waiting, limiter.waiting, breaker.permits_out) == (0, 0, 0, 0)
            waited = await limiter.acquire()
            assert waited <= 1
            assert (await client.get("/")).status_code in (200, 503)
        return outcomes

    outcomes = run_virtual(backend, main)
    assert outcomes[:14] == ["cancelled"] * 14 and outcomes[-1] == "answered"


# An answer in the tick in which nobody wants it any more


class Open:
    """An open body that is thrown away, or not."""

    def __init__(self) -> None:
        self.discarded = 0

    def discard(self) -> None:
        self.discarded += 1


@NATIVE
async def test_an_answer_that_comes_in_the_tick_of_a_native_cancellation_is_thrown_away() -> None:
    body = Open()

    class Late(Answering):
        async def send(self, send: Send) -> Any:
            send.ended = Ended(send.id, HTTPResponse(200, body=body))
            await asyncio.sleep(60)

    async with AsyncHTTPClient("http://api.example.com", transport=Late()) as client:
        task = asyncio.ensure_future(client.stream("GET", "/").__aenter__())
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        slots: Any = client.policies.slots
        assert (body.discarded, slots.in_use) == (1, 0)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_an_answer_that_comes_at_the_deadline_is_an_answer(backend: str) -> None:
    async def main() -> None:
        class Slot(Answering):
            async def send(self, send: Send) -> Any:
                send.ended = Ended(
                    send.id, HTTPResponse(200) if send.request.method == "GET" else ConnectionLostError("x")
                )
                await anyio.sleep_forever()

        client = AsyncHTTPClient(
            "http://api.example.com",
            ClientConfig(timeout=5, retry_attempts=0),
            transport=Slot(),
            clock=anyio.current_time,
        )
        assert (await client.get("/")).status_code == 200
        with pytest.raises(ConnectionLostError):
            await client.post("/")

    run_virtual(backend, main)


async def test_a_deadline_gives_everything_back_too(server: MockServer, eventually: Any) -> None:
    subject = Subject(server)
    async with subject.client:
        for path in ("/hang", "/half"):
            async with anyio.create_task_group() as tasks:
                for _ in range(3 * MOST):

                    async def call(path: str = path) -> None:
                        with pytest.raises(TotalTimeoutError):
                            await subject.client.get(path, timeout=0.03)

                    tasks.start_soon(call)
            assert subject.held == (0, 0, 0, 0)
        await subject.check(eventually)


# A storm


Ask = Callable[[], Awaitable[Any]]


async def storm(subject: Subject, number: int, run: Callable[[Ask, float], Awaitable[Any]]) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    client = subject.client

    class Hesitant(AuthHandler):
        async def prepare_request(self, request: HTTPRequest) -> PreparedRequest:
            await anyio.sleep(dice.random() * 0.002)
            return request

    async def stream() -> None:
        async with client.stream("GET", "/lines/300") as response:
            async for _ in response.iter_lines():
                if dice.random() < 0.01:
                    break

    kinds: list[Ask] = [
        lambda: client.get("/json"),
        lambda: client.get("/json", auth=Hesitant()),
        lambda: client.get("/bytes/200000"),
        lambda: client.get("/status/503"),
        lambda: client.get("/hang"),
        lambda: client.get("/half"),
        lambda: client.get("/reset"),
        lambda: client.post("/echo", json=["x" * 1000]),
        stream,
    ]
    subject.server.on("/reset", Reply.reset())

    def one(kind: Ask) -> Callable[[], Awaitable[None]]:
        async def call() -> None:
            try:
                await kind()
            except HTTPClientError:
                pass

        return call

    async with anyio.create_task_group() as tasks:
        for _ in range(number):
            tasks.start_soon(run, one(dice.choice(kinds)), dice.random() * 0.02)
            if dice.random() < 0.3:
                await anyio.sleep(dice.random() * 0.005)


async def test_a_storm_of_scopes(subject: Subject) -> None:
    async def run(call: Ask, seconds: float) -> None:
        with anyio.move_on_after(seconds):
            await call()

    await storm(subject, 300, run)


@NATIVE
async def test_a_storm_of_native_cancellations(subject: Subject) -> None:
    async def run(call: Ask, seconds: float) -> None:
        task = asyncio.ensure_future(call())
        loop = asyncio.get_running_loop()
        loop.call_later(seconds, task.cancel)
        if seconds > 0.01:
            loop.call_later(seconds, lambda: loop.call_soon(task.cancel))
        await asyncio.wait([task])

    await storm(subject, 300, run)
