"""Runs a :class:`~sansio_http.Call` that may have several sends in flight: a hedged one.

Theory of operation. One task per send, and one queue of events back. The call's own task takes the events out one by
one and does what the steps say, as the loop for a single send does; so all decisions are made in one place, in order,
and what a send's task does is to fly and to report. What comes in the same instant is told in the order in which it
came: the first good answer wins, and only then are the others cancelled.

Three things are not left to the task group. An *abort* ends one flight and no other. An *answer* is put where the
call's own task finds it before the task that brought it ends, for a result that lives only in an await is lost to
whoever cancels in that instant. And an *exception*, whoever raised it, is carried around the group, which would wrap
it: the caller gets what the call has to say, never an ExceptionGroup.

A loser is waited for, so that nothing of a call outlives it. It cannot take long: what a transport may still do when it
is cancelled is to close, and that is limited to half a second.
"""

from __future__ import annotations

from collections import deque

import anyio
import anyio.abc

from sansio_http import Ask, Call, ClientClosedError, Ended, HTTPResponse, Send, Woke

from .driver import Clock, Observe, OpenBody, Run, perform_ask, perform_send, relay
from .transport.base import Transport


async def race(call: Call, transport: Transport, clock: Clock, observe: Observe | None, run: Run) -> HTTPResponse:
    """As :func:`~.driver.drive`, with as many sends in flight as the call wants."""
    return await _Race(call, transport, clock, observe, run).outcome()


class _Race:
    """One call, and what of it is in flight."""

    def __init__(self, call: Call, transport: Transport, clock: Clock, observe: Observe | None, run: Run) -> None:
        self._call = call
        self._transport = transport
        self._clock = clock
        self._observe = observe
        self._run = run
        self._flights: dict[int, Run] = {}  # what is out, by id; without what was aborted
        self._asked: set[int] = set()  # which of them are questions: their values may be answers that we hold
        self._came: deque[Ended] = deque()  # and the call was not told yet
        self._held: dict[int, HTTPResponse] = {}  # answers that it was told, ours until it is done with them
        self._event = anyio.Event()
        self._nudged = False
        self._done: HTTPResponse | BaseException | None = None
        self._failure: BaseException | None = None  # of a driver's own, not of the call's
        call.waiter.wake = self._nudge

    async def outcome(self) -> HTTPResponse:
        """Run the call to its end."""
        handed_over: int | None = None
        try:
            async with anyio.create_task_group() as group:
                try:
                    await self._fly_all(group)
                except anyio.get_cancelled_exc_class():
                    raise
                except BaseException as error:
                    self._failure = error
                group.cancel_scope.cancel()
            if self._failure is not None:
                raise self._failure
            done = self._done
            assert done is not None
            if isinstance(done, BaseException):
                raise done
            handed_over = self._hand_over(done)
            return done
        except ClientClosedError as error:
            error.attempts = self._call.attempts
            raise
        finally:
            self._failure = self._done = None  # no cycle through a traceback
            for ended in self._came:
                _discard(ended)
            for id, response in self._held.items():
                if id != handed_over:
                    response.discard()
            if handed_over is None:
                relay(self._call.close(self._clock()), self._observe)

    async def _fly_all(self, group: anyio.abc.TaskGroup) -> None:
        """The loop: a step, what it asks for, and the next event."""
        call, clock = self._call, self._clock
        step = call.start(clock())
        while True:
            relay(step, self._observe)
            for id in step.abort:
                self._abort(id)
            if step.done is not None:
                self._done = step.done
                return
            for order in step.send:
                self._flights[order.id] = flight = Run(clock)
                if isinstance(order, Ask):
                    self._asked.add(order.id)
                group.start_soon(self._fly, order, flight, group)
            if step.send and not self._asked:  # a new attempt: the call goes on without them
                for response in self._held.values():
                    response.discard()
                self._held.clear()
            step = call.handle(await self._next(step.wake_at), clock())

    async def _next(self, wake_at: float | None) -> Ended | Woke:
        """What happens next, until ``wake_at``."""
        if not (self._came or self._nudged):
            self._event = anyio.Event()
            with self._run.until(wake_at):
                await self._event.wait()
        self._run.check()
        self._nudged = False
        if not self._came:
            return Woke()
        ended = self._came.popleft()
        del self._flights[ended.id]
        if ended.id in self._asked:
            self._asked.remove(ended.id)
        elif isinstance(ended.outcome, HTTPResponse):
            self._held[ended.id] = ended.outcome
        return ended

    def _nudge(self) -> None:
        self._nudged = True
        self._event.set()

    def _abort(self, id: int) -> None:
        """Cancel one flight. What it has brought already is nobody's."""
        flight = self._flights.pop(id, None)
        if flight is not None:
            flight.stop()
        self._asked.discard(id)
        for ended in tuple(self._came):
            if ended.id == id:
                self._came.remove(ended)
                _discard(ended)

    async def _fly(self, order: Send | Ask, flight: Run, group: anyio.abc.TaskGroup) -> None:
        """One task: a send or a question, until it ends or is aborted."""
        try:
            if isinstance(order, Ask):
                ended = await perform_ask(order, flight)
            else:
                ended = await perform_send(order, self._transport, flight)
        except anyio.get_cancelled_exc_class():
            raise
        except ClientClosedError:  # aborted
            return
        except BaseException as error:  # no outcome of the call's, and no member of a group's
            self._failure = error
            group.cancel_scope.cancel()
            return
        if order.id in self._flights:
            self._came.append(ended)
            self._event.set()
        else:  # aborted when it had come
            _discard(ended)

    def _hand_over(self, done: HTTPResponse) -> int | None:
        """Have the call ended by the body that its caller will read; the send that it answers, if there is one."""
        body = done.body
        if body is not None:
            for id, response in self._held.items():
                if response.body is body:
                    done.body = OpenBody(body, self._call, id, self._clock, self._observe)
                    return id
        return None


def _discard(ended: Ended) -> None:
    if isinstance(ended.outcome, HTTPResponse):
        ended.outcome.discard()
