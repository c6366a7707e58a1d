"""Getting a token, as a call of its own: any driver can run it, and so can the call that needs the token.

It asks the store, then the token endpoint by a :class:`~sansio_http.Call` with the credential's own policies: the
API's limiter, circuit breaker and slots are not asked, redirects are not followed, and its sends say ``via="token"``.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Protocol

from .auth import OAuth2, Questions, Token
from .exceptions import (
    AttemptTimeoutError,
    HTTPRequestError,
    HTTPTimeoutError,
    RateLimitError,
    ResponseDecodeError,
    RetryExhaustedError,
    TokenError,
    one_line,
)
from .models import HTTPRequest, HTTPResponse
from .policies import Policies
from .retry import RetryPolicy
from .step import Ask, BodyEnded, Ended, Event, Send, Step, Waiter, Woke

RETRY = RetryPolicy(retries=2, on_exhausted="return")
"""How a token request is tried again, where its credential does not say."""


class Driven(Protocol):
    """What a driver knows of a call."""

    def start(self, now: float) -> Step: ...
    def handle(self, event: Ended | BodyEnded | Woke, now: float) -> Step: ...
    def close(self, now: float) -> Step: ...


CallMaker = Callable[[HTTPRequest, Policies], Driven]

Telling = Generator[Send | Ask | float | None, Any, None]
"""What is to be done next: something to send or to ask, or until when to wait; it is given what came back."""


class Refresh:
    """One refresh of a token. To be driven as a :class:`~sansio_http.Call`, with one order at a time.

    It is under way from when it is made: whoever makes one drives it to its end, or closes it.

    Args:
        source: whose token.
        policies: of the call that needs it, for their sources of chance and time.
        make_call: makes a call.
        now: on the clock of that call.

    Attributes:
        attempts: none; what a call has.
        waiter: nobody wakes a refresh.
        max_live: one thing is in flight at a time.
    """

    max_live = 1

    __slots__ = (
        "_asked_at",
        "_done",
        "_last_id",
        "_make_call",
        "_now",
        "_out",
        "_policies",
        "_source",
        "_telling",
        "attempts",
        "deadline",
        "waiter",
    )

    def __init__(self, source: OAuth2, policies: Policies, make_call: CallMaker, now: float) -> None:
        self._source = source
        self._policies = policies
        self._make_call = make_call
        self._now = self._asked_at = now  # of the request that was sent last
        self._out = self._last_id = 0  # the order that is out, and the newest there was
        self._done = False
        self.attempts: tuple[Any, ...] = ()
        self.waiter = Waiter()
        self.deadline = source.begin(self, now)
        self._telling: Telling = self._tell()

    def start(self, now: float) -> Step:
        """Begin; then as :meth:`sansio_http.Call.start`."""
        return self._go_on(None, now)

    def handle(self, event: Event, now: float) -> Step:
        """As :meth:`sansio_http.Call.handle`; ``done`` is an empty 200, or a :class:`~sansio_http.TokenError`."""
        if not self._out:
            return self._go_on(None, now)
        if not isinstance(event, Ended) or event.id != self._out:
            return Step()  # it is waited for that
        self._out = 0
        return self._go_on(event.outcome, now)

    def close(self, now: float) -> Step:
        """As :meth:`sansio_http.Call.close`. One that has not come to its end is taken over by who waits for it."""
        if self._done:
            return Step()
        self._done = True
        self._now = now
        self._telling.close()
        heir = self._source.abandon()
        return Step(nudge=() if heir is None else (heir,))

    def _go_on(self, answer: Any, now: float) -> Step:
        self._now = now
        try:
            wanted = self._telling.send(answer)
        except StopIteration:
            return self._end(None, HTTPResponse(200))
        except Exception as error:
            return self._end(error, error)
        if isinstance(wanted, Send | Ask):
            self._out = wanted.id
            return Step(send=(wanted,))
        return Step(wake_at=wanted)

    def _end(self, error: Exception | None, outcome: HTTPResponse | Exception) -> Step:
        self._done = True
        return Step(nudge=self._source.settle(error, self._now), done=outcome)

    # --- the story -------------------------------------------------------------------------------------------------

    def _tell(self) -> Telling:
        source, wall = self._source, self._policies.wall
        store = source.store
        if store is not None:
            kept = yield from self._ask(store.get, source.key, "its store")
            if isinstance(kept, Token) and self._use(kept):
                return
        answer = yield from self._fetch()
        asked_at = self._asked_at
        access_token, lifetime, following = source.understand(answer, asked_at)
        source.refresh_token = following or source.refresh_token
        if store is not None:
            ends = None if lifetime is None or wall is None else wall() + lifetime - (self._now - asked_at)
            token = Token(access_token, ends, source.refresh_token)
            yield from self._ask(lambda token: store.set(source.key, token), token, "its store")
        if lifetime is not None and lifetime <= self._now - asked_at:
            raise source.error("expired", "answered with a token that was over before it could be used (expires_in)")
        source.take(access_token, lifetime, asked_at)  # not before it is kept: a store that fails is to be heard of

    def _use(self, kept: Token) -> bool:
        """Take up what the store has, if it is good for something."""
        source, wall = self._source, self._policies.wall
        source.refresh_token = kept.refresh_token or source.refresh_token
        left = None if kept.expires_at is None or wall is None else kept.expires_at - wall()
        if kept.access_token == source.rejected or (left is not None and left <= source.margin):
            return False
        source.take(kept.access_token, left, self._now)
        return True

    def _fetch(self) -> Generator[Send | Ask | float | None, Any, HTTPResponse]:
        """What the endpoint said in the end."""
        source, policies = self._source, self._policies
        fields = yield from self._answered(source.grant())
        left = self.deadline - self._now
        if left <= 0:
            raise source.error("timeout", f"gave no token in {source.timeout:.3g} s")
        outcome = yield from self._call(
            source.request(fields, left),
            Policies(
                retry=RETRY if source.retry is None else source.retry,
                auth=source.proof(fields, policies.entropy, policies.wall),
                attempt_timeout=source.attempt_timeout,
                rand=policies.rand or (lambda: 1.0),
                entropy=policies.entropy,
                wall=policies.wall,
                via="token",
            ),
        )
        cause = outcome
        if isinstance(outcome, RetryExhaustedError | RateLimitError):
            response = outcome.last_response if isinstance(outcome, RetryExhaustedError) else outcome.response
            outcome = response or outcome
            cause = outcome.last_error if isinstance(outcome, RetryExhaustedError) else outcome
        if isinstance(outcome, HTTPResponse):
            return outcome
        if isinstance(cause, ResponseDecodeError):
            raise source.error("malformed", "answered with a body that is not in the coding it says") from cause
        if not isinstance(cause, HTTPRequestError):
            raise outcome  # something of the user's
        reason = "timeout" if isinstance(cause, HTTPTimeoutError) else "transport"
        raise source.error(reason, f"did not answer: {one_line(cause)}") from cause

    def _call(self, request: HTTPRequest, policies: Policies) -> Generator[Send | Ask | float | None, Any, Any]:
        """The outcome of a call within this one. Its ids are ours, for it is alone."""
        call = self._make_call(request, policies)
        try:
            step = call.start(self._now)
            while step.done is None:
                event: Event = Woke()
                if step.send:
                    (order,) = step.send
                    self._last_id += 1
                    own, order.id = order.id, self._last_id
                    self._asked_at = self._now
                    event = Ended(own, (yield order))
                else:
                    yield step.wake_at
                step = call.handle(event, self._now)
            return step.done
        finally:
            call.close(self._now)

    def _answered(self, questions: Questions) -> Generator[Ask, Any, dict[str, str]]:
        """What a generator of questions returns, once they are answered."""
        try:
            question = next(questions)
            while True:
                question = questions.send((yield from self._ask(*question, self._source.asked)))
        except StopIteration as end:
            fields: dict[str, str] = end.value
            return fields

    def _ask(self, target: Callable[[Any], Any], value: Any, what: str) -> Generator[Ask, Any, Any]:
        """What something of the user's, which is called ``what``, returns.

        Raises:
            TokenError: it did not, in all the time there is.
            Exception: whatever it raised.
        """
        self._last_id += 1
        answer = yield Ask(self._last_id, target, value, self.deadline)
        if type(answer) is AttemptTimeoutError and self._now >= self.deadline:
            source = self._source
            message = f"{source.wanted} could not be had in {source.timeout:.3g} s: {what} did not answer"
            raise TokenError(message, reason="timeout") from answer
        if isinstance(answer, BaseException):
            raise answer
        return answer
