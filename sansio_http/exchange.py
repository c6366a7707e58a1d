"""The row of a call's table that lives one attempt.

It takes what the attempt's story (:mod:`.story`) wants to the wire, through an :class:`~.admission.Admission`; a call
whose policies leave nothing to tell does without a story. A call has one row, or two while it hedges; a row that is
over is told nothing any more.
"""

from __future__ import annotations

from typing import Any

from .admission import CLOSED, Admission
from .auth import Unsigned, signature
from .exceptions import (
    AttemptTimeoutError,
    ConnectionLostError,
    DriverError,
    HTTPClientError,
    HTTPRequestError,
    TotalTimeoutError,
)
from .ledger import Ledger, error_for
from .models import HTTPRequest, HTTPResponse, Outcome
from .notes import Challenged, Redirected, Resent, SendEnded, Waited
from .outcomes import status_and_error
from .query import add_params
from .rate_limiter import Fate
from .retry import may_repeat
from .steering import fate_of, steer
from .step import Ask, Send
from .story import Errand, Park, Question, Story, is_home, tell
from .urls import origin, redact

# Where a row stands, in order; numbers, because they are compared several times a call.
NEW = 0  # not begun
ASKING = 1  # a question is due, or out
WANTING = 2  # its request wants a place
FLYING = 3  # it is on the wire
OPEN = 4  # its answer has come, with an open body
OVER = 5  # it has its outcome


class Exchange(Admission):
    """One row of a call's table.

    Attributes:
        attempt: which try it is, from 1.
        stage: where it stands: NEW, ASKING, WANTING, FLYING, OPEN or OVER.
        outcome: how it ended, once it did.
        refused: our own policies ended it, which says nothing about the server.
        final: a question ended in an exception, which nothing follows.
        id: of the send or question that is out.
        wake: when to look again, while it wants a place.
        first: when its first send went out; None before.
        sent: a byte of one of its sends may have left.
        moved: a redirect has turned the request into one of another method.
        now: on the call's clock, while the story is being told.
        signed: the request as it went out last, with its credentials.
        unanswered: a 401 could have been answered, but for a body that is gone.
    """

    __slots__ = (
        "_awaited",
        "_base",
        "_began",
        "_deadline",
        "_errand",
        "_home",
        "_parked",
        "_question",
        "_replaced",
        "_resend",
        "_send_id",
        "_story",
        "attempt",
        "final",
        "first",
        "id",
        "moved",
        "now",
        "outcome",
        "refused",
        "sent",
        "signed",
        "stage",
        "unanswered",
        "wake",
    )

    # Set when something goes out, or has to wait.
    wake: float
    _awaited: str  # what the story waits for
    _deadline: float | None  # of the send that is out
    _began: float  # when it went out
    _send_id: int  # of the send that went out last
    _home: str  # what URLs that get credentials begin with
    now: float  # while the story is being told
    signed: HTTPRequest  # as it went out last

    def __init__(self, ledger: Ledger, base: HTTPRequest, attempt: int, hedge: bool = False) -> None:
        self.request = base
        self._ledger = ledger
        self._hedge = hedge
        self._place = self._seat = self._slot = self._hold = self._permit = None
        self.id = 0
        self.attempt = attempt
        self.stage = NEW
        self.outcome: Outcome | None = None
        self.refused = self.final = self.unanswered = False
        self.first: float | None = None
        self.sent = False
        self.moved = False
        self._base = base
        self._story: Story | None = None
        self._question: Question | Errand | None = None
        self._replaced = self._resend = self._errand = self._parked = False

    @property
    def out(self) -> bool:
        """Whether the driver has something of this row's in hand."""
        return self.stage == FLYING or (self.stage == ASKING and self._question is None)

    def advance(self, now: float) -> Send | Ask | None:
        """Go as far as possible at ``now``: to a send or a question that is due, to a wait, or to the end."""
        if self.stage == NEW:
            policies, base = self._ledger.policies, self._base
            if policies.plain:
                self._home = policies.home
                self._want(base, now)
            else:
                self._home = policies.home or f"{origin(base.url.partition('?')[0])}/"
                self.approach(base, now)
                self._story = tell(self, self._ledger, base, self._home)
                self._go_on(None, now)
        while self.stage == WANTING:
            if self._parked:
                if (refusal := self._refusal("while it waited for", self._awaited, now)) is not None:
                    self._refuse(refusal)
                    return None
                self._go_on(None, now)
                if self._parked:
                    return None
            elif self._lapsed(now):
                self.abandon(now)  # a token ran out in the queue: back to where tokens are got
                self._go_on(None, now)
            else:
                return self._go_out(now)
        question = self._question
        if question is None:
            return None
        self._question = None
        self._awaited = question.what
        if isinstance(question, Errand):
            return self._errand_out(question.order)
        if question.early and (refusal := self._refusal("before it could ask", question.what, now)) is not None:
            self._refuse(refusal)  # before anybody is asked for anything
            return None
        self.id = self._ledger.last_id = self._ledger.last_id + 1
        return Ask(self.id, question.target, question.value, self._ledger.deadline)

    def _errand_out(self, order: Send | Ask) -> Send | Ask:
        """An order of a call within this one, under an id of this call's, and with no more time than it has."""
        self._errand = True
        self.id = self._ledger.last_id = self._ledger.last_id + 1
        deadline = self._ledger.deadline
        if deadline is None or (order.deadline is not None and order.deadline < deadline):
            deadline = order.deadline
        if isinstance(order, Ask):
            return Ask(self.id, order.target, order.value, deadline)
        return Send(self.id, self.attempt, order.request, deadline, order.stream, order.via)

    def _lapsed(self, now: float) -> bool:
        """Whether a token of the request that wants to go out is over."""
        active = self._ledger.policies.active
        if not active or not is_home(self.request.url, self._home):
            return False
        return any(auth.source is not None and not auth.source.live(now) for auth in active)

    def ended(self, outcome: Outcome | Any, now: float) -> None:
        """What was out under :attr:`id` came to its end."""
        if self.stage == ASKING:
            deadline = self._ledger.deadline
            if self._errand:
                self._errand = False
                if deadline is not None and now >= deadline:
                    self._refuse(self._too_late("while it waited for", self._awaited))
                else:
                    self._go_on(outcome, now)
            elif isinstance(outcome, BaseException):
                late = deadline is not None and now >= deadline
                total = self._or_total(outcome, deadline, f" while it waited for {self._awaited}") if late else outcome
                self.refused, self.final = total is not outcome, total is outcome
                self._end(total)
            elif self._resend:
                self._resend = False
                self.approach(self.request, now)
                self.stage = WANTING
            else:
                self._go_on(outcome, now)
            return
        if not isinstance(outcome, HTTPResponse):
            self._failed(outcome, now)
            return
        self.sent = True
        outcome.request = self.signed
        if self._ledger.notes is not None:
            self._ledger.notes.append(self._send_ended(outcome, now))
        try:
            self.settle(outcome, now)
        except Exception as error:  # of an is_failure of the user's
            self.free_slot("ignored", now)
            self._end(error)
            return
        fate: Fate = "ok" if outcome.status_code < 429 else fate_of(outcome)
        held = self._hold is not None
        if outcome.body is None:
            self.free_slot(fate, now)
        else:
            self.head_came(fate, now)
        if held and self._limiter is not None and self._limiter.steered:
            steer(self._limiter, outcome, self._ledger, now)
        if self._story is not None:
            self._go_on(outcome, now)
            return
        self.outcome = outcome
        self.stage = OVER if outcome.body is None else OPEN

    def _failed(self, outcome: Any, now: float) -> None:
        """A send ended without an answer."""
        if not isinstance(outcome, BaseException):
            kind = type(outcome).__name__
            raise DriverError(f"Ended: the outcome of a Send is a response or an exception, not {kind}")
        outcome = self._or_total(outcome, self._deadline)
        self.sent = self.sent or (isinstance(outcome, HTTPRequestError) and outcome.head_sent)
        if self._ledger.notes is not None:
            self._ledger.notes.append(self._send_ended(outcome, now))
        if self._is_stale_connection(outcome):
            # The server closed a kept connection before it saw the request: its health is not in question, and the
            # request goes out once more.
            if self._ledger.notes is not None:
                self._ledger.notes.append(Resent(now, self.attempt, *self._where))
            self._replaced = True
            self.abandon(now)
            self.approach(self.request, now)
            if (ask := self._ledger.policies.ask_limiter) is None:
                self.stage = WANTING
            else:
                self.stage, self._question, self._resend = ASKING, Question(ask, 1, "the rate limiter"), True
            return
        try:
            self.settle(outcome, now)
        except Exception as error:  # of an is_failure of the user's
            outcome = error
        self.free_slot(fate_of(outcome), now)
        self._end(outcome)

    def close(self, now: float) -> None:
        """Give everything back and tell no more; idempotent."""
        self.stage = OVER
        if self._story is not None:
            self.now = now
            self._story.close()
        self.abandon(now)

    def _refusal(self, when: str, what: str, now: float) -> HTTPClientError | None:
        """Why nobody should be asked for anything any more, if there is a reason."""
        deadline = self._ledger.deadline
        if deadline is not None and now >= deadline:
            return self._too_late(when, what)
        return self.look(now)

    def _too_late(self, when: str, what: str) -> TotalTimeoutError:
        return error_for(TotalTimeoutError, f"the call's time ran out {when} {what}", self.request)

    def _go_on(self, answer: Any, now: float) -> None:
        """Give the story what it waited for, and take up what it wants next."""
        assert self._story is not None
        self.now = now
        self._parked = False
        try:
            wanted = self._story.send(answer)
            if isinstance(wanted, Question | Errand):
                self.stage, self._question = ASKING, wanted
                return
            if isinstance(wanted, Park):
                deadline = self._ledger.deadline
                self.wake = wanted.until if deadline is None else min(wanted.until, deadline)
                self.stage, self._parked, self._awaited = WANTING, True, wanted.what
                return
            wanted.check()  # hooks had their way with it
        except StopIteration as end:
            self._end(end.value)
        except Exception as error:  # a redirect that cannot be followed, or a hook that gave back something else
            self._end(error)
        else:
            self._want(wanted, now)

    def _want(self, request: HTTPRequest, now: float) -> None:
        """Complete the request; from now on it wants a place."""
        try:
            if request.params:
                request.url, request.params = add_params(request.url, request.params, request.params_style), None
        except Exception as error:
            self._end(error)
        else:
            self.approach(request, now)
            self.stage = WANTING

    def _sign(self, now: float) -> HTTPRequest:
        """The request as it goes out, with its credentials: each send has a copy of its own, and a signature."""
        policies, request = self._ledger.policies, self.request
        auth, signer, home = policies.auth, policies.signer, self._home
        if (auth is None and signer is None) or not (request.url.startswith(home) or is_home(request.url, home)):
            return request if request is not self._base else request.copy()  # a caller may keep it, and change it
        request = request.copy()
        if auth is not None:
            auth.apply(request, now)
        if signer is not None:
            wall = policies.wall
            assert wall is not None  # a bundle with a signer has one
            for name, value in signature(signer, Unsigned.of(request, wall())).pairs():
                request.headers[name] = value
        return request

    def _go_out(self, now: float) -> Send | None:
        """Through the admission and onto the wire; else wait, or be refused."""
        ledger, circuit = self._ledger, self._circuit
        if circuit is not None and circuit.last_state is not CLOSED and (refusal := self.look(now)) is not None:
            self.abandon(now)
            self._refuse(refusal)
            return None
        deadline, limit = ledger.deadline, ledger.policies.attempt_timeout
        patience = deadline
        if limit is not None:  # it counts from the first send: until then the attempt can wait as long as the call
            own = limit + (now if self.first is None else self.first)
            deadline = own if deadline is None or own < deadline else deadline
            patience = patience if self.first is None else deadline
        if ledger.notes is None:
            wait = self.enter(patience, deadline, now)
        else:
            wait = self.enter_noted(patience, deadline, now)
        if wait is not None:
            if isinstance(wait, AttemptTimeoutError):
                self._end(wait)  # between two sends of one attempt: it failed, and may be retried
            elif isinstance(wait, HTTPClientError):
                self._refuse(wait)
            else:
                self.wake = wait
            return None
        if ledger.notes is not None and now > self.since:
            ledger.notes.append(Waited(now, self.attempt, *self._where, now - self.since))
        if self.first is None:
            self.first = now
        try:
            self.signed = request = self._sign(now)
        except Exception as error:
            self.undo(now)
            self._end(error)
            return None
        self._began, self._deadline = now, deadline
        ledger.sends += 1
        self.id = self._send_id = ledger.last_id = ledger.last_id + 1
        self.stage = FLYING
        return Send(self.id, self.attempt, request, deadline, ledger.stream, ledger.policies.via)

    def _end(self, outcome: Outcome) -> None:
        self.outcome = outcome
        if isinstance(outcome, HTTPResponse) and outcome.body is not None:
            self.stage, self.id = OPEN, self._send_id  # hooks were asked since
        else:
            self.stage = OVER

    def _refuse(self, error: HTTPClientError) -> None:
        self.refused = True
        self._end(error)

    def _or_total(self, outcome: BaseException, deadline: float | None, when: str = "") -> BaseException:
        """The outcome; the call's own timeout where the driver gave up at the call's deadline."""
        if type(outcome) is AttemptTimeoutError and deadline is not None and deadline == self._ledger.deadline:
            return error_for(TotalTimeoutError, f"the call's time ran out{when}", self.request, outcome)
        return outcome

    def _is_stale_connection(self, outcome: BaseException) -> bool:
        """Whether one more send of the same attempt is due: a kept connection was closed before any answer."""
        if not isinstance(outcome, ConnectionLostError) or not outcome.reused or outcome.body_started or self._replaced:
            return False
        request = self.request
        return not outcome.head_sent or (may_repeat(request) and (request.body is None or request.body.replayable))

    @property
    def _where(self) -> tuple[str, str]:
        """What is being sent, for notes."""
        return self.request.method, redact(self.request.url)

    def redirected(self, response: HTTPResponse, following: HTTPRequest) -> None:
        self.moved = self.moved or following.method != self._base.method
        if self._ledger.notes is not None:
            to = redact(following.url)
            note = Redirected(self.now, self.attempt, *self._where, response.status_code, to)
            self._ledger.notes.append(note)
        self.approach(following, self.now)

    def anew(self, request: HTTPRequest) -> None:
        """A challenge was answered: the same request wants to go out once more."""
        if self._ledger.notes is not None:
            self._ledger.notes.append(Challenged(self.now, self.attempt, *self._where))
        self.approach(request, self.now)

    def _send_ended(self, outcome: Outcome, now: float) -> SendEnded:
        size = len(outcome.content) if isinstance(outcome, HTTPResponse) else 0
        return SendEnded(now, self.attempt, *self._where, *status_and_error(outcome), now - self._began, size)
