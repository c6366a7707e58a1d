"""A hedged call on real event loops: the first good answer wins, and nothing of the others is left."""

from __future__ import annotations

import asyncio
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from sansio_http import (
    Call,
    ConnectError,
    Ended,
    ExponentialBackoff,
    FixedHedging,
    HTTPRequest,
    HTTPResponse,
    Outcome,
    Policies,
    QuotaBudget,
    RetryExhaustedError,
    RetryPolicy,
    Send,
)
from sansio_http.testing import Server, check_driver
from sansio_http_anyio import AsyncHTTPClient, ClientClosedError, ClientConfig, Hedged, drive
from tests.adapter.test_driver_conformance import OnAnyio, ScriptedTransport
from tests.fixtures.virtual_loop import run_virtual, virtual_backend

GET = HTTPRequest("GET", "http://h/x")
TICK = 0.02
NEXT = -1.0


@pytest.fixture(scope="module", params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """Both event loops, in virtual time: a busy machine makes no difference."""
    return virtual_backend(request.param)


class InVirtualTime(OnAnyio):
    """Our driver in virtual time, with somebody beside it who wakes it and cancels it."""

    now = 0.0

    def __call__(self, call: Call, server: Server) -> Outcome | None:
        return run_virtual(self.backend, self._main, call, server)

    def clock(self) -> float:
        try:
            self.now = anyio.current_time()
        except anyio.NoEventLoopError:  # a body is thrown away after the loop's end
            pass
        return self.now

    async def _main(self, call: Call, server: Server) -> Outcome | None:
        outcome: Outcome | None = None
        async with anyio.create_task_group() as self.beside:
            try:
                outcome = await drive(call, ScriptedTransport(server), self.clock, self.notes.append)
            except Exception as error:  # a task group would wrap it
                outcome = error
            self.beside.cancel_scope.cancel()
        return outcome


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_our_driver_with_two_sends_at_once(backend: str) -> None:
    driver = InVirtualTime(backend)
    check_driver(driver, max_live=2, later=driver.later, cancel=driver.cancel, sleep=anyio.sleep, notes=driver.notes)


class Body:
    """An open body that says whether it was thrown away."""

    def __init__(self, *chunks: bytes) -> None:
        self.chunks = list(chunks)
        self.discarded = False

    def __aiter__(self) -> Body:
        return self

    async def __anext__(self) -> bytes:
        await anyio.lowlevel.checkpoint()
        if not self.chunks:
            raise StopAsyncIteration
        return self.chunks.pop(0)

    async def aclose(self) -> None:
        self.discard()

    def discard(self) -> None:
        self.discarded = True


class Wire:
    """A transport whose sends are answered one after the other, as told: (seconds, answer or error).

    The seconds are NEXT where the answer waits for the next send.
    """

    def __init__(self, *answers: tuple[float, HTTPResponse | BaseException]) -> None:
        self.answers = list(answers)
        self.waiting: anyio.Event | None = None  # for the next send
        self.sent = 0
        self.ended = 0
        self.cancelled = 0
        self.given: list[HTTPResponse] = []

    async def send(self, send: Send) -> Ended:
        seconds, answer = self.answers[min(self.sent, len(self.answers) - 1)]
        self.sent += 1
        if self.waiting is not None:
            self.waiting.set()
        try:
            if seconds == NEXT:
                self.waiting = anyio.Event()
                await self.waiting.wait()
            else:
                await anyio.sleep(seconds)
        except BaseException:
            self.cancelled += 1
            raise
        finally:
            self.ended += 1
        if isinstance(answer, BaseException):
            raise answer
        self.given.append(answer)
        send.ended = Ended(send.id, answer)
        return send.ended

    async def aclose(self) -> None: ...


def hedged(extra: int = 1, **policies: Any) -> Policies:
    return Policies(hedging=FixedHedging(TICK, extra), **policies)


async def run(wire: Wire, policies: Policies | None = None, *, stream: bool = False) -> HTTPResponse:
    return await drive(Call(GET, policies or hedged(), stream=stream, max_live=8), wire, anyio.current_time)


@pytest.mark.anyio
async def test_the_fast_one_wins_and_the_slow_one_is_cancelled():
    wire = Wire((30, HTTPResponse(200)), (0, HTTPResponse(201)))
    with anyio.fail_after(10):
        response = await run(wire)
    assert response.status_code == 201 and [attempt.sends for attempt in response.attempts] == [2]
    assert (wire.sent, wire.ended, wire.cancelled) == (2, 2, 1)


@pytest.mark.anyio
async def test_as_many_as_the_policy_says():
    wire = Wire((30, HTTPResponse(200)), (30, HTTPResponse(200)), (0, HTTPResponse(202)))
    with anyio.fail_after(10):
        assert (await run(wire, hedged(2))).status_code == 202
    assert (wire.sent, wire.cancelled) == (3, 2)


@pytest.mark.anyio
async def test_a_failure_waits_for_the_other_one():
    wire = Wire((NEXT, ConnectError("refused")), (5 * TICK, HTTPResponse(200)))
    retry = RetryPolicy(1, ExponentialBackoff(0.0, jitter="none"))
    assert (await run(wire, hedged(retry=retry))).status_code == 200
    assert wire.sent == 2


@pytest.mark.anyio
async def test_two_failures_are_one_attempt():
    wire = Wire(
        (NEXT, ConnectError("refused")),
        (0, ConnectError("refused")),
        (0, HTTPResponse(200)),
    )
    retry = RetryPolicy(1, ExponentialBackoff(0.0, jitter="none"))
    response = await run(wire, hedged(retry=retry))
    assert [attempt.sends for attempt in response.attempts] == [2, 1]


@pytest.mark.anyio
async def test_an_error_comes_as_it_is_and_in_no_group():
    error = ConnectError("refused")
    with pytest.raises(ConnectError) as caught:
        await run(Wire((NEXT, error), (0, ConnectError("too"))))
    assert caught.value.attempts[0].sends == 2
    retry = RetryPolicy(1, ExponentialBackoff(0.0, jitter="none"))
    with pytest.raises(RetryExhaustedError):
        await run(Wire((0, HTTPResponse(503))), hedged(retry=retry))


class Odd(BaseException):
    """What is no Exception, such as KeyboardInterrupt."""


@pytest.mark.anyio
async def test_neither_does_what_is_no_exception():
    wire = Wire((30, HTTPResponse(200)), (0, Odd()))
    with pytest.raises(Odd):
        await run(wire)
    assert wire.ended == 2


# --- streams ---------------------------------------------------------------------------------------------------------


def opened(*chunks: bytes) -> HTTPResponse:
    return HTTPResponse(200, body=Body(*chunks))


@pytest.mark.anyio
async def test_of_streams_the_winner_is_chosen_on_the_head_and_its_body_ends_the_call():
    answer = opened(b"a", b"b")
    body: Any = answer.body
    response = await run(Wire((30, opened()), (0, answer)), stream=True)
    assert [chunk async for chunk in response.body] == [b"a", b"b"]  # type: ignore[union-attr]
    response.discard()
    assert body.discarded


@pytest.mark.anyio
async def test_a_head_that_came_in_the_same_instant_and_lost_is_thrown_away():
    first, second = opened(b"a"), opened(b"b")
    bodies: list[Any] = [first.body, second.body]
    wire = Wire((3 * TICK, first), (2 * TICK, second))
    begun = anyio.Event()
    both: list[HTTPResponse] = [first, second]

    async def together(send: Send) -> Ended:
        number = wire.sent
        wire.sent += 1
        if number == 0:
            await begun.wait()
        else:
            begun.set()
        send.ended = Ended(send.id, both[number])
        return send.ended

    wire.send = together  # type: ignore[method-assign]
    response = await run(wire, stream=True)
    assert wire.sent == 2
    assert [body.discarded for body in bodies].count(True) == 1
    response.discard()
    assert all(body.discarded for body in bodies)


@pytest.mark.anyio
async def test_a_head_that_is_retried_is_thrown_away_at_once():
    pending = opened(b"no")
    body: Any = pending.body
    retry = RetryPolicy(1, ExponentialBackoff(0.0, jitter="none"), retry_if=lambda outcome, request: outcome is pending)
    response = await run(Wire((0, pending), (0, opened(b"yes"))), hedged(retry=retry), stream=True)
    assert body.discarded
    response.discard()


# --- cancellation ----------------------------------------------------------------------------------------------------


@pytest.mark.anyio
@pytest.mark.parametrize("after", [0, 0.5, 1.5, 3])
async def test_a_cancelled_call_leaves_nothing_behind(after):
    budget = QuotaBudget()
    wire = Wire((30, HTTPResponse(200)))
    with anyio.move_on_after(after * TICK):
        await run(wire, hedged(2, retry_budget=budget))
        raise AssertionError("not cancelled")
    assert wire.ended == wire.sent


@pytest.mark.asyncio_only("native task.cancel()")
@pytest.mark.anyio
@pytest.mark.parametrize("ticks", range(12))
async def test_a_native_cancel_in_any_tick_loses_no_answer(ticks):
    answers = opened(b"a"), opened(b"b")
    bodies: list[Any] = [answer.body for answer in answers]
    wire = Wire((NEXT, answers[0]), (0, answers[1]))
    task = asyncio.ensure_future(drive(Call(GET, hedged(), stream=True, max_live=2), wire, anyio.current_time))
    await asyncio.sleep(TICK / 2)
    await asyncio.sleep(TICK / 2)  # when the second one goes out, and both are answered
    for _ in range(ticks):
        await asyncio.sleep(0)
    task.cancel()
    (result,) = await asyncio.gather(task, return_exceptions=True)
    if isinstance(result, HTTPResponse):
        result.discard()
    else:
        assert isinstance(result, asyncio.CancelledError)
    assert wire.ended == wire.sent
    given = [answer in wire.given for answer in answers]
    assert [body.discarded for body in bodies] == given


@pytest.mark.anyio
async def test_closing_the_client_ends_a_hedged_call():
    wire = Wire((30, HTTPResponse(200)))
    client = AsyncHTTPClient("http://h", ClientConfig(hedge_delay=TICK), transport=wire, clock=anyio.current_time)
    async with anyio.create_task_group() as group:

        async def close() -> None:
            await anyio.sleep(3 * TICK)
            await client.aclose()

        group.start_soon(close)
        with pytest.raises(ClientClosedError):
            await client.get("/")
    assert wire.sent == wire.ended == 2


# --- by the client ---------------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_a_client_hedges_what_may_happen_twice():
    told: list[Any] = []
    wire = Wire((30, HTTPResponse(200)), (0, HTTPResponse(201)))
    async with AsyncHTTPClient(
        "http://h", ClientConfig(hedge_delay=TICK), transport=wire, clock=anyio.current_time, on_decision=told.append
    ) as client:
        assert (await client.get("/")).status_code == 201
        assert [(type(note), note.skipped) for note in told] == [(Hedged, None)]
        wire.answers = [(5 * TICK, HTTPResponse(202))]
        wire.sent = 0
        assert (await client.post("/", json={})).status_code == 202
        assert wire.sent == 1


@pytest.mark.anyio
async def test_hooks_of_a_hedged_call_are_asked_for_each_send():
    seen: list[str] = []

    class Hook:
        async def process_request(self, request: HTTPRequest) -> None:
            await anyio.lowlevel.checkpoint()
            seen.append("request")

        async def process_response(self, response: HTTPResponse, request: HTTPRequest) -> None:
            await anyio.sleep(2 * TICK)
            seen.append("response")

    wire = Wire((30, opened()), (0, opened(b"x")))
    response = await run(wire, hedged(hooks=(Hook(),)), stream=True)
    assert seen == ["request", "request", "response"]
    response.discard()
