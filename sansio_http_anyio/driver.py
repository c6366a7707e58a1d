"""Runs a :class:`~sansio_http.Call` on asyncio and on trio: the loop, its one cancel scope, and its one ``finally``."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import anyio

from sansio_http import (
    Ask,
    AttemptTimeoutError,
    BodyEnded,
    Call,
    ClientClosedError,
    Ended,
    HTTPResponse,
    Note,
    ResponseBodyError,
    Send,
    Step,
    Woke,
)

from .loops import EventLoop, finder, later
from .transport.base import Transport

Clock = Callable[[], float]
Observe = Callable[[Note], None]


class Run:
    """What a call is waiting in, for somebody else to end it.

    Args:
        clock: of the deadlines, in seconds; the event loop's own may be another.
    """

    __slots__ = ("_clock", "_scope", "_stopped")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._scope: anyio.CancelScope | None = None  # None until it waits
        self._stopped = False

    def until(self, deadline: float | None) -> anyio.CancelScope:
        """A scope to wait in. It ends at ``deadline``, or when the run is stopped."""
        self.check()
        # In this order: where the two clocks are one the sum is the deadline, and not a rounding error before it.
        late = float("inf") if deadline is None else deadline + (anyio.current_time() - self._clock())
        scope = self._scope = anyio.CancelScope(deadline=late)
        return scope

    def stop(self) -> None:
        """End the wait; what follows raises :class:`~sansio_http.ClientClosedError`."""
        self._stopped = True
        if self._scope is not None:
            self._scope.cancel()

    def check(self) -> None:
        """Raises if the run was stopped."""
        if self._stopped:
            raise ClientClosedError("the client was closed during the call")


async def drive(
    call: Call, transport: Transport, clock: Clock, observe: Observe | None = None, run: Run | None = None
) -> HTTPResponse:
    """Run ``call`` to its outcome.

    When this returns or raises, cancellation included, the call is closed; but one that ends in an open body is closed
    by that body, when it is read to its end, closed or discarded.

    Args:
        call: not started yet.
        transport: puts its sends on the wire.
        clock: the call's clock, in seconds.
        observe: told of every note.
        run: for somebody else to stop it.

    Returns:
        The response.

    Raises:
        Exception: the call's outcome, where it is one.
    """
    run = Run(clock) if run is None else run
    if call.max_live > 1:
        from .racing import race  # which is made of what stands here

        return await race(call, transport, clock, observe, run)
    direct = getattr(transport, "keeps_deadlines", False)
    order: Send | Ask | None = None  # that is out
    body: Any = None  # of the last answer, if it is open: ours until the call is done with it
    sent = 0  # the send that it answers
    handed_over = False
    try:
        step = call.start(clock())
        while True:
            if step.nudge or step.notes:
                relay(step, observe)
            if step.done is not None:
                if isinstance(step.done, BaseException):
                    raise step.done
                if body is not None and step.done.body is body:
                    step.done.body, handed_over = OpenBody(body, call, sent, clock, observe), True
                return step.done
            order = step.send[0] if step.send else None
            if body is not None and not isinstance(order, Ask):  # the call goes on without it
                body.discard()
                body = None
            if order is None:
                await _sleep(call, step.wake_at, run)
                step = call.handle(Woke(), clock())
            elif isinstance(order, Ask):
                step = call.handle(await perform_ask(order, run), clock())
            else:
                ended = await (perform_alone if direct else perform_send)(order, transport, run)
                if isinstance(ended.outcome, HTTPResponse):
                    body, sent = ended.outcome.body, order.id
                step = call.handle(ended, clock())
    except ClientClosedError as error:
        error.attempts = call.attempts
        raise
    finally:
        if not handed_over:
            if body is not None:
                body.discard()
            step = call.close(clock())
            if step.nudge or step.notes:
                relay(step, observe)


class OpenBody:
    """The open body of a response: its end, however it comes, ends the call and frees what the call still holds."""

    def __init__(self, body: Any, call: Call, id: int, clock: Clock, observe: Observe | None) -> None:
        self._body = body
        self._call: Call | None = call
        self._id = id
        self._loop: EventLoop = finder()()
        self._clock = clock
        self._observe = observe
        self.received = 0  # bytes
        self._let_go = False  # before its end

    def __aiter__(self) -> OpenBody:
        return self

    async def __anext__(self) -> bytes:
        if self._let_go:  # an end here would look like the whole body
            raise ResponseBodyError("the body was closed before it was read to its end", phase="body")
        try:
            chunk: bytes = await self._body.__anext__()
        except StopAsyncIteration:
            self._end(None)
            raise
        except Exception as error:
            self._end(error)
            raise
        self.received += len(chunk)
        return chunk

    async def aclose(self) -> None:
        """Give the connection back if the body is complete, else close it. Idempotent."""
        self._let_go = self._let_go or self._call is not None
        try:
            await self._body.aclose()
        finally:
            self._end(None)

    def discard(self) -> None:
        """The same, now and without failing."""
        self._let_go = self._let_go or self._call is not None
        self._body.discard()
        self._end(None)

    def __del__(self) -> None:
        if self._call is not None:  # a stream that nobody left: its slot must not be lost with it
            later(self._loop, self.discard)

    def _end(self, error: Exception | None) -> None:
        call, self._call = self._call, None
        if call is not None:
            relay(call.handle(BodyEnded(self._id, error, self.received), self._clock()), self._observe)
            relay(call.close(self._clock()), self._observe)


def relay(step: Step, observe: Observe | None) -> None:
    """Pass on what a step has for others: nudges and notes."""
    for waiter in step.nudge:
        waiter.wake()
    if observe is not None:
        for note in step.notes:
            observe(note)


async def perform_alone(order: Send, transport: Transport, run: Run) -> Ended:
    """:func:`perform_send` without a scope, for a transport that keeps deadlines itself.

    Nobody stops this send but by closing the transport, or by cancelling the task that it is in.
    """
    run.check()
    try:
        ended = await transport.send(order)
    except Exception as error:
        ended = Ended(order.id, error)
    if isinstance(ended.outcome, BaseException):
        run.check()
    return ended


async def perform_send(order: Send, transport: Transport, run: Run) -> Ended:
    """Put a request on the wire, until its deadline.

    Args:
        order: the request.
        transport: takes it.
        run: for somebody else to stop it.
    """
    ended: Ended | None = None
    try:
        with run.until(order.deadline):
            try:
                ended = await transport.send(order)
            except Exception as error:
                ended = Ended(order.id, error)
        if ended is None:
            ended = order.ended  # it was there in the tick of the deadline
        if ended is None or isinstance(ended.outcome, BaseException):
            run.check()
    except BaseException:
        if order.ended is not None and isinstance(order.ended.outcome, HTTPResponse):
            order.ended.outcome.discard()  # it was there in the tick in which we were cancelled
        raise
    return ended or Ended(order.id, order.error(AttemptTimeoutError, "the attempt took too long"))


async def perform_ask(order: Ask, run: Run) -> Ended:
    """Call something of the user's, and await it where it asks for that."""
    with run.until(order.deadline):
        try:
            answer: Any = order.target(order.value)
            if inspect.isawaitable(answer):
                answer = await answer
            return Ended(order.id, answer)
        except Exception as error:
            return Ended(order.id, error)
    run.check()
    return Ended(order.id, AttemptTimeoutError(f"{order!r} took too long", phase="queue"))


async def _sleep(call: Call, wake_at: float | None, run: Run) -> None:
    """Wait until ``wake_at``, or until somebody wakes us."""
    woken = anyio.Event()
    call.waiter.wake = woken.set
    with run.until(wake_at):
        await woken.wait()
    run.check()
