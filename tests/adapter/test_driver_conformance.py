"""Drivers on real event loops are put through the conformance kit: ours, and one with many sends at once."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import anyio
import pytest

from sansio_http import (
    Ask,
    AttemptTimeoutError,
    BodyEnded,
    Call,
    Ended,
    HTTPResponse,
    Note,
    Outcome,
    Send,
    Step,
    Woke,
)
from sansio_http.testing import Server, check_driver
from sansio_http.testing.conformance import ConformanceError
from sansio_http_anyio.driver import drive
from tests.fixtures.virtual_loop import VirtualLoop


class ScriptedTransport:
    """Our seam to the network, with a scripted server behind it."""

    def __init__(self, server: Server) -> None:
        self.server = server

    async def send(self, send: Send) -> Ended:
        reply = self.server(send)
        await anyio.sleep(reply.after)
        return Ended(send.id, reply.head(send))

    async def aclose(self) -> None: ...


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_our_driver_as_its_author_would_check_it(backend: str) -> None:
    def run(call: Call, server: Server) -> HTTPResponse:
        return anyio.run(drive, call, ScriptedTransport(server), time.monotonic, backend=backend)

    check_driver(run, sleep=anyio.sleep)


class OnAnyio:
    """Our driver, with somebody beside it who wakes it and cancels it."""

    def __init__(self, backend: str) -> None:
        self.backend = backend
        self.notes: list[Note] = []

    def __call__(self, call: Call, server: Server) -> Outcome | None:
        return anyio.run(self._main, call, server, backend=self.backend)

    async def _main(self, call: Call, server: Server) -> Outcome | None:
        outcome: Outcome | None = None
        async with anyio.create_task_group() as self.beside:
            try:
                outcome = await drive(call, ScriptedTransport(server), time.monotonic, self.notes.append)
            except Exception as error:  # a task group would wrap it
                outcome = error
            self.beside.cancel_scope.cancel()
        return outcome

    def later(self, seconds: float, function: Callable[[], object]) -> None:
        async def wait() -> None:
            await anyio.sleep(seconds)
            function()

        self.beside.start_soon(wait)

    def cancel(self) -> None:
        self.beside.cancel_scope.cancel()


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_our_driver_with_all_it_can_do(backend: str) -> None:
    driver = OnAnyio(backend)
    check_driver(driver, later=driver.later, cancel=driver.cancel, sleep=anyio.sleep, notes=driver.notes)


# A driver with many sends at once: a task for each, and a queue of what happened


class Closing:
    """An open body that says when the caller is through with it."""

    def __init__(self, body: Any, end: Callable[[], object]) -> None:
        self.body = body
        self.end = end

    def discard(self) -> None:
        self.body.discard()
        self.end()


async def race(call: Call, server: Server, notes: list[Note]) -> Outcome:
    """Run a call on asyncio, its sends side by side."""
    loop = asyncio.get_running_loop()
    clock = loop.time
    events: asyncio.Queue[Ended | Woke] = asyncio.Queue()
    tasks: dict[int, asyncio.Task[None]] = {}
    held: dict[int, HTTPResponse] = {}
    handed_over = False
    call.waiter.wake = lambda: events.put_nowait(Woke())

    def obey(step: Step) -> Step:
        for waiter in step.nudge:
            waiter.wake()
        notes.extend(step.notes)
        for id in step.abort:
            tasks[id].cancel()
        for order in step.send:
            tasks[order.id] = asyncio.create_task(perform(order))
        return step

    async def perform(order: Send | Ask) -> None:
        outcome: Any
        limit = asyncio.timeout(None if order.deadline is None else order.deadline - clock())
        try:
            async with limit:
                if isinstance(order, Ask):
                    outcome = order.target(order.value)
                    if inspect.isawaitable(outcome):
                        outcome = await outcome
                else:
                    reply = server(order)
                    await asyncio.sleep(reply.after)
                    outcome = reply.head(order)
                    if isinstance(outcome, BaseException):
                        raise outcome
                    held[order.id] = outcome
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            outcome = AttemptTimeoutError("too late") if limit.expired() else error
        events.put_nowait(Ended(order.id, outcome))

    def end(id: int) -> None:
        obey(call.handle(BodyEnded(id), clock()))
        obey(call.close(clock()))

    try:
        step = obey(call.start(clock()))
        while step.done is None:
            timer = None
            if step.wake_at is not None:
                timer = loop.call_later(step.wake_at - clock(), events.put_nowait, Woke())
            event = await events.get()
            if timer is not None:
                timer.cancel()
            step = obey(call.handle(event, clock()))
        for id, response in held.items():
            if response is step.done and response.body is not None:
                response.body, handed_over = Closing(response.body, partial(end, id)), True
                del held[id]
                break
        return step.done
    finally:
        for task in tasks.values():
            task.cancel()
        try:
            if tasks:
                await asyncio.wait(tasks.values(), timeout=0.5)
        finally:
            for response in held.values():
                response.discard()
            if not handed_over:
                obey(call.close(clock()))


class OnAsyncio:
    """It, or a changed one, with somebody beside it, in virtual time: a machine that is held up blames no driver."""

    def __init__(self, driver: Callable[..., Any] = race) -> None:
        self.driver = driver
        self.notes: list[Note] = []

    def __call__(self, call: Call, server: Server) -> Outcome:
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            return runner.run(self._main(call, server))

    async def _main(self, call: Call, server: Server) -> Outcome:
        self.task = asyncio.current_task()
        outcome: Outcome = await self.driver(call, server, self.notes)
        return outcome

    def later(self, seconds: float, function: Callable[[], object]) -> None:
        asyncio.get_running_loop().call_later(seconds, function)

    def cancel(self) -> None:
        assert self.task is not None
        self.task.cancel()

    def check(self, tick: float = 0.02) -> None:
        check_driver(
            self,
            max_live=2,
            later=self.later,
            cancel=self.cancel,
            sleep=asyncio.sleep,
            notes=self.notes,
            tick=tick,
        )


def test_a_driver_with_many_sends() -> None:
    OnAsyncio().check()


WAIT = "event = await events.get()"
BROKEN = [
    ("nudge", [("for waiter in step.nudge:", "for waiter in ():")]),
    ("notes", [("notes.extend(step.notes)", "pass")]),
    (
        "together",
        [("async with limit", "async with lock, limit"), ("    held:", "    lock = asyncio.Lock()\n    held:")],
    ),
    ("abort", [("tasks[id].cancel()", "pass")]),
    ("wake_at", [("events.put_nowait, Woke())", "print)")]),
    ("wake_at", [("if step.wake_at is not None:", "if step.wake_at is not None and not tasks:")]),
    ("waiter", [("call.waiter.wake = lambda: events.put_nowait(Woke())", "pass")]),
    ("patience", [(WAIT, f"{WAIT}; [task.cancel() for task in tasks.values() if isinstance(event, Woke)]")]),
    ("deadline", [("None if order.deadline is None else order.deadline - clock()", "None")]),
    ("error", [("except BaseException as error:", "except ValueError as error:")]),
    ("ask", [("outcome = await outcome", "pass")]),
    ("id", [("Ended(order.id, outcome)", "Ended(max(tasks), outcome)")]),
    ("done", [("return step.done", "call.handle(Woke(), clock()); return step.done")]),
    ("discard", [("tasks[id].cancel()", "tasks[id].cancel(); held.pop(id, None)")]),
    ("close", [("if not handed_over:", "if step.done is not None and not handed_over:")]),
    ("interrupt", [(WAIT, f"try: {WAIT}\n            except asyncio.CancelledError: continue")]),
]


@pytest.mark.parametrize(("rule", "edits"), BROKEN)
def test_a_broken_driver_with_many_sends_is_rejected(rule: str, edits: list[tuple[str, str]]) -> None:
    source = inspect.getsource(race)
    for old, new in edits:
        assert source.count(old) == 1, old
        source = source.replace(old, new)
    namespace = dict(globals())
    exec(source, namespace)
    with pytest.raises(ConformanceError) as caught:
        OnAsyncio(namespace["race"]).check(tick=0.002)
    assert caught.value.rule == rule, str(caught.value)
