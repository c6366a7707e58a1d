"""Calls, a server and time itself in one heap: the real policies, some 10^5 steps a second, and no event loop.

A :class:`Simulator` is a driver like any other. It runs any number of calls against a scripted server in virtual time,
and checks the contract of :class:`~sansio_http.Call` with every step. What a real event loop does rarely, it does on
demand: events of one instant come in either order, and wake-ups come late. The same source of chance gives the same
trace.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Generator
from functools import partial
from typing import Any, Literal

from ..call import Call
from ..exceptions import AttemptTimeoutError
from ..models import HTTPRequest, HTTPResponse, Outcome
from ..notes import Note
from ..policies import Policies
from ..step import Ask, BodyEnded, Ended, Send, Step, Woke
from .script import Reply, make_error

Ties = Literal["first", "last"] | Callable[[], float]
"""Which of several events of one instant comes first: the one planned first, or last; or by a number drawn for each."""


Journey = Generator[float, None, Reply]
"""A server that time passes in: it yields seconds to let them pass, and returns its reply."""


class ContractError(AssertionError):
    """A call broke its contract: a bug in the core, or in a policy that it was given."""


class OpenChunks:
    """The open body of a simulated response: what is to come after its head."""

    def __init__(self, send: Send, reply: Reply) -> None:
        self.send = send
        self.reply = reply
        self.discarded = False

    def discard(self) -> None:
        """Note that it was thrown away."""
        self.discarded = True


class SimulatedCall:
    """One call in a simulation, and what became of it.

    Attributes:
        call: the state machine.
        number: which call of the simulation it is, from 0.
        outcome: a response or an exception; None while it runs, or where it was cancelled.
        ended_at: when the outcome came, or when it was cancelled; None while it runs.
        cancelled: its caller went away first.
        sends: every send, in order.
        notes: every note, in order.
        wakes: how often it was woken.
        content: of a stream: what was read.
        body_error: of a stream: in what the body failed.
    """

    def __init__(self, call: Call, number: int) -> None:
        self.call = call
        self.number = number
        self.outcome: HTTPResponse | BaseException | None = None
        self.ended_at: float | None = None
        self.cancelled = False
        self.sends: list[Send] = []
        self.notes: list[Note] = []
        self.wakes = 0
        self.content = b""
        self.body_error: BaseException | None = None
        self.ids: set[int] = set()  # that were ever ordered
        self.live: dict[int, Send | Ask] = {}
        self.opened: list[HTTPResponse] = []  # responses that the driver has in hand
        self.wake_number = 0  # of the planned wake-up that counts
        self.closed = False

    @property
    def response(self) -> HTTPResponse:
        """The outcome, where it is a response.

        Raises:
            BaseException: the outcome, where it is an exception.
        """
        if isinstance(self.outcome, HTTPResponse):
            return self.outcome
        raise AssertionError("the call has no outcome") if self.outcome is None else self.outcome


class Simulator:
    """Runs calls against a scripted server in virtual time.

    Args:
        server: answers each send with a :class:`Reply`, or on a :data:`Journey`, where what it answers depends on what
            others do in the meantime. (A server does not notice that nobody waits for it any more.)
        now: where time begins, in seconds.
        ties: see :data:`Ties`.
        late: seconds by which a wake-up comes late; drawn for each.
        max_live: sends that a call may have in flight at once.

    Attributes:
        now: the virtual time.
        calls: every call, in the order in which they were planned.
        trace: every event that came, as (time, what, which call).
    """

    def __init__(
        self,
        server: Callable[[Send], Reply | Journey],
        *,
        now: float = 0.0,
        ties: Ties = "first",
        late: Callable[[], float] = float,
        max_live: int = 2,
    ) -> None:
        self._server = server
        self._ties = ties
        self._late = late
        self._max_live = max_live
        self._planned: list[tuple[float, float, int, str, SimulatedCall, Callable[..., None], tuple[Any, ...]]] = []
        self._count = 0
        self.now = now
        self.calls: list[SimulatedCall] = []
        self.trace: list[tuple[float, str, int]] = []

    def call(
        self,
        request: HTTPRequest,
        policies: Policies,
        *,
        at: float | None = None,
        stream: bool = False,
        cancel_at: float | None = None,
        listen: bool = True,
    ) -> SimulatedCall:
        """Plan a call.

        Args:
            request: what to ask for.
            policies: who decides.
            at: when it starts; by default now.
            stream: ask for an open body, and read it to its end.
            cancel_at: when its caller goes away.
            listen: keep the notes.
        """
        machine = Call(request, policies, stream=stream, listen=listen, max_live=self._max_live)
        call = SimulatedCall(machine, len(self.calls))
        self.calls.append(call)
        self._plan(self.now if at is None else at, "start", call, self._start)
        if cancel_at is not None:
            self._plan(cancel_at, "cancel", call, self._cancel)
        return call

    def run(self, until: float = math.inf) -> float:
        """Let time pass until nothing is planned any more, or ``until``; returns the time.

        Raises:
            ContractError: a call broke its contract.
        """
        while self._planned and self._planned[0][0] <= until:
            at, _, number, what, call, happen, args = heapq.heappop(self._planned)
            if what == "wake" and number != call.wake_number:
                continue  # another wake-up, or none, has taken its place
            self.now = max(self.now, at)
            self.trace.append((self.now, what, call.number))
            happen(call, *args)
        if until < math.inf:
            self.now = max(self.now, until)
        return self.now

    def _plan(self, at: float, what: str, call: SimulatedCall, happen: Callable[..., None], *args: Any) -> int:
        self._count += 1
        order = self._ties() if callable(self._ties) else 0.0
        number = -self._count if self._ties == "last" else self._count
        heapq.heappush(self._planned, (max(at, self.now), order, number, what, call, happen, args))
        return number

    # --- the driver ------------------------------------------------------------------------------------------------

    def _start(self, call: SimulatedCall) -> None:
        if not call.closed:
            call.call.waiter.wake = partial(self._nudged, call)
            self._obey(call, call.call.start(self.now))

    def _obey(self, call: SimulatedCall, step: Step) -> None:
        """Do what a step says, after a look at whether it may say that."""
        call.notes += step.notes
        for order_id in step.abort:
            call.live.pop(order_id, None)
        for order in step.send:
            _require(order.id not in call.ids, "an id is never reused")
            call.ids.add(order.id)
            call.live[order.id] = order
            if isinstance(order, Send):
                self._put_on_wire(call, order)
            else:
                self._ask(call, order)
        for waiter in step.nudge:
            waiter.wake()
        call.wake_number = 0
        if step.done is not None:
            _require(not step.send and step.wake_at is None, "after done there is no send and no wake_at")
            self._done(call, step.done)
        elif step.wake_at is not None:
            _require(math.isfinite(step.wake_at), "wake_at is finite")
            call.wake_number = self._plan(step.wake_at + self._late(), "wake", call, self._woke)
        else:
            _require(bool(call.live), "an unfinished step has something to wait for")

    def _put_on_wire(self, call: SimulatedCall, send: Send) -> None:
        call.sends.append(send)
        in_flight = len(call.live) - 1 and sum(isinstance(order, Send) for order in call.live.values())
        _require(in_flight <= self._max_live, "max_live holds")
        answer = self._server(send)
        if isinstance(answer, Reply):
            self._answer(call, send, answer)
            return
        if send.deadline is not None:
            self._plan(send.deadline, "deadline", call, self._gave_up, send)
        self._travel(call, send, answer)

    def _travel(self, call: SimulatedCall, send: Send, journey: Journey) -> None:
        try:
            seconds = next(journey)
        except StopIteration as end:
            if send.id in call.live:
                self._answer(call, send, end.value)
        else:
            self._plan(self.now + seconds, "travelled", call, self._travel, send, journey)

    def _gave_up(self, call: SimulatedCall, send: Send) -> None:
        if send.id in call.live:
            self._ended(call, send, send.error(AttemptTimeoutError, "late"))

    def _answer(self, call: SimulatedCall, send: Send, reply: Reply) -> None:
        head = reply.head(send)
        ends_at = self.now + reply.after
        streamed = send.stream and isinstance(head, HTTPResponse) and head.is_success
        if isinstance(head, HTTPResponse) and not streamed:
            ends_at += sum(seconds for seconds, _ in reply.chunks)
            head.content += b"".join(chunk for _, chunk in reply.chunks)
            if reply.fails is not None:
                head = make_error(reply.fails, send)
        if send.deadline is not None and send.deadline < ends_at:
            self._plan(send.deadline, "deadline", call, self._ended, send, send.error(AttemptTimeoutError, "late"))
            return
        if isinstance(head, HTTPResponse) and streamed:
            head.body = OpenChunks(send, reply)
        self._plan(ends_at, "head" if streamed else "ended", call, self._ended, send, head)

    def _ask(self, call: SimulatedCall, ask: Ask) -> None:
        try:
            answer = ask.target(ask.value)
        except Exception as error:
            answer = error
        self._plan(self.now, "answered", call, self._ended, ask, answer)

    def _ended(self, call: SimulatedCall, order: Send | Ask, outcome: Any) -> None:
        if isinstance(order, Send) and isinstance(outcome, HTTPResponse):
            call.opened.append(outcome)
        if call.cancelled:
            self._discard(call, None)
            return
        known = call.live.pop(order.id, None) is not None
        step = call.call.handle(Ended(order.id, outcome), self.now)
        if not known:  # aborted: told all the same, because a driver may
            _require(not step.send and not step.abort, "a late Ended changes nothing")
        self._obey(call, step)

    def _nudged(self, call: SimulatedCall) -> None:
        self._plan(self.now, "nudged", call, self._woke)

    def _woke(self, call: SimulatedCall) -> None:
        if not call.cancelled and call.outcome is None:
            call.wakes += 1
            self._obey(call, call.call.handle(Woke(), self.now))

    def _done(self, call: SimulatedCall, outcome: HTTPResponse | BaseException) -> None:
        first = call.outcome is None
        call.outcome = outcome
        self._discard(call, outcome)
        if first:
            call.ended_at = self.now
            if isinstance(outcome, HTTPResponse) and isinstance(outcome.body, OpenChunks):
                self._read(call, outcome.body)
            else:
                self._close(call)

    def _discard(self, call: SimulatedCall, outcome: Outcome | None) -> None:
        """Throw away every response but the outcome."""
        for response in call.opened:
            if response is not outcome:
                response.discard()
        call.opened = [response for response in call.opened if response is outcome]

    def _read(self, call: SimulatedCall, body: OpenChunks) -> None:
        """Read an open body to its end, as a caller would."""
        at = self.now
        for seconds, chunk in body.reply.chunks:
            at += seconds
            self._plan(at, "chunk", call, self._chunk, chunk)
        self._plan(at, "body ended", call, self._body_ended, body)

    def _chunk(self, call: SimulatedCall, chunk: bytes) -> None:
        if not call.closed:
            call.content += chunk

    def _body_ended(self, call: SimulatedCall, body: OpenChunks) -> None:
        if not call.closed:
            if body.reply.fails is not None:
                call.body_error = make_error(body.reply.fails, body.send)
            self._obey(call, call.call.handle(BodyEnded(body.send.id, call.body_error, len(call.content)), self.now))
            self._close(call)

    def _cancel(self, call: SimulatedCall) -> None:
        """The caller goes away, unless it was served already."""
        if not call.closed:
            call.cancelled = True
            if call.outcome is None:
                call.ended_at = self.now
            self._discard(call, None)
            self._close(call)

    def _close(self, call: SimulatedCall) -> None:
        call.closed, call.wake_number = True, 0
        step = call.call.close(self.now)
        _require(not step.send and step.wake_at is None and step.done is None, "close asks for nothing")
        call.notes += step.notes
        call.live.clear()
        for waiter in step.nudge:
            waiter.wake()


def _require(holds: bool, rule: str) -> None:
    if not holds:
        raise ContractError(rule)
