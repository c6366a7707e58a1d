"""The trials with real calls, against a scripted server."""

from __future__ import annotations

from typing import Any

from ...call import Call
from ...exceptions import ConnectError, HTTPTimeoutError, RetryExhaustedError
from ...models import HTTPRequest, HTTPResponse, Outcome
from ...policies import Policies
from ...retry import ExponentialBackoff, RetryPolicy
from ..script import Reply, Server, script
from .backstage import REQUEST
from .rules import ConformanceError
from .subject import Subject


class Hedge:
    """One more send, so many seconds after the first."""

    def __init__(self, after: float) -> None:
        self._after = after

    def next_at(self, first: float, extra: int) -> float | None:
        """As :meth:`sansio_http.Hedging.next_at`."""
        return first + self._after if extra == 0 else None

    def observe(self, seconds: float, now: float) -> None:
        """As :meth:`sansio_http.Hedging.observe`."""


class Marks:
    """An attempt hook that gives an answer of its own."""

    def process_request(self, request: HTTPRequest) -> None:
        """Mark the request."""
        request.headers["x-mark"] = "asked"

    def process_response(self, response: HTTPResponse, request: HTTPRequest) -> HTTPResponse:
        """Answer with the mark."""
        return HTTPResponse(200, {"x-mark": request.headers["x-mark"]})


def retried(subject: Subject, tick: float) -> None:
    """A status, an error, an answer."""
    retry = RetryPolicy(backoff=ExponentialBackoff(tick, jitter="none"))
    outcome = run(subject, script(Reply(503), Reply(error=ConnectError), Reply(after=tick)), retry=retry)
    tries = [attempt.status_code for attempt in getattr(outcome, "attempts", ())]
    require(tries == [503, None, 200], "outcome", "retried call", f"503, an error and 200 ended in {outcome!r}")


def exhausted(subject: Subject, tick: float) -> None:
    """Errors, until no attempt is left."""
    retry = RetryPolicy(1, ExponentialBackoff(tick, jitter="none"))
    outcome = run(subject, script(Reply(error=ConnectError)), retry=retry)
    require(isinstance(outcome, RetryExhaustedError), "error", "exhausted call", f"two errors ended in {outcome!r}")


def late(subject: Subject, tick: float) -> None:
    """An answer that would come after the call's timeout."""
    outcome = run(subject, script(Reply(after=20 * tick)), timeout=2 * tick)
    require(isinstance(outcome, HTTPTimeoutError), "deadline", "late call", f"a timeout ended in {outcome!r}")


def hooked(subject: Subject, tick: float) -> None:
    """An answer that a hook replaces."""
    outcome = run(subject, script(Reply()), hooks=(Marks(),))
    mark = outcome.headers.get("x-mark") if isinstance(outcome, HTTPResponse) else None
    require(mark == "asked", "ask", "call with a hook", f"the hook's answer was lost: {outcome!r}")


def hedged(subject: Subject, tick: float) -> None:
    """A slow send, and a quick one beside it."""
    outcome = run(subject, script(Reply(after=20 * tick), Reply(201)), hedging=Hedge(tick))
    status = outcome.status_code if isinstance(outcome, HTTPResponse) else None
    require(status == 201, "together", "hedged call", f"a slow send won against a quick one: {outcome!r}")


def run(subject: Subject, server: Server, timeout: float | None = None, **policies: Any) -> Outcome | None:
    """What the driver makes of a call with these policies."""
    request = HTTPRequest("GET", REQUEST.url, timeout=timeout)
    return subject.run(Call(request, Policies(**policies), max_live=subject.max_live), server)


def require(holds: bool, rule: str, scene: str, what: str) -> None:
    """Fail unless it holds."""
    if not holds:
        raise ConformanceError(rule, scene, what)
