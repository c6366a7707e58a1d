"""Where a driver is watched: a stand-in for a call that plays a scene, and judges what it sees.

Theory of operation. A scene is a generator that yields steps and is sent the events it waits for. The stage stands
between it and the driver, and judges what does not depend on the scene: times, ids, outcomes, order. Each step gets a
waiter to nudge and a note on its way out, so every scene tries these as well. When the driver has ended, the stage
looks at what it has left behind.

Time is what the driver says it is: nothing here reads a clock.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, NoReturn

from ...call import Call
from ...exceptions import HTTPTimeoutError
from ...models import HTTPResponse
from ...notes import Note, Rebased
from ...policies import Policies
from ...step import Ask, BodyEnded, Ended, Event, Step, Waiter
from .backstage import REQUEST, Backstage
from .flights import Flight, Nudge, OpenBody, nothing
from .rules import ConformanceError
from .subject import Subject

LATE = 5.0
"""Ticks by which a driver may be late."""

EARLY = 0.1
"""Ticks by which it may be early: two clocks never agree to the last digit."""

MOST_WAKES = 100
"""Wake-ups before their time that one step may see: each is harmless, so many are a driver that does not sleep."""

Play = Generator[Step, Any, None]


class StandIn(Call):
    """What the driver is given: to it, a call."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(REQUEST, Policies(), max_live=stage.max_live)
        self._stage = stage

    @property
    def waiter(self) -> Waiter:
        return self._stage.waiter

    @waiter.setter
    def waiter(self, waiter: Waiter) -> None:
        self._stage.fail("waiter", "it replaced call.waiter, which others know by now")

    def start(self, now: float) -> Step:
        return self._stage.start(now)

    def handle(self, event: Event, now: float) -> Step:
        return self._stage.handle(event, now)

    def close(self, now: float) -> Step:
        return self._stage.close(now)


class Stage(Backstage):
    """One scene, played to one driver."""

    def __init__(self, scene: Callable[[Stage], Play], subject: Subject, tick: float) -> None:
        super().__init__(scene.__name__, subject, tick)
        self._play = scene(self)
        self._step: Step | None = None  # given last
        self._steps = 0
        self._wakes = 0  # since it was given, before its time
        self._notes: list[Note] = []
        self._notes_before = len(subject.notes or ())
        self._body_ended = self._closed = self._over = False

    def run(self) -> None:
        """Play the scene.

        Raises:
            ConformanceError: the driver broke a rule.
        """
        result = self._subject.run(StandIn(self), self._serve)
        self._over = True
        for pause in self._pauses:
            getattr(pause.sleeping, "close", nothing)()  # a coroutine that nobody awaited would complain
        if self._failure is not None:
            raise self._failure
        try:
            self._judge(result)
        except ConformanceError as failure:
            raise failure from result if isinstance(result, BaseException) else None

    # --- the call ----------------------------------------------------------------------------------------------------

    def start(self, now: float) -> Step:
        """As :meth:`Call.start`."""
        self._enter(now)
        if self._step is not None:
            self.fail("start", "it called start() twice")
        return self._give(next(self._play))

    def handle(self, event: Event, now: float) -> Step:
        """As :meth:`Call.handle`."""
        self._enter(now)
        step = self._step
        if step is None:
            self.fail("start", "it called handle() before start()")
        if self._closed:
            self.fail("close", "it called handle() after close()")
        if isinstance(event, BodyEnded):
            return self._take_body_ended(event, step)
        if step.done is not None:
            self.fail("done", "it called handle() after step.done")
        if step.wake_at is not None and (self._subject.max_live > 1 or not self._live()):
            self._require_punctual("wake_at", "wake_at", step.wake_at)
        if self._is_news(event, step):
            return self._give(self._play.send(event))
        return self._give(Step(wake_at=step.wake_at), again=True)

    def close(self, now: float) -> Step:
        """As :meth:`Call.close`."""
        self._enter(now)
        step = Step()
        if not self._closed:
            if self._handed_over() is not None and not self._body_ended:
                self.fail("body", "it called close() while the body of the outcome was open")
            self._closed = True
            step.abort = tuple(flight.order.id for flight in self._live())
            self._adorn(step)
        return step

    def _enter(self, now: float) -> None:
        if self._failure is not None:
            raise self._failure
        if now < self.now:
            self.fail("clock", f"its clock went back by {self.now - now:.3g} s")
        self.now = now

    def _give(self, step: Step, *, again: bool = False) -> Step:
        self._require_nudged()
        self._adorn(step)
        for order in step.send:
            self._flights[order.id].ordered = True
        for id in step.abort:
            self._flights[id].aborted = True
        self._step = step
        if not again:
            self._wakes = 0
            self._steps += 1
            if step.done is None and self._subject.later is not None:
                self._watch(step, self._steps)
        return step

    def _adorn(self, step: Step) -> None:
        nudge = Nudge(lambda: self.fail("waiter", "it changed a waiter of step.nudge, which is another call's"))
        note = Rebased(self.now, "scripted")
        step.nudge, step.notes = (nudge,), (note,)
        self._nudges.append(nudge)
        self._notes.append(note)

    def _watch(self, step: Step, number: int) -> None:
        """End the wait of a driver that would wait for ever."""

        def look() -> None:
            if self._steps == number and not self._over:
                self._note_silence()
                self._wake()
                if self._subject.cancel is not None:
                    self._subject.cancel()

        wait = self.now if step.wake_at is None else step.wake_at
        ticks = max([(wait - self.now) / self._tick, *(flight.after / self._tick for flight in self._live())])
        self._later(ticks + 2 * LATE, look)

    def _note_silence(self) -> None:
        """The driver has told nothing for too long."""
        rule, what = "wake_at", "its wake_at"
        for flight in self._live():
            what = f"{flight.order!r}"
            if flight.came:
                rule, what = ("error" if isinstance(flight.outcome, BaseException) else "id"), f"the end of {what}"
            else:
                rule = "send" if flight.order.deadline is None else "deadline"
        self._note_failure(rule, f"it has told nothing for long, and {what} is overdue").timed = True

    # --- judging -----------------------------------------------------------------------------------------------------

    def _is_news(self, event: Event, step: Step) -> bool:
        """Whether the scene waits for this event; the others are harmless."""
        if isinstance(event, Ended):
            return self._take_ended(event)
        if self._woken or (step.wake_at is not None and self.now >= step.wake_at):
            self._woken = False
            return True
        self._wakes += 1
        if self._wakes > MOST_WAKES:
            rule = "waiter" if self._was_woken else "wake_at"
            self.fail(rule, f"it woke {MOST_WAKES} times without a reason: its clock stands, or its sleep is none")
        return False

    def _take_ended(self, event: Ended) -> bool:
        flight = self._flights.get(event.id)
        if flight is None or not flight.ordered or flight.told:
            self.fail("id", f"it told an Ended of id {event.id}, which was not in flight")
        flight.told = True
        if flight.aborted:
            return False  # it was on its way
        order, outcome = flight.order, event.outcome
        if not flight.out:
            self.fail("send", f"it told an Ended of {order!r}, which it had not put out")
        if not flight.came:
            self._judge_given_up(flight, outcome)
        elif outcome is not flight.outcome:
            self._fail_other_outcome(flight, outcome)
        if order.deadline is not None:
            self._require_punctual("deadline", f"the deadline of {order!r}", order.deadline)
        return True

    def _judge_given_up(self, flight: Flight, outcome: object) -> None:
        order = flight.order
        if self._cancelled:
            self.fail("interrupt", f"it took its cancellation for what {order!r} ended in")
        if isinstance(order, Ask) and not isinstance(outcome, HTTPTimeoutError):
            self.fail("ask", f"it took {outcome!r} for the answer to {order!r}")
        if order.deadline is None or self.now < order.deadline - EARLY * self._tick:
            self.fail("patience", f"it gave up {order!r} with {outcome!r} before its deadline")
        if not isinstance(outcome, HTTPTimeoutError):
            self.fail("deadline", f"it gave up {order!r} at its deadline with {outcome!r}")

    def _fail_other_outcome(self, flight: Flight, outcome: object) -> NoReturn:
        what = f"{flight.order!r} ended in {flight.outcome!r}, and it told {outcome!r}"
        if any(other.came and other.outcome is outcome for other in self._flights.values()):
            self.fail("id", f"{what}, which is what another one ended in")
        if isinstance(flight.order, Ask):
            self.fail("ask", what)
        self.fail("error" if isinstance(flight.outcome, BaseException) else "outcome", what)

    def _take_body_ended(self, event: BodyEnded, step: Step) -> Step:
        if event.id != self._handed_over():
            self.fail("body", f"it told a BodyEnded of id {event.id}, which is not the send that the outcome answers")
        self._body_ended = True
        return Step(done=step.done)

    def _judge(self, result: object) -> None:
        """The driver has ended: what has it left behind?"""
        step = self._step
        if step is None:
            self.fail("start", f"it never called start(), and ended in {result!r}")
        if self._interrupted:
            if not isinstance(result, BaseException):
                self.fail("interrupt", "it swallowed an exception that is no Exception")
        elif not self._cancelled:
            self._judge_result(result, step)
        handed_over = self._handed_over()
        if handed_over is not None:
            self._judge_handed_over(self._bodies[handed_over], step.done)
        if not self._closed:
            self.fail("close", "it never called close()")
        self._require_nudged()
        if self._subject.notes is not None:
            seen = self._subject.notes[self._notes_before :]
            if [id(note) for note in seen] != [id(note) for note in self._notes]:
                self.fail("notes", f"it passed on {len(seen)} notes of {len(self._notes)}, or in another order")
        for order_id, body in self._bodies.items():
            if not body.discarded:
                self.fail("discard", f"it kept the response of send {order_id}, open")
        self._wake()  # somebody may be late
        if self._failure is not None:
            raise self._failure

    def _judge_result(self, result: object, step: Step) -> None:
        if step.done is None:
            if any(flight.came and flight.outcome is result for flight in self._flights.values()):
                self.fail("error", f"it ended in {result!r}, in which only one of its orders had ended")
            rule = "done" if all(flight.out for flight in self._live()) else "send"
            self.fail(rule, f"it ended in {result!r} before there was a step.done")
        if result is not step.done:
            self.fail("outcome", f"it gave {result!r} for a step.done of {step.done!r}")

    def _handed_over(self) -> int | None:
        """Which send the outcome answers, where its body is open."""
        done = None if self._step is None else self._step.done
        return next((id for id in self._bodies if self._flights[id].outcome is done), None)

    def _judge_handed_over(self, body: OpenBody, done: object) -> None:
        if body.discarded:
            self.fail("discard", "it discarded the outcome")
        assert isinstance(done, HTTPResponse)
        try:
            done.discard()
        except Exception as error:
            self.fail("body", f"discard() of the outcome raised {error!r}")
        if not (body.discarded and self._body_ended):
            self.fail("body", "it told no BodyEnded when the caller threw the body of the outcome away")

    def _live(self) -> list[Flight]:
        return [flight for flight in self._flights.values() if flight.live]

    def _require_punctual(self, rule: str, what: str, at: float) -> None:
        if self.now > at + LATE * self._tick:
            self.fail(rule, f"it was {self.now - at:.3g} s late for {what}")
