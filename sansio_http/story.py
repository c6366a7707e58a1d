"""What happens in one attempt, from credentials to answer, told from top to bottom.

A *story* is a generator. It yields a request to have it sent, a :class:`Question` to have something of the user's
called, an :class:`Errand` to have something sent that is not the attempt's own, or a :class:`Park` to wait; and returns
the answer. It knows nothing of queues and permits.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import partial
from typing import Any, NamedTuple, Protocol, TypeVar

from .cookies import add_cookies, keep_cookies
from .exceptions import ConfigurationError
from .ledger import Ledger
from .models import HTTPRequest, HTTPResponse
from .rate_limiter.queue import RECHECK
from .refresh import Refresh
from .step import Ask, Ended, Event, Send, Step, Woke

T = TypeVar("T")


class Question(NamedTuple):
    """Something of the user's that a story wants called.

    Args:
        target, value: see :class:`~.step.Ask`.
        what: it is, for messages.
        early: it comes before the send.
    """

    target: Callable[[Any], Any]
    value: Any
    what: str
    early: bool = True


class Errand(NamedTuple):
    """An order of a call within this one, which is there to get ``what``: it needs no place.

    The story is given what came back.
    """

    order: Send | Ask
    what: str


class Park(NamedTuple):
    """Wait for ``what`` until then, or until woken."""

    until: float
    what: str


Story = Generator[HTTPRequest | Question | Errand | Park, Any, HTTPResponse]


class Teller(Protocol):
    """What a story knows of its row.

    Attributes:
        now: on the call's clock.
        signed: the request as it went out last, with its credentials.
        unanswered: a 401 could have been answered, but for a body that is gone.
    """

    now: float
    signed: HTTPRequest
    unanswered: bool

    def redirected(self, response: HTTPResponse, following: HTTPRequest) -> None:
        """A redirect is followed."""

    def anew(self, request: HTTPRequest) -> None:
        """The same request is about to go out once more, with an answer to the server's challenge."""


def tell(row: Teller, ledger: Ledger, request: HTTPRequest, home: str) -> Story:
    """The story of one attempt.

    Args:
        row: that lives it.
        ledger: of its call.
        request: as the caller wants it; each send is made from a copy.
        home: what URLs that get credentials begin with.
    """
    policies = ledger.policies
    seen: list[tuple[str, str]] = []
    history: tuple[HTTPResponse, ...] = ()
    cookies = policies.cookies
    answers = 0  # 401s that were answered
    while True:
        sent = request.copy()
        if cookies is not None:
            add_cookies(sent, cookies)
        for hook in policies.hooks:
            sent = _or_same((yield Question(hook.process_request, sent, "a middleware")), sent)
        if at_home := is_home(sent.url, home):
            if policies.ask_auth is not None:
                name = _name(policies.ask_auth)
                sent = _or_same((yield Question(policies.ask_auth, sent, name)), sent, name)
            for auth in policies.active:
                if auth.source is not None:
                    yield from obtain(auth.source, row, ledger)
                if (question := auth.question()) is not None:
                    auth.told(sent, (yield Question(*question, auth.asked)))
        if policies.ask_limiter is not None:
            yield Question(policies.ask_limiter, 1, "the rate limiter")

        while (answer := (yield sent)) is None:  # a token ran out in a queue
            for source in [auth.source for auth in policies.active if auth.source is not None]:
                yield from obtain(source, row, ledger)
        response: HTTPResponse = answer

        signed = row.signed
        if cookies is not None:
            keep_cookies(response, signed.url, cookies, policies.wall)
        for hook in reversed(policies.hooks):
            process = partial(hook.process_response, request=signed)
            response = _or_same((yield Question(process, response, "a middleware", early=False)), response)
        if at_home and policies.active:
            again = [auth.heard(signed, response, answers, row.now) for auth in policies.active]
            if any(again):
                if request.body is None or request.body.replayable:
                    answers += 1
                    row.anew(request)
                    continue
                row.unanswered = True
        # What follows is built from the request without credentials: they cannot travel on by accident.
        following = policies.redirects.follow(request, response, seen) if policies.redirects is not None else None
        if following is None:
            response.history = history
            return response
        history += (response,)
        row.redirected(response, following)
        request = following


def obtain(source: Any, row: Teller, ledger: Ledger) -> Generator[Errand | Park, Any, None]:
    """Returns once there is a token that is not known to be over: at once, after a refresh, or after somebody else's.

    Raises:
        TokenError: there is none.
    """
    if source.live(row.now) and not source.due(row.now):
        return
    seen: int | None = None
    try:
        while True:
            if source.live(row.now):
                if not source.due(row.now):
                    return
            elif (error := source.failed(row.now, seen)) is not None:
                raise error
            seen = source.rounds
            if source.refreshing is None:
                refresh = Refresh(source, ledger.policies, ledger.nest, row.now)
                background = ledger.policies.background
                if background is None or not background(refresh):
                    yield from _lead(refresh, source.wanted, row, ledger)
            else:
                source.wait(ledger)
                yield Park(row.now + RECHECK, source.wanted)
    finally:
        ledger.nudge(source.leave(ledger))


def _lead(refresh: Refresh, what: str, row: Teller, ledger: Ledger) -> Generator[Errand | Park, Any, None]:
    """Drive a refresh, in the midst of this story."""
    step = Step()
    try:
        step = refresh.start(row.now)
        while step.done is None:
            event: Event = Woke()
            if step.send:
                (order,) = step.send
                event = Ended(order.id, (yield Errand(order, what)))
            else:
                assert step.wake_at is not None
                yield Park(step.wake_at, what)
            step = refresh.handle(event, row.now)
    finally:
        ledger.nudges += step.nudge + refresh.close(row.now).nudge


def _name(target: Callable[[Any], Any]) -> str:
    """What a function is called by who wrote it."""
    return str(getattr(target, "__qualname__", type(target).__name__)).rpartition("<locals>.")[2]


def _or_same(answer: T | None, given: T, whose: str = "a hook") -> T:
    """What a hook gave back, or what it was given where it gave nothing."""
    if answer is None:
        return given
    for kind in (HTTPRequest, HTTPResponse):
        if isinstance(given, kind) and not isinstance(answer, kind):
            name = type(answer).__name__
            raise ConfigurationError(f"{whose} gave back a {name}; allowed is an {kind.__name__}, or None")
    return answer


def is_home(url: str, home: str) -> bool:
    """Whether ``url`` goes where the credentials belong; one without a path has no slash after its host."""
    return url.startswith(home) or f"{url.partition('?')[0]}/" == home
