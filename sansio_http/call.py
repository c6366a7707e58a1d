"""One request from start to outcome.

Theory of operation. A :class:`Call` keeps a table of rows (:class:`~.exchange.Exchange`); each row is one story on its
way to one outcome. ``handle`` only records a fact in the table. Then one ``_plan(now)`` derives everything that is due:
begin the attempt whose backoff is over, advance the rows that wait, judge the rows that ended, add a hedge. Whatever
the facts and in whatever order they come, the plan is made from the table and ``now`` alone; so a spurious ``Woke`` and
a late ``Ended`` change nothing, and hedging is a second row and not a second flow of control.

A row that ended is *judged*: its answer is accepted and the call is done; or another attempt follows after a wait; or
none does, and the call ends in an error that says why. A retryable failure beside another row in flight is only noted:
the other row may still win.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, cast

from .exceptions import (
    ClientClosedError,
    ConfigurationError,
    DriverError,
    HTTPClientError,
    HTTPRequestError,
    one_line,
)
from .exchange import FLYING, OPEN, OVER, WANTING, Exchange
from .hedging import Hedging
from .ledger import Ledger
from .models import Attempt, HTTPRequest, HTTPResponse, Outcome
from .notes import BodyRead, CallEnded, Hedged, Retrying, Stopped
from .outcomes import given_up, refusal_reason, status_and_error
from .policies import Policies
from .query import add_params
from .retry import Retry, Stop, may_repeat
from .step import Ask, BodyEnded, Ended, Event, Send, Step, Waiter, Woke
from .urls import redact

# What Attempt(*line) does, at half the cost.
_attempt: Callable[[type[Attempt], tuple[Any, ...]], Attempt] = cast(Any, tuple).__new__

_NOTHING = Step()  # what most calls have to say when they are closed


class Call:
    """The state machine of one call. Any driver can run it: it does no I/O, reads no clock and never sleeps.

    Call :meth:`start` once, :meth:`handle` with every fact until a :class:`Step` has ``done``, and :meth:`close` at the
    end, whatever happened. The README has a driver in full.

    Args:
        request: what to ask for; the call works on a copy of its own. Its ``timeout`` bounds the whole call.
        policies: who decides.
        stream: the answer of a 2xx is wanted with its body open.
        listen: make notes of every decision (``Step.notes``).
        max_live: how many sends the driver can have in flight at once.
        owned: nobody else has the request, and nothing has changed it since it was made: it needs no copy.

    Attributes:
        max_live: the same.

    Raises:
        ConfigurationError: the policies need a source they were not given, or a driver that can do more.
        InvalidRequestError: the request cannot be sent as it is.
    """

    __slots__ = (
        "_aborts",
        "_attempt",
        "_base",
        "_cost",
        "_extra",
        "_history",
        "_last",
        "_ledger",
        "_memory",
        "_not_before",
        "_outcome",
        "_policies",
        "_primary",
        "_resume_at",
        "_rows",
        "_sent_before",
        "_started",
        "_time",
        "_verdict",
        "max_live",
    )

    # Set when the call starts.
    _time: float
    # Set by _begin(), anew for each attempt.
    _primary: Exchange  # its first row
    _verdict: Retry | Stop | None  # on its row that failed last
    _not_before: float  # the latest time that one of its answers asked to wait for
    _extra: int  # its hedges, sent and skipped
    _sent_before: int  # sends of the attempts before it
    _resume_at: float | None  # when the next one begins

    def __init__(
        self,
        request: HTTPRequest,
        policies: Policies,
        *,
        stream: bool = False,
        listen: bool = False,
        max_live: int = 1,
        owned: bool = False,
    ) -> None:
        if policies.hedging is not None and max_live < 2:
            raise ConfigurationError("Policies.hedging: this driver has one send in flight at a time and cannot hedge")
        if policies.rand is None and policies.retry is not None and policies.retry.jittered:
            raise ConfigurationError(
                "Policies.rand: needed for jitter; give random.random, or a fixed number in a test"
            )
        self.max_live = max_live
        base = request
        if not owned:
            base = request.copy()
            base.check()
        if base.params or base.idempotency_key is not None:
            _complete(base, policies)
        self._base = base
        self._policies = policies
        self._ledger = Ledger(policies, stream, listen)
        if policies.active:
            self._ledger.nest = Call
        self._rows: list[Exchange] = []
        self._attempt = 0
        self._memory: float | None = None  # of the last backoff
        self._cost: float | None = None  # of the last retry or hedge
        self._last: Outcome | None = None  # how the last attempt ended
        self._history: tuple[Attempt, ...] = ()
        self._aborts: tuple[int, ...] = ()
        self._outcome: HTTPResponse | BaseException | None = None
        self._started: float | None = None

    @property
    def waiter(self) -> Waiter:
        """How others wake this call: a driver that sleeps sets its ``wake``."""
        return self._ledger

    @property
    def _where(self) -> tuple[str, str]:
        """What the call is about, for notes."""
        return self._base.method, redact(self._base.url)

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """Every try that has ended, oldest first."""
        return self._history

    def start(self, now: float) -> Step:
        """Begin. Do what the step says, then call :meth:`handle`.

        Raises:
            DriverError: started before.
        """
        if self._started is not None:
            raise DriverError("Call.start: the call was started before")
        self._started = self._time = now
        if self._base.timeout is not None and self._base.timeout < math.inf:
            self._ledger.deadline = now + self._base.timeout
        self._begin()
        try:
            return self._plan(now)
        except Exception as error:
            return self._raised(error, now)

    def handle(self, event: Event, now: float) -> Step:
        """Take note of a fact. Do what the step says; a step with ``done`` has the outcome.

        Args:
            event: a send or question ended, an open body ended, or time has passed.
            now: on the call's clock; a time before the one given last counts as that one.

        Raises:
            DriverError: not started yet, or the event is none.
        """
        if self._started is None:
            raise DriverError("Call.handle: the call was not started")
        if now < self._time:
            now = self._time
        self._time = now
        try:
            if isinstance(event, Ended):
                for row in self._rows:
                    if row.id == event.id and row.out:
                        row.ended(event.outcome, now)
                        break
            elif isinstance(event, BodyEnded):
                self._body_ended(event, now)
            elif not isinstance(event, Woke):
                raise DriverError(f"Call.handle: {type(event).__name__} is no event; it is Ended, BodyEnded or Woke")
            return self._plan(now)
        except Exception as error:
            return self._raised(error, now)

    def close(self, now: float) -> Step:
        """The caller went away, or is served: give every place, permit and slot back. Never waits; idempotent.

        Returns:
            A step whose ``nudge`` is to be done, and whose ``abort`` names what is still in flight.
        """
        if self._rows:
            now = self._time = max(self._time, now)
            self._close_rows(now)
        self._resume_at = None
        if self._outcome is None:
            self._outcome = ClientClosedError("the call was closed before its outcome")
        if not (self._aborts or self._ledger.nudges or self._ledger.notes):
            return _NOTHING
        step = self._step((), None)
        step.done = None
        return step

    # --- the plan ------------------------------------------------------------------------------------------------

    def _plan(self, now: float) -> Step:
        """Derive what is due at ``now`` from the table."""
        orders: tuple[Send | Ask, ...] = ()
        while self._outcome is None:
            wake_at = self._resume_at
            if wake_at is not None and now >= wake_at:
                self._begin()
                wake_at = None
            ended: tuple[Exchange, ...] = ()
            for row in self._rows:
                if row.stage <= WANTING:
                    if (order := row.advance(now)) is not None:
                        orders += (order,)
                    elif row.stage == WANTING:
                        wake_at = _earlier(wake_at, row.wake)
                if row.stage >= OPEN:
                    ended += (row,)
            if not ended:
                if self._policies.hedging is not None:
                    hedges, hedge_at = self._hedge(self._policies.hedging, now)
                    orders, wake_at = orders + hedges, _earlier(wake_at, hedge_at)
                return self._step(orders, wake_at)
            for row in ended:
                self._judge(row, now)
        return self._step((), None)

    def _raised(self, error: Exception, now: float) -> Step:
        """Something of the user's that a policy calls (dice, a key, a hedge) has raised: that is the outcome."""
        if isinstance(error, DriverError):
            raise error
        self._finish(error, now)
        return self._step((), None)

    def _begin(self) -> None:
        """The next attempt."""
        self._attempt += 1
        self._resume_at = self._verdict = None
        self._not_before = -math.inf
        self._extra = 0
        self._sent_before = self._ledger.sends
        self._primary = Exchange(self._ledger, self._base, self._attempt)
        self._rows.append(self._primary)

    def _hedge(self, hedging: Hedging, now: float) -> tuple[tuple[Send | Ask, ...], float | None]:
        """Sends to put beside a slow one, if the policy says so; and the time to ask again."""
        orders: tuple[Send | Ask, ...] = ()
        base, primary = self._base, self._primary
        beside = primary.stage in (WANTING, FLYING) and (base.body is None or base.body.replay == "concurrent")
        if primary.first is None or not beside or not may_repeat(base):
            return (), None
        budget = self._policies.retry_budget
        while len(self._rows) < self.max_live:
            at = hedging.next_at(primary.first, self._extra)
            if at is None or now < at:
                return orders, at
            self._extra += 1
            skipped: str | None = "budget"
            cost = 0.0 if budget is None else budget.spend(False, now)
            if cost is not None:
                row = Exchange(self._ledger, base, self._attempt, hedge=True)
                row.first = primary.first  # they share the attempt's time
                order = row.advance(now)
                if order is not None:
                    skipped = None
                    self._cost = cost
                    self._rows.append(row)
                    orders += (order,)
                else:  # it would have to wait
                    skipped = refusal_reason(row.outcome)
                    row.close(now)
                    if budget is not None:
                        budget.refund(cost, now)
            if self._ledger.notes is not None:
                self._ledger.notes.append(Hedged(now, self._attempt, *self._where, now - primary.first, skipped))
        return orders, None

    # --- judging -------------------------------------------------------------------------------------------------

    def _judge(self, row: Exchange, now: float) -> None:
        """A row has ended: accept its answer, or see what follows once nothing else of the attempt is in flight."""
        outcome, policies = row.outcome, self._policies
        assert outcome is not None
        if not row.refused:
            if row.final:
                verdict = None  # a question ended in it: it is not about a send
            elif isinstance(outcome, HTTPResponse):
                good = outcome.status_code < 400 and not policies.ruled
                verdict = None if good else self._decide(row, outcome, now)
            elif isinstance(outcome, HTTPRequestError):
                verdict = self._decide(row, outcome, now)
            else:
                verdict = None  # a mistake, or something of the user's that raised: it is the outcome
            if verdict is None:
                if policies.learning and isinstance(outcome, HTTPResponse):
                    self._teach(outcome, now)
                self._record(outcome, "not_replayable" if row.unanswered else None, None, now)
                self._finish(outcome, now, winner=row)
                return
            self._last, self._verdict = outcome, verdict
            if isinstance(verdict, Retry):
                self._not_before = max(self._not_before, now + verdict.delay)
            if policies.retry_budget is not None and verdict.reason != "not_retryable":
                policies.retry_budget.failed(self._attempt - (row is self._primary), now)
        row.close(now)
        self._rows.remove(row)
        if self._rows:
            return
        if self._verdict is not None and self._last is not None:
            self._follow(self._verdict, self._last, now)
        elif self._ledger.sends == 0:
            self._finish(outcome, now)
        else:
            reason = refusal_reason(outcome)
            if self._primary.first is not None:
                self._record(outcome, reason, None, now)
            else:  # the attempt that was to follow has not gone out
                self._history = (*self._history[:-1], self._history[-1]._replace(reason=reason, delay=None))
            self._exhaust(Stop(reason), self._last or outcome, now)

    def _teach(self, answer: HTTPResponse, now: float) -> None:
        """An answer was accepted: let those know that learn from it."""
        policies = self._policies
        if policies.retry_budget is not None and answer.status_code < 500 and answer.status_code != 429:
            policies.retry_budget.succeeded(self._cost, now)
        if policies.hedging is not None and (first := self._primary.first) is not None:
            policies.hedging.observe(now - first, now)

    def _decide(self, row: Exchange, outcome: Outcome, now: float) -> Retry | Stop | None:
        """What the retry policy says, and the circuit to a wait that would end before it lets anything through."""
        retry, deadline = self._policies.retry, self._ledger.deadline
        if retry is None:
            return None if isinstance(outcome, HTTPResponse) else Stop("not_retryable")
        verdict = retry.decide(
            self._base,
            outcome,
            self._attempt - 1,
            sent=row.sent,
            left=math.inf if deadline is None else deadline - now,
            rand=self._policies.rand,
            wall=self._policies.wall,
            memory=self._memory,
        )
        if isinstance(verdict, Retry):
            if row.moved and not may_repeat(self._base):
                return Stop("not_idempotent")  # its redirect was an answer: to start anew would do it twice
            refusal = row.look(now)
            if refusal is not None and refusal.retry_after is not None and refusal.retry_after > verdict.delay:
                return Stop("circuit_open")
        return verdict

    def _follow(self, verdict: Retry | Stop, last: Outcome, now: float) -> None:
        """Wait for the next attempt, if the budget has one more, or give up."""
        budget = self._policies.retry_budget
        if isinstance(verdict, Retry) and budget is not None:
            cost = budget.spend(isinstance(last, HTTPResponse) and last.status_code == 429, now)
            if cost is None:
                verdict = Stop("budget", budget.describe())
            else:
                self._cost = cost
        if isinstance(verdict, Retry):
            self._memory = verdict.memory
            at = self._not_before
            delay = verdict.delay if at == now + verdict.delay else at - now  # another row's answer asked for longer
            self._record(last, verdict.reason, delay, now)
            self._resume_at = at
            if self._ledger.notes is not None:
                self._ledger.notes.append(Retrying(now, self._attempt, *self._where, verdict.reason, delay))
        else:
            self._record(last, verdict.reason, None, now)
            self._exhaust(verdict, last, now)

    def _exhaust(self, stop: Stop, last: Outcome, now: float) -> None:
        """No attempt follows an outcome that could have been retried."""
        if self._ledger.notes is not None:
            self._ledger.notes.append(Stopped(now, self._attempt, *self._where, stop.reason))
        self._finish(given_up(stop, last, len(self._history), self._base, self._policies), now)

    def _record(self, outcome: Outcome, reason: str | None, delay: float | None, now: float) -> None:
        """A line of history, if anything of this attempt went out."""
        first = self._primary.first
        if first is None:
            return
        status, error = (outcome.status_code, None) if isinstance(outcome, HTTPResponse) else (None, one_line(outcome))
        sends = self._ledger.sends - self._sent_before
        line = (self._attempt, first, now - first, sends, status, error, reason, delay)
        self._history += (_attempt(Attempt, line),)

    def _finish(self, outcome: Outcome, now: float, winner: Exchange | None = None) -> None:
        """The call has its outcome: stop all rows but one whose body the caller will read."""
        if winner is not None and winner.stage == OVER and len(self._rows) == 1 and self._policies.plain:
            self._rows.clear()  # it holds nothing any more
        else:
            self._close_rows(now, winner if winner is not None and winner.stage == OPEN else None)
        self._outcome = outcome
        started = self._started or 0.0
        if isinstance(outcome, HTTPResponse):
            outcome.attempts = self._history
            outcome.elapsed = now - started
        elif isinstance(outcome, HTTPClientError):
            outcome.attempts = self._history
        if self._ledger.notes is not None:
            made = len(self._history), now - started
            self._ledger.notes.append(CallEnded(now, *self._where, *made, *status_and_error(outcome)))

    def _close_rows(self, now: float, kept: Exchange | None = None) -> None:
        for row in self._rows:
            if row is not kept:
                if row.out:
                    self._aborts += (row.id,)
                row.close(now)
        self._rows = [] if kept is None else [kept]

    def _body_ended(self, event: BodyEnded, now: float) -> None:
        """The body that the caller was reading is at its end: its slot is free."""
        for row in self._rows:
            if row.stage == OPEN and row.id == event.id:
                row.close(now)
                self._rows.remove(row)
                if self._ledger.notes is not None:
                    error = None if event.error is None else one_line(event.error)
                    self._ledger.notes.append(BodyRead(now, row.attempt, *self._where, event.bytes, error))
                return

    def _step(self, orders: tuple[Send | Ask, ...], wake_at: float | None) -> Step:
        ledger, aborts = self._ledger, self._aborts
        nudges, notes = ledger.nudges, ledger.notes
        if aborts or nudges:
            self._aborts = ledger.nudges = ()
        if notes:
            ledger.notes = []
        return Step(orders, aborts, nudges, wake_at, tuple(notes) if notes else (), self._outcome)


def _earlier(one: float | None, other: float | None) -> float | None:
    """The earlier of two times, where None is never."""
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


def _complete(request: HTTPRequest, policies: Policies) -> None:
    """Put the params into the URL, and the one Idempotency-Key that all attempts have into the headers."""
    request.url, request.params = add_params(request.url, request.params, request.params_style), None
    key = request.idempotency_key
    if key == "auto":
        if "idempotency-key" in request.headers:
            return  # the caller's own
        if policies.entropy is None:
            raise ConfigurationError("Policies.entropy: needed for idempotency_key='auto'; give os.urandom")
        key = policies.entropy(16).hex()
    if key is not None:
        request.headers["Idempotency-Key"] = key
