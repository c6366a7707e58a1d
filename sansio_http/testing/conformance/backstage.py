"""What scenes are made of, and what they meet behind the driver's back: its transport, its users, its caller."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NoReturn

from ...models import HTTPRequest, HTTPResponse
from ...step import Ask, Send, Waiter
from ..script import Reply
from .flights import Flight, Nudge, OpenBody, Pause, PlayedReply, nothing
from .rules import ConformanceError
from .subject import Interrupt, Subject

REQUEST = HTTPRequest("GET", "https://conformance.invalid/")


class Backstage:
    """One play: its orders, and the first rule that was broken in it.

    Attributes:
        now: the time, on the driver's clock. All other times here are in ticks from then.
        waiter: of the call.
        max_live: how many sends the driver can have in flight at once.
    """

    def __init__(self, name: str, subject: Subject, tick: float) -> None:
        self.now = -math.inf
        self.waiter = Waiter()
        self.max_live = subject.max_live
        self._name = name
        self._subject = subject
        self._tick = tick
        self._failure: ConformanceError | None = None
        self._flights: dict[int, Flight] = {}
        self._bodies: dict[int, OpenBody] = {}
        self._pauses: list[Pause] = []
        self._nudges: list[Nudge] = []
        self._woken = False  # by a wake() that no Woke has followed yet
        self._was_woken = False  # ever
        self._cancelled = self._interrupted = False  # by us

    # --- what scenes use ---------------------------------------------------------------------------------------------

    def at(self, ticks: float) -> float:
        """The time in so many ticks."""
        return self.now + ticks * self._tick

    def send(
        self,
        after: float = 0.0,
        error: BaseException | None = None,
        *,
        deadline: float | None = None,
        on_out: Callable[[], object] = nothing,
        on_end: Callable[[], object] = nothing,
    ) -> Send:
        """A send that ends, after so many ticks, in a response or in ``error``; see :class:`~.flights.Flight`."""
        id, due = len(self._flights) + 1, None if deadline is None else self.at(deadline)
        send = Send(id, 1, REQUEST.copy(), due, self._subject.streams)
        self._flights[id] = Flight(send, after * self._tick, lambda: error or self._response(id), on_out, on_end)
        return send

    def ask(self, answer: object, *, value: object = None, pause: float = 0.0, deadline: float | None = None) -> Ask:
        """An ask whose target gives ``answer``, or raises it, after so many ticks."""
        id, due = len(self._flights) + 1, None if deadline is None else self.at(deadline)

        def target(*args: Any, **kwargs: Any) -> Any:
            if kwargs or len(args) != 1 or args[0] is not value:
                self.fail("ask", "it did not call an Ask's target with its value, and that alone")
            self._goes_out(flight)
            sleeping = self._subject.sleep(flight.after) if self._subject.sleep and pause else None
            if sleeping is None:
                return self._answer(flight)
            self._pauses.append(Pause(sleeping, lambda: self._answer(flight)))
            return self._pauses[-1]

        ask = Ask(id, target, value, due)
        flight = self._flights[id] = Flight(ask, pause * self._tick, lambda: answer)
        return ask

    def is_out(self, order: Send | Ask) -> bool:
        """Whether the driver has begun with an order."""
        return self._flights[order.id].out

    def wake_later(self, ticks: float) -> None:
        """Have somebody wake the call in so many ticks."""
        self._later(ticks, self._wake)

    def cancel(self) -> None:
        """Have its caller cancel the driver, now."""
        assert self._subject.cancel is not None
        self._cancelled = True
        self._subject.cancel()

    def interrupt(self) -> NoReturn:
        """Interrupt whoever is running."""
        self._interrupted = True
        raise Interrupt

    def fail(self, rule: str, what: str) -> NoReturn:
        """The driver broke a rule: end the play, wherever it stands."""
        raise self._note_failure(rule, what)

    # --- what the driver meets ---------------------------------------------------------------------------------------

    def _serve(self, send: Send) -> Reply:
        flight = self._flights.get(send.id)
        if flight is None or flight.order is not send:
            self.fail("send", "its transport was given another Send than the step had")
        self._goes_out(flight)
        try:
            flight.on_out()
        except Interrupt as interrupt:
            flight.came, flight.outcome = True, interrupt
            raise
        return PlayedReply(flight.after, lambda: self._end(flight))

    def _goes_out(self, flight: Flight) -> None:
        if flight.out:
            self.fail("send", f"it put {flight.order!r} out twice")
        flight.out = True

    def _end(self, flight: Flight) -> Any:
        if flight.aborted:
            self.fail("abort", f"it did not cancel {flight.order!r}")
        if self._subject.max_live == 1:
            self._require_nudged()  # where several are in flight, others may run between a step and its nudges
        flight.came, flight.outcome = True, flight.ends()
        flight.on_end()
        return flight.outcome

    def _answer(self, flight: Flight) -> Any:
        answer = self._end(flight)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def _response(self, id: int) -> HTTPResponse:
        response = HTTPResponse(200)
        if self._subject.streams:
            response.body = self._bodies[id] = OpenBody()
        return response

    def _wake(self) -> None:
        self._woken = self._was_woken = True
        try:
            self.waiter.wake()
        except Exception as error:
            self._note_failure("waiter", f"its wake() raised {error!r}")

    def _later(self, ticks: float, function: Callable[[], object]) -> None:
        assert self._subject.later is not None
        self._subject.later(ticks * self._tick, function)

    def _require_nudged(self) -> None:
        if not all(nudge.woken for nudge in self._nudges):
            self.fail("nudge", "it left a waiter of step.nudge asleep")

    def _note_failure(self, rule: str, what: str) -> ConformanceError:
        if self._failure is None:
            self._failure = ConformanceError(rule, self._name, what)
        return self._failure
